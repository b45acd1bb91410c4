"""Vision models of transformers."""

from __future__ import annotations

from typing import Any

from .family import OUTPUTS_LAST, Family, Input, Numbers

SIDE = 32
IMAGES: dict[str, Input] = {"pixel_values": Numbers((3, SIDE, SIDE))}
_LARGER: dict[str, Input] = {"pixel_values": Numbers((3, 64, 64))}
_VIDEOS: dict[str, Input] = {"pixel_values": Numbers((4, 3, SIDE, SIDE))}
#: The names that ViT's configuration, and those of its kind, have.
VIT = dict(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    image_size=SIDE,
    patch_size=8,
)
_SHALLOW = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, image_size=SIDE, patch_size=8, mlp_ratio=2)
_SWIN = dict(image_size=SIDE, patch_size=4, embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=4)
_PYRAMID = dict(
    image_size=SIDE,
    depths=[1, 1],
    hidden_sizes=[16, 32],
    num_encoder_blocks=2,
    num_attention_heads=[2, 4],
    strides=[4, 2],
    mlp_ratios=[2, 2],
)
_REDUCTION = {r"\.downsample\.reduction\.weight$": "the merging of patches between stages"}


def _vit_like(name: str, model: str, blocks: str = "layers", **config: Any) -> Family:
    inputs = _VIDEOS if "num_frames" in config else IMAGES
    return Family(name=name, model=model, blocks=(blocks,), config={**VIT, **config}, inputs=inputs)


VISION = (
    _vit_like("ViT", "ViTModel"),
    _vit_like("DeiT", "DeiTModel"),
    _vit_like("BEiT", "BeitModel"),
    _vit_like("Data2Vec (vision)", "Data2VecVisionModel", "encoder.layer"),
    _vit_like("ViT-MSN", "ViTMSNModel"),
    _vit_like("I-JEPA", "IJepaModel"),
    _vit_like("YOLOS", "YolosModel", "encoder.layer", image_size=[SIDE, SIDE]),
    Family(name="DINOv2", model="Dinov2Model", blocks=("encoder.layer",), config=_SHALLOW, inputs=IMAGES),
    Family(
        name="DINOv2 with registers",
        model="Dinov2WithRegistersModel",
        blocks=("encoder.layer",),
        config=_SHALLOW,
        inputs=IMAGES,
    ),
    _vit_like("DINOv3", "DINOv3ViTModel", "model.layer"),
    Family(
        name="ViT-MAE",
        model="ViTMAEForPreTraining",
        blocks=("vit.layers", "decoder.decoder_layers"),
        config=dict(
            VIT,
            mask_ratio=0.5,
            decoder_hidden_size=32,
            decoder_num_hidden_layers=2,
            decoder_num_attention_heads=4,
            decoder_intermediate_size=64,
        ),
        inputs={**IMAGES, "noise": Numbers((16,))},
    ),
    Family(
        name="ViTDet",
        model="VitDetModel",
        blocks=("encoder.layer",),
        config=dict(_SHALLOW, pretrain_image_size=SIDE),
        inputs=IMAGES,
    ),
    Family(
        name="Swin",
        model="SwinModel",
        blocks=("encoder.layers.*.blocks",),
        config=_SWIN,
        inputs=IMAGES,
        left_alone={r"relative_position_bias_table$": "a table of biases by distance"},
        either=_REDUCTION,
    ),
    Family(
        name="Swin v2",
        model="Swinv2Model",
        blocks=("encoder.layers.*.blocks",),
        config=_SWIN,
        inputs=IMAGES,
        either={**_REDUCTION, r"continuous_position_bias_mlp": "makes the biases by distance"},
    ),
    Family(
        name="Hiera",
        model="HieraModel",
        blocks=("encoder.stages.*.layers",),
        config=dict(
            embed_dim=16,
            image_size=[SIDE, SIDE],
            patch_kernel=[7, 7],
            patch_stride=[4, 4],
            patch_padding=[3, 3],
            masked_unit_size=[8, 8],
            depths=[1, 1],
            num_heads=[1, 2],
            query_stride=[2, 2],
            num_query_pool=1,
        ),
        inputs=IMAGES,
    ),
    Family(
        name="SegFormer",
        model="SegformerModel",
        blocks=("stages.*.blocks",),
        config=dict(_PYRAMID, sr_ratios=[2, 1], patch_sizes=[7, 3]),
        inputs=IMAGES,
    ),
    Family(
        name="PVT",
        model="PvtModel",
        blocks=("encoder.block.*",),
        config=dict(_PYRAMID, sequence_reduction_ratios=[2, 1], patch_sizes=[4, 2]),
        inputs=IMAGES,
    ),
    Family(
        name="PVT v2",
        model="PvtV2Model",
        blocks=("encoder.layers.*.blocks",),
        config=dict(_PYRAMID, sr_ratios=[2, 1], patch_sizes=[7, 3]),
        inputs=IMAGES,
    ),
    Family(
        name="CvT",
        model="CvtModel",
        blocks=("encoder.stages.*.layers",),
        config=dict(
            embed_dim=[16, 16, 32],
            num_heads=[1, 1, 2],
            depth=[1, 2, 3],
            patch_sizes=[7, 3, 3],
            patch_stride=[4, 2, 2],
            patch_padding=[2, 1, 1],
            mlp_ratio=[2.0, 2.0, 2.0],
        ),
        inputs=IMAGES,
    ),
    Family(
        name="LeViT",
        model="LevitModel",
        blocks=("encoder.stages.*.layers",),
        config=dict(
            image_size=64,
            hidden_sizes=[16, 32, 32],
            num_attention_heads=[2, 2, 2],
            depths=[1, 1, 1],
            key_dim=[8, 8, 8],
            attention_ratio=[2, 2, 2],
            mlp_ratio=[2, 2, 2],
        ),
        inputs=_LARGER,
        left_alone={r"attention_biases$": "a table of biases by distance"},
    ),
    Family(
        name="MobileViT",
        model="MobileViTModel",
        blocks=("encoder.layer.*.transformer.layer",),
        config=dict(
            image_size=64,
            hidden_sizes=[16, 16, 16],
            neck_hidden_sizes=[8, 8, 16, 16, 16, 16, 16],
            num_attention_heads=2,
            mlp_ratio=2.0,
        ),
        inputs=_LARGER,
        either={r"\.(expand_1x1|reduce_1x1|conv_1x1|conv_projection)\.": "convolutions around the blocks"},
    ),
    Family(
        name="ConvNeXt",
        model="ConvNextModel",
        blocks=("encoder.stages.*.layers",),
        config=dict(depths=[2, 2], hidden_sizes=[16, 32], num_stages=2),
        inputs=IMAGES,
    ),
    Family(
        name="ConvNeXt V2",
        model="ConvNextV2Model",
        blocks=("encoder.stages.*.layers",),
        config=dict(depths=[2, 2], hidden_sizes=[16, 32], num_stages=2),
        inputs=IMAGES,
    ),
    Family(
        name="PoolFormer",
        model="PoolFormerModel",
        blocks=("encoder.block.*",),
        config=dict(
            hidden_sizes=[16, 16],
            depths=[1, 1],
            patch_sizes=[7, 3],
            strides=[4, 2],
            padding=[2, 1],
            num_encoder_blocks=2,
            mlp_ratio=2.0,
        ),
        inputs=_LARGER,
    ),
    _vit_like("VideoMAE", "VideoMAEModel", "encoder.layer", num_frames=4, tubelet_size=2),
    _vit_like("ViViT", "VivitModel", num_frames=4, tubelet_size=[2, 8, 8]),
    _vit_like("TimeSformer", "TimesformerModel", "encoder.layer", num_frames=4),
    Family(
        name="SAM",
        model="SamModel",
        blocks=("vision_encoder.layers", "mask_decoder.transformer.layers"),
        config=dict(
            vision_config=dict(
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=4,
                mlp_dim=64,
                image_size=SIDE,
                patch_size=8,
                output_channels=16,
                window_size=2,
                global_attn_indexes=[1],
                num_pos_feats=8,
            ),
            prompt_encoder_config=dict(
                hidden_size=16, image_size=SIDE, patch_size=8, image_embedding_size=4, mask_input_channels=8
            ),
            mask_decoder_config=dict(
                hidden_size=16, mlp_dim=32, num_hidden_layers=2, num_attention_heads=2, iou_head_hidden_dim=16
            ),
        ),
        inputs={**IMAGES, "input_points": Numbers((1, 1, 2))},
        left_alone={r"\.rel_pos_[hw]$": "a table of positions"},
        either={r"\.output_hypernetworks_mlps\.": "the heads of the masks"},
    ),
)


def _detector(name: str, model: str, **config: Any) -> Family:
    return Family(
        name=name,
        model=model,
        blocks=("encoder.layers", "decoder.layers"),
        config=dict(
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            num_queries=4,
            use_timm_backbone=False,
            use_pretrained_backbone=False,
            backbone=None,
            backbone_config=dict(
                model_type="resnet", embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], out_features=["stage2"]
            ),
            **config,
        ),
        inputs=_LARGER,
        either={r"^backbone\.": "the convolutions before the blocks"},
    )


DETECTORS = (
    _detector("DETR", "DetrModel"),
    _detector("Deformable DETR", "DeformableDetrModel", num_feature_levels=2),
)
IMAGE_GPT = Family(
    name="ImageGPT",
    model="ImageGPTModel",
    blocks=("h",),
    config=dict(vocab_size=64, n_positions=64, n_embd=32, n_layer=2, n_head=4),
    layouts={r"\.c_(attn|proj|fc)\.weight$": OUTPUTS_LAST},
)
