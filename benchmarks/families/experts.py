"""Mixtures of experts and models with a recurrent state, of transformers."""

from __future__ import annotations

from typing import Any

from .decoders import SHAPE
from .family import OUTPUTS_LAST, ROUTER, STATE, Family, Layout

_LATENT = dict(
    num_key_value_heads=4,
    n_routed_experts=4,
    n_shared_experts=1,
    num_experts_per_tok=2,
    moe_intermediate_size=32,
    q_lora_rank=16,
    kv_lora_rank=16,
    qk_rope_head_dim=8,
    qk_nope_head_dim=8,
    v_head_dim=8,
    first_k_dense_replace=1,
    n_group=1,
    topk_group=1,
)
_STATE_SPACE = dict(mamba_n_heads=8, mamba_d_head=8, mamba_d_state=8, mamba_n_groups=1, mamba_chunk_size=8)
_MAMBA = dict(vocab_size=64, hidden_size=32, num_hidden_layers=2, state_size=8)
_LINEAR = dict(linear_num_value_heads=4, linear_num_key_heads=2, linear_key_head_dim=8, linear_value_head_dim=8)
_OUTPUTS_LAST = {r"\.experts\.(gate_up|down)_proj$": OUTPUTS_LAST}


def _mixture(name: str, model: str, **config: Any) -> Family:
    """Return a family with four experts in each block, two of them for each token."""
    return Family(
        name=name,
        model=model,
        blocks=("layers",),
        config={**SHAPE, "num_experts_per_tok": 2, **config},
        left_alone=ROUTER,
    )


def _recurrent(name: str, model: str, **config: Any) -> Family:
    return Family(name=name, model=model, blocks=("layers",), config={**SHAPE, **config})


EXPERTS = (
    _mixture("Mixtral", "MixtralModel", num_local_experts=4),
    _mixture("Qwen2-MoE", "Qwen2MoeModel", num_experts=4, moe_intermediate_size=32, shared_expert_intermediate_size=32),
    _mixture("Qwen3-MoE", "Qwen3MoeModel", num_experts=4, moe_intermediate_size=32),
    _mixture("OLMoE", "OlmoeModel", num_experts=4),
    Family(
        name="Llama 4",
        model="Llama4TextModel",
        blocks=("layers",),
        config=dict(
            SHAPE,
            num_local_experts=4,
            num_experts_per_tok=1,
            intermediate_size_mlp=64,
            interleave_moe_layer_step=1,
            attention_chunk_size=8,
        ),
        left_alone=ROUTER,
        layouts=_OUTPUTS_LAST,
    ),
    _mixture("PhiMoE", "PhimoeModel", num_local_experts=4),
    _mixture("DeepSeek V2", "DeepseekV2Model", **_LATENT),
    _mixture("DeepSeek V3", "DeepseekV3Model", **_LATENT),
    Family(
        name="GPT-OSS",
        model="GptOssModel",
        blocks=("layers",),
        config=dict(SHAPE, num_local_experts=4, num_experts_per_tok=2, sliding_window=8),
        left_alone={**ROUTER, r"_proj_bias$": "biases of the experts"},
        layouts=_OUTPUTS_LAST,
    ),
    Family(
        name="DBRX",
        model="DbrxModel",
        blocks=("blocks",),
        config=dict(
            **dict(vocab_size=64, d_model=32, n_heads=4, n_layers=2, max_seq_len=64),
            attn_config=dict(kv_n_heads=2, rope_theta=1e4, clip_qkv=8),
            ffn_config=dict(ffn_hidden_size=64, moe_num_experts=4, moe_top_k=2, ffn_act_fn=dict(name="silu")),
        ),
        left_alone=ROUTER,
        layouts={r"\.mlp\.w2$": Layout((1,), view=(4, 64, 32))},
    ),
    _mixture("GraniteMoE", "GraniteMoeModel", num_local_experts=4),
    _mixture(
        "GLM-4 MoE",
        "Glm4MoeModel",
        n_routed_experts=4,
        n_shared_experts=1,
        moe_intermediate_size=32,
        first_k_dense_replace=1,
        n_group=1,
        topk_group=1,
    ),
    _mixture(
        "ERNIE 4.5 MoE",
        "Ernie4_5_MoeModel",
        moe_num_experts=4,
        moe_k=2,
        moe_intermediate_size=32,
        moe_layer_start_index=1,
        moe_num_shared_experts=1,
    ),
    _mixture(
        "MiniMax", "MiniMaxModel", num_local_experts=4, layer_types=["linear_attention", "full_attention"], block_size=8
    ),
    _mixture(
        "Qwen3-Next",
        "Qwen3NextModel",
        num_experts=4,
        moe_intermediate_size=32,
        shared_expert_intermediate_size=32,
        layer_types=["linear_attention", "full_attention"],
        **_LINEAR,
    ),
)

RECURRENT = (
    Family(
        name="Mamba",
        model="MambaModel",
        blocks=("layers",),
        config=dict(_MAMBA, time_step_rank=4, use_mambapy=False),
        left_alone=STATE,
    ),
    Family(
        name="Falcon Mamba",
        model="FalconMambaModel",
        blocks=("layers",),
        config=dict(_MAMBA, time_step_rank=4),
        left_alone=STATE,
    ),
    Family(
        name="Mamba-2",
        model="Mamba2Model",
        blocks=("layers",),
        config=dict(_MAMBA, num_heads=8, head_dim=8, n_groups=1, chunk_size=8),
    ),
    Family(
        name="RWKV",
        model="RwkvModel",
        blocks=("blocks",),
        config=dict(vocab_size=64, hidden_size=32, num_hidden_layers=2, attention_hidden_size=32, context_length=64),
    ),
    Family(
        name="RecurrentGemma, Griffin",
        model="RecurrentGemmaModel",
        blocks=("layers",),
        config=dict(SHAPE, lru_width=32, block_types=["recurrent", "attention"], attention_window_size=8),
        left_alone={r"\.rg_lru\.(input|recurrent)_gate_bias$": "biases of the heads"},
        layouts={r"\.rg_lru\.(input|recurrent)_gate_weight$": OUTPUTS_LAST},
    ),
    Family(
        name="Jamba",
        model="JambaModel",
        blocks=("layers",),
        config=dict(
            SHAPE,
            num_experts=4,
            num_experts_per_tok=2,
            attn_layer_period=2,
            attn_layer_offset=1,
            expert_layer_period=2,
            expert_layer_offset=1,
            mamba_d_state=8,
            mamba_dt_rank=4,
            use_mamba_kernels=False,
        ),
        left_alone={**ROUTER, **STATE},
    ),
    Family(
        name="Zamba",
        model="ZambaModel",
        blocks=("layers",),
        config=dict(
            {key: value for key, value in SHAPE.items() if key != "head_dim"},
            num_hidden_layers=6,
            num_key_value_heads=4,
            attn_layer_period=2,
            attn_layer_offset=1,
            mamba_d_state=8,
            mamba_dt_rank=4,
            n_mamba_heads=2,
            use_mamba_kernels=False,
        ),
        left_alone={**STATE, r"\.mamba\.(D|dt_proj_bias)$": "vectors of the heads"},
    ),
    _recurrent(
        "Zamba2",
        "Zamba2Model",
        num_hidden_layers=4,
        num_key_value_heads=4,
        layers_block_type=["mamba", "hybrid", "mamba", "hybrid"],
        mamba_d_state=8,
        mamba_headdim=8,
        n_mamba_heads=8,
        mamba_ngroups=1,
        chunk_size=8,
        num_mem_blocks=1,
        adapter_rank=4,
        use_mamba_kernels=False,
    ),
    _recurrent("Bamba", "BambaModel", attn_layer_indices=[1], **_STATE_SPACE),
    _recurrent("Falcon-H1", "FalconH1Model", mamba_d_ssm=64, **_STATE_SPACE),
    Family(
        name="Granite 4 (hybrid)",
        model="GraniteMoeHybridModel",
        blocks=("layers",),
        config=dict(
            SHAPE,
            num_local_experts=4,
            num_experts_per_tok=2,
            shared_intermediate_size=32,
            layer_types=["mamba", "attention"],
            **_STATE_SPACE,
        ),
        left_alone=ROUTER,
    ),
    _recurrent("LFM2", "Lfm2Model", layer_types=["conv", "full_attention"], block_multiple_of=8),
    Family(
        name="xLSTM",
        model="xLSTMModel",
        blocks=("blocks",),
        config=dict(vocab_size=64, hidden_size=128, num_hidden_layers=2, num_heads=4),
    ),
)
