"""Models of transformers that read images with text, and documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .decoders import SHAPE as LLAMA
from .family import VOCABULARY, Family, Fixed, Input, Numbers, Tokens
from .vision import IMAGES, VIT

_TEXT = dict(
    vocab_size=64,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=64,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)
_PAIRS: dict[str, Input] = {"input_ids": Tokens(), **IMAGES}
_BOXES: dict[str, Input] = {"input_ids": Tokens(), "bbox": Fixed((16, 4))}
#: Stands where the patches of the image go.
_PLACE = VOCABULARY - 1
_PICTURE_AND_TEXT: dict[str, Input] = {"input_ids": Tokens(24, high=_PLACE, first=16), **IMAGES}
_TOWERS = ("text_model.encoder.layers", "vision_model.encoder.layers")


def _two_towers(
    name: str,
    model: str,
    blocks: tuple[str, ...] = _TOWERS,
    text: Mapping[str, Any] = {},
    either: Mapping[str, str] = {},
    **config: Any,
) -> Family:
    """Return a family with a tower for texts and one for images."""
    return Family(
        name=name,
        model=model,
        blocks=blocks,
        config=dict(text_config={**_TEXT, **text}, vision_config=VIT, **config),
        inputs=_PAIRS,
        either=either,
    )


MULTIMODAL = (
    _two_towers("CLIP", "CLIPModel", projection_dim=16),
    _two_towers("SigLIP", "SiglipModel", either={r"^vision_model\.head\.": "the pooling of the patches"}),
    _two_towers("OWL-ViT", "OwlViTModel", projection_dim=16),
    _two_towers(
        "BLIP",
        "BlipModel",
        ("text_model.encoder.layer", "vision_model.encoder.layers"),
        text=dict(encoder_hidden_size=32),
        projection_dim=16,
    ),
    _two_towers(
        "Chinese-CLIP",
        "ChineseCLIPModel",
        ("text_model.encoder.layer", "vision_model.encoder.layers"),
        projection_dim=16,
    ),
    _two_towers(
        "AltCLIP",
        "AltCLIPModel",
        ("text_model.roberta.encoder.layers", "vision_model.encoder.layers"),
        text=dict(project_dim=16),
        projection_dim=16,
    ),
    Family(
        name="FLAVA",
        model="FlavaModel",
        blocks=tuple(f"{part}_model.encoder.layer" for part in ("text", "image", "multimodal")),
        config=dict(
            text_config=_TEXT,
            image_config=VIT,
            multimodal_config={key: VIT[key] for key in VIT if not key.endswith("_size") or key == "hidden_size"}
            | dict(intermediate_size=64),
            image_codebook_config={},
            hidden_size=32,
            projection_dim=16,
        ),
        inputs=_PAIRS,
    ),
    Family(
        name="GroupViT",
        model="GroupViTModel",
        blocks=("text_model.encoder.layers", "vision_model.encoder.stages.*.layers"),
        config=dict(
            text_config=_TEXT,
            vision_config=dict(
                hidden_size=32,
                intermediate_size=64,
                depths=[1, 1],
                num_group_tokens=[4, 0],
                num_output_groups=[4, 4],
                num_attention_heads=4,
                image_size=32,
                patch_size=8,
                num_hidden_layers=2,
            ),
            projection_dim=16,
            projection_intermediate_dim=16,
        ),
        inputs=_PAIRS,
        either={r"\.downsample\.": "the grouping of patches between stages"},
    ),
    Family(
        name="ViLT",
        model="ViltModel",
        blocks=("encoder.layer",),
        config=dict(VIT, vocab_size=64, max_position_embeddings=64),
        inputs=_PAIRS,
    ),
    Family(
        name="VisualBERT",
        model="VisualBertModel",
        blocks=("encoder.layer",),
        config=dict(_TEXT, visual_embedding_dim=16),
        inputs={"input_ids": Tokens(), "visual_embeds": Numbers((6, 16))},
    ),
    Family(
        name="LXMERT",
        model="LxmertModel",
        blocks=("encoder.layer", "encoder.x_layers", "encoder.r_layers"),
        config=dict(
            {key: value for key, value in _TEXT.items() if key != "num_hidden_layers"},
            l_layers=2,
            x_layers=1,
            r_layers=1,
            visual_feat_dim=16,
        ),
        inputs={"input_ids": Tokens(), "visual_feats": Numbers((6, 16)), "visual_pos": Numbers((6, 4))},
    ),
    Family(
        name="BLIP-2 (Q-Former)",
        model="Blip2QFormerModel",
        blocks=("encoder.layer",),
        config=dict(_TEXT, encoder_hidden_size=32, cross_attention_frequency=2),
        inputs={"query_embeds": Numbers((8, 32)), "encoder_hidden_states": Numbers((16, 32))},
    ),
    Family(
        name="LLaVA",
        model="LlavaModel",
        blocks=("vision_tower.encoder.layers", "language_model.layers"),
        config=dict(
            vision_config=dict(VIT, model_type="clip_vision_model"),
            text_config=dict(LLAMA, model_type="llama"),
            image_token_id=_PLACE,
        ),
        inputs=_PICTURE_AND_TEXT,
    ),
    Family(
        name="PaliGemma",
        model="PaliGemmaModel",
        blocks=("vision_tower.encoder.layers", "language_model.layers"),
        config=dict(
            vision_config=dict(VIT, model_type="siglip_vision_model", projection_dim=32, vision_use_head=False),
            text_config=dict(LLAMA, model_type="gemma"),
            image_token_id=_PLACE,
            projection_dim=32,
        ),
        inputs=_PICTURE_AND_TEXT,
    ),
    Family(
        name="LayoutLM",
        model="LayoutLMModel",
        blocks=("encoder.layer",),
        config=dict(_TEXT, max_2d_position_embeddings=64),
        inputs=_BOXES,
    ),
    Family(
        name="LayoutLMv3",
        model="LayoutLMv3Model",
        blocks=("encoder.layer",),
        config=dict(
            _TEXT,
            max_2d_position_embeddings=64,
            coordinate_size=4,
            shape_size=8,
            input_size=32,
            patch_size=8,
            visual_embed=False,
        ),
        inputs=_BOXES,
    ),
    Family(
        name="LiLT",
        model="LiltModel",
        blocks=("encoder.layer",),
        config=dict(_TEXT, hidden_size=48, max_2d_position_embeddings=64, channel_shrink_ratio=2),
        inputs=_BOXES,
    ),
)
