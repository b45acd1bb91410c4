"""Causal language models of transformers whose every block is attention and one feed-forward part."""

from __future__ import annotations

from typing import Any

from .family import OUTPUTS_LAST, Family

#: The names that Llama's configuration, and most later ones, have.
SHAPE = dict(
    vocab_size=64,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    intermediate_size=64,
    max_position_embeddings=64,
    pad_token_id=0,
)
_ENDS = dict(bos_token_id=1, eos_token_id=2)
_GPT2 = dict(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64, **_ENDS)
_FALCON = {key: value for key, value in SHAPE.items() if key not in ("num_key_value_heads", "head_dim")}


def _llama_like(name: str, model: str, **config: Any) -> Family:
    return Family(name=name, model=model, blocks=("layers",), config={**SHAPE, **config})


def _gpt2_like(name: str, model: str, *, transposed: bool = False, **config: Any) -> Family:
    layouts = {r"\.c_(attn|proj|fc)\.weight$": OUTPUTS_LAST} if transposed else {}
    return Family(name=name, model=model, blocks=("h",), config={**_GPT2, **config}, layouts=layouts)


DECODERS = (
    _gpt2_like("GPT-2", "GPT2Model", transposed=True),
    _gpt2_like("OpenAI GPT", "OpenAIGPTModel", transposed=True),
    _gpt2_like("GPT-BigCode", "GPTBigCodeModel"),
    _gpt2_like("GPT-J", "GPTJModel", rotary_dim=4),
    _gpt2_like("CodeGen", "CodeGenModel", rotary_dim=4),
    _gpt2_like("CTRL", "CTRLModel", dff=64),
    Family(
        name="GPT-Neo",
        model="GPTNeoModel",
        blocks=("h",),
        config=dict(
            **dict(vocab_size=64, hidden_size=32, num_layers=2, num_heads=4, max_position_embeddings=64),
            attention_types=[[["global", "local"], 1]],
            window_size=8,
            **_ENDS,
        ),
    ),
    _llama_like("GPT-NeoX, Pythia", "GPTNeoXModel"),
    Family(
        name="OPT",
        model="OPTModel",
        blocks=("decoder.layers",),
        config=dict(
            **dict(vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=64),
            max_position_embeddings=64,
            word_embed_proj_dim=32,
        ),
    ),
    Family(
        name="BLOOM",
        model="BloomModel",
        blocks=("h",),
        config=dict(vocab_size=64, hidden_size=32, n_layer=2, n_head=4),
    ),
    Family(name="Falcon 7B", model="FalconModel", blocks=("h",), config=dict(_FALCON, alibi=False)),
    Family(
        name="Falcon 40B",
        model="FalconModel",
        blocks=("h",),
        config=dict(_FALCON, new_decoder_architecture=True, num_kv_heads=2),
    ),
    Family(
        name="Falcon RW",
        model="FalconModel",
        blocks=("h",),
        config=dict(_FALCON, multi_query=False, parallel_attn=False, alibi=True),
    ),
    Family(
        name="MPT",
        model="MptModel",
        blocks=("blocks",),
        config=dict(vocab_size=64, d_model=32, n_heads=4, n_layers=2, expansion_ratio=2, max_seq_len=64),
    ),
    Family(
        name="XGLM",
        model="XGLMModel",
        blocks=("layers",),
        config=dict(vocab_size=64, d_model=32, ffn_dim=64, num_layers=2, attention_heads=4, max_position_embeddings=64),
    ),
    _llama_like("BioGPT", "BioGptModel"),
    _llama_like("Llama", "LlamaModel"),
    _llama_like("Mistral", "MistralModel"),
    _llama_like("Ministral", "MinistralModel"),
    _llama_like("Qwen2", "Qwen2Model"),
    _llama_like("Qwen3", "Qwen3Model"),
    _llama_like("Gemma", "GemmaModel"),
    _llama_like("Gemma 2", "Gemma2Model"),
    _llama_like("Gemma 3", "Gemma3TextModel"),
    _llama_like("Phi", "PhiModel"),
    _llama_like("Phi-3", "Phi3Model"),
    _llama_like("StableLM", "StableLmModel"),
    _llama_like("Cohere", "CohereModel"),
    _llama_like("Cohere 2", "Cohere2Model"),
    _llama_like("OLMo", "OlmoModel"),
    _llama_like("OLMo 2", "Olmo2Model"),
    _llama_like("Granite", "GraniteModel"),
    _llama_like("StarCoder2", "Starcoder2Model"),
    _llama_like("SmolLM3", "SmolLM3Model"),
    _llama_like("GLM", "GlmModel"),
    _llama_like("GLM-4", "Glm4Model"),
    _llama_like("Nemotron", "NemotronModel"),
    _llama_like("Helium", "HeliumModel"),
    _llama_like("Persimmon", "PersimmonModel"),
    _llama_like("EXAONE 4", "Exaone4Model"),
    _llama_like("ERNIE 4.5", "Ernie4_5Model"),
    _llama_like("Arcee", "ArceeModel"),
    _llama_like("Apertus", "ApertusModel"),
    _llama_like("DiffLlama", "DiffLlamaModel"),
    _llama_like("Seed-OSS", "SeedOssModel"),
    _llama_like("Hunyuan", "HunYuanDenseV1Model"),
    _llama_like("BitNet", "BitNetModel"),
)
