"""Models of transformers that read sound or rows of numbers."""

from __future__ import annotations

from typing import Any

from .encoder_decoders import BART, BART_BLOCKS
from .family import OUTPUTS_LAST, Family, Fixed, Input, Numbers, Tokens
from .vision import VIT

_SOUND: dict[str, Input] = {"input_values": Numbers((400,))}
_SPEECH = dict(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    conv_dim=[16, 16],
    conv_kernel=[8, 4],
    conv_stride=[4, 4],
    num_feat_extract_layers=2,
    num_conv_pos_embeddings=8,
    num_conv_pos_embedding_groups=4,
    vocab_size=32,
    mask_time_prob=0.0,
)
_HEADS = {r"\.pos_bias_[uv]$": "biases of the heads"}


def _wav2vec2_like(name: str, model: str, **config: Any) -> Family:
    return Family(name=name, model=model, blocks=("encoder.layers",), config={**_SPEECH, **config}, inputs=_SOUND)


OTHERS = (
    Family(
        name="Whisper",
        model="WhisperModel",
        blocks=BART_BLOCKS,
        config=dict(BART, num_mel_bins=16, max_source_positions=16, max_target_positions=64),
        inputs={"input_features": Numbers((16, 32)), "decoder_input_ids": Tokens()},
    ),
    Family(
        name="Speech2Text",
        model="Speech2TextModel",
        blocks=BART_BLOCKS,
        config=dict(
            BART, input_feat_per_channel=16, conv_channels=16, max_source_positions=64, max_target_positions=64
        ),
        inputs={"input_features": Numbers((32, 16)), "decoder_input_ids": Tokens()},
    ),
    _wav2vec2_like("Wav2Vec2", "Wav2Vec2Model"),
    _wav2vec2_like("HuBERT", "HubertModel"),
    _wav2vec2_like("WavLM", "WavLMModel"),
    _wav2vec2_like("UniSpeech", "UniSpeechModel"),
    _wav2vec2_like("Data2Vec (sound)", "Data2VecAudioModel"),
    _wav2vec2_like("SEW", "SEWModel", squeeze_factor=1),
    Family(
        name="Wav2Vec2-Conformer",
        model="Wav2Vec2ConformerModel",
        blocks=("encoder.layers",),
        config=_SPEECH,
        inputs=_SOUND,
        left_alone=_HEADS,
    ),
    Family(
        name="Wav2Vec2-BERT",
        model="Wav2Vec2BertModel",
        blocks=("encoder.layers",),
        config=dict(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            feature_projection_input_dim=16,
        ),
        inputs={"input_features": Numbers((16, 16))},
    ),
    Family(
        name="AST",
        model="ASTModel",
        blocks=("layers",),
        config=dict(VIT, frequency_stride=8, time_stride=8, max_length=32, num_mel_bins=16),
        inputs={"input_values": Numbers((32, 16))},
    ),
    Family(
        name="Perceiver",
        model="PerceiverModel",
        blocks=("encoder.self_attends",),
        config=dict(
            num_latents=8,
            d_latents=32,
            d_model=32,
            num_blocks=1,
            num_self_attends_per_block=2,
            num_self_attention_heads=4,
            num_cross_attention_heads=4,
        ),
        inputs={"inputs": Numbers((16, 32))},
        either={r"^encoder\.cross_attention\.": "the attention to the inputs, before the blocks"},
    ),
    Family(
        name="Decision Transformer",
        model="DecisionTransformerModel",
        blocks=("encoder.h",),
        config=dict(hidden_size=32, state_dim=5, act_dim=3, n_layer=2, n_head=4, n_positions=64, max_ep_len=16),
        inputs={
            "states": Numbers((6, 5)),
            "actions": Numbers((6, 3)),
            "rewards": Numbers((6, 1)),
            "returns_to_go": Numbers((6, 1)),
            "timesteps": Fixed((6,)),
        },
        layouts={r"\.c_(attn|proj|fc)\.weight$": OUTPUTS_LAST},
    ),
    Family(
        name="PatchTST",
        model="PatchTSTModel",
        blocks=("encoder.layers",),
        config=dict(
            context_length=32,
            num_input_channels=3,
            patch_length=8,
            patch_stride=8,
            d_model=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            ffn_dim=64,
        ),
        inputs={"past_values": Numbers((32, 3))},
    ),
)
