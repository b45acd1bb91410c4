"""Text-to-text models of transformers: an encoder and a decoder."""

from __future__ import annotations

from typing import Any

from .decoders import SHAPE
from .family import ROUTER, Family, Numbers, Tokens

TOKENS = {"input_ids": Tokens(), "decoder_input_ids": Tokens()}
#: The names that BART's configuration, and those of its kind, have.
BART = dict(
    vocab_size=64,
    d_model=32,
    encoder_layers=2,
    decoder_layers=2,
    encoder_attention_heads=4,
    decoder_attention_heads=4,
    encoder_ffn_dim=64,
    decoder_ffn_dim=64,
    max_position_embeddings=64,
    pad_token_id=1,
    bos_token_id=0,
    eos_token_id=2,
    decoder_start_token_id=2,
)
BART_BLOCKS = ("encoder.layers", "decoder.layers")
_T5 = dict(vocab_size=64, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0)
_EXPERTS = dict(num_experts=4, expert_capacity=64)


def _bart_like(name: str, model: str, **config: Any) -> Family:
    return Family(name=name, model=model, blocks=BART_BLOCKS, config={**BART, **config}, inputs=TOKENS)


def _t5_like(name: str, model: str, **config: Any) -> Family:
    return Family(
        name=name, model=model, blocks=("encoder.block", "decoder.block"), config={**_T5, **config}, inputs=TOKENS
    )


ENCODER_DECODERS = (
    _t5_like("T5", "T5Model"),
    _t5_like("T5 v1.1", "T5Model", feed_forward_proj="gated-gelu"),
    _t5_like("mT5", "MT5Model", feed_forward_proj="gated-gelu"),
    _t5_like("UMT5", "UMT5Model"),
    _t5_like("LongT5", "LongT5Model", local_radius=4),
    Family(
        name="Switch Transformers",
        model="SwitchTransformersModel",
        blocks=("encoder.block", "decoder.block"),
        config={**_T5, **_EXPERTS, "num_sparse_encoder_layers": 1, "num_sparse_decoder_layers": 1},
        inputs=TOKENS,
        left_alone=ROUTER,
    ),
    Family(
        name="T5Gemma",
        model="T5GemmaModel",
        blocks=BART_BLOCKS,
        config=dict(
            encoder=dict(SHAPE, layer_types=["full_attention"] * 2),
            decoder=dict(SHAPE, layer_types=["full_attention"] * 2, cross_attention_hidden_size=32),
        ),
        inputs=TOKENS,
    ),
    _bart_like("BART", "BartModel"),
    _bart_like("mBART", "MBartModel"),
    _bart_like("PLBART", "PLBartModel"),
    _bart_like("Pegasus", "PegasusModel"),
    _bart_like("Pegasus-X", "PegasusXModel", block_size=8, num_global_tokens=4),
    _bart_like("BigBird-Pegasus", "BigBirdPegasusModel", attention_type="original_full"),
    _bart_like("Marian", "MarianModel"),
    _bart_like("Blenderbot", "BlenderbotModel"),
    _bart_like("Blenderbot small", "BlenderbotSmallModel"),
    _bart_like("M2M100, NLLB", "M2M100Model"),
    Family(
        name="NLLB-MoE",
        model="NllbMoeModel",
        blocks=BART_BLOCKS,
        config={**BART, **_EXPERTS, "encoder_sparse_step": 2, "decoder_sparse_step": 2},
        inputs=TOKENS,
        left_alone=ROUTER,
    ),
    _bart_like(
        "LED", "LEDModel", attention_window=4, max_encoder_position_embeddings=64, max_decoder_position_embeddings=64
    ),
    _bart_like("FSMT", "FSMTModel", src_vocab_size=64, tgt_vocab_size=64, langs=["a", "b"]),
    Family(
        name="ProphetNet",
        model="ProphetNetModel",
        blocks=BART_BLOCKS,
        config=dict(
            vocab_size=64,
            hidden_size=32,
            num_encoder_layers=2,
            num_decoder_layers=2,
            num_encoder_attention_heads=4,
            num_decoder_attention_heads=4,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            max_position_embeddings=64,
        ),
        inputs=TOKENS,
    ),
    Family(
        name="TrOCR",
        model="TrOCRForCausalLM",
        blocks=("model.decoder.layers",),
        config=dict(
            vocab_size=64,
            d_model=32,
            decoder_layers=2,
            decoder_attention_heads=4,
            decoder_ffn_dim=64,
            max_position_embeddings=64,
        ),
        inputs={"input_ids": Tokens(), "encoder_hidden_states": Numbers((8, 32))},
    ),
)
