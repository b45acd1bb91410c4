"""Text encoders of transformers: BERT and what came of it."""

from __future__ import annotations

from typing import Any

from .family import Family, Layout, Tokens

_SHAPE = dict(
    vocab_size=64,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    max_position_embeddings=64,
    pad_token_id=0,
)
_BERT_LIKE = ("encoder.layer",)


def _bert_like(name: str, model: str, blocks: tuple[str, ...] = _BERT_LIKE, **config: Any) -> Family:
    """Return a family whose configuration has BERT's names."""
    return Family(name=name, model=model, blocks=blocks, config={**_SHAPE, **config})


_DISENTANGLED = dict(relative_attention=True, pos_att_type=["p2c", "c2p"])
#: Vectors of each head that are added to its queries.
_HEAD_BIASES = {r"\.r_[wrs]_bias$": "biases of the heads", r"\.seg_embed$": "a table of embeddings"}

ENCODERS = (
    _bert_like("BERT", "BertModel"),
    _bert_like("RoBERTa", "RobertaModel", pad_token_id=1),
    _bert_like("CamemBERT", "CamembertModel", pad_token_id=1),
    _bert_like("XLM-R", "XLMRobertaModel", pad_token_id=1),
    Family(
        name="DistilBERT",
        model="DistilBertModel",
        blocks=("transformer.layer",),
        config=dict(vocab_size=64, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=64),
    ),
    _bert_like("ALBERT", "AlbertModel", ("encoder.albert_layer_groups",), embedding_size=16),
    _bert_like("ELECTRA", "ElectraModel", embedding_size=16),
    _bert_like("DeBERTa", "DebertaModel", **_DISENTANGLED),
    _bert_like("DeBERTa v2, v3", "DebertaV2Model", position_buckets=8, **_DISENTANGLED),
    _bert_like("MPNet", "MPNetModel"),
    Family(
        name="XLNet",
        model="XLNetModel",
        blocks=("layer",),
        config=dict(vocab_size=64, d_model=32, n_layer=2, n_head=4, d_inner=64),
        left_alone=_HEAD_BIASES,
        layouts={r"rel_attn\.[qkvr]$": Layout((0,)), r"rel_attn\.o$": Layout((1, 2))},
    ),
    Family(
        name="XLM",
        model="XLMModel",
        blocks=("attentions", "ffns"),
        config=dict(vocab_size=64, emb_dim=32, n_layers=2, n_heads=4, max_position_embeddings=64),
    ),
    _bert_like("ModernBERT", "ModernBertModel", ("layers",), global_attn_every_n_layers=2, local_attention=8),
    _bert_like("EuroBERT", "EuroBertModel", ("layers",), num_key_value_heads=2, head_dim=8),
    _bert_like("NomicBERT", "NomicBertModel", ("layers",)),
    _bert_like("Longformer", "LongformerModel", attention_window=4),
    _bert_like("BigBird", "BigBirdModel", attention_type="original_full"),
    Family(
        name="Funnel",
        model="FunnelModel",
        blocks=("encoder.blocks.*", "decoder.layers"),
        config=dict(
            vocab_size=64, block_sizes=[1, 1], num_decoder_layers=1, d_model=32, n_head=4, d_head=8, d_inner=64
        ),
        left_alone=_HEAD_BIASES,
        layouts={r"\.r_kernel$": Layout((0,))},
    ),
    Family(
        name="FNet",
        model="FNetModel",
        blocks=_BERT_LIKE,
        config={key: value for key, value in _SHAPE.items() if key != "num_attention_heads"},
    ),
    _bert_like("I-BERT", "IBertModel", pad_token_id=1),
    _bert_like("MobileBERT", "MobileBertModel", embedding_size=16, intra_bottleneck_size=16, true_hidden_size=16),
    _bert_like("SqueezeBERT", "SqueezeBertModel", ("encoder.layers",), embedding_size=32),
    _bert_like("ConvBERT", "ConvBertModel", embedding_size=32),
    _bert_like("Nyströmformer", "NystromformerModel", num_landmarks=4, segment_means_seq_len=16),
    _bert_like("RemBERT", "RemBertModel", input_embedding_size=16, output_embedding_size=16),
    _bert_like("RoFormer", "RoFormerModel", embedding_size=32),
    _bert_like("ESM", "EsmModel", position_embedding_type="rotary", mask_token_id=3),
    _bert_like("Megatron-BERT", "MegatronBertModel"),
    _bert_like("ERNIE", "ErnieModel"),
    _bert_like("LUKE", "LukeModel", entity_vocab_size=8, entity_emb_size=16),
    Family(
        name="CANINE",
        model="CanineModel",
        blocks=("initial_char_encoder.layer", "encoder.layer", "final_char_encoder.layer"),
        config={**_SHAPE, "num_hash_buckets": 64, "local_transformer_stride": 16},
        inputs={"input_ids": Tokens(32)},
    ),
    Family(
        name="Reformer",
        model="ReformerModel",
        blocks=("encoder.layers",),
        config=dict(
            **{key: _SHAPE[key] for key in ("vocab_size", "hidden_size", "num_attention_heads", "pad_token_id")},
            attention_head_size=8,
            feed_forward_size=64,
            attn_layers=["local", "local"],
            axial_pos_embds=False,
            max_position_embeddings=64,
            local_attn_chunk_length=8,
            is_decoder=False,
        ),
    ),
)
