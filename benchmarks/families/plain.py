"""Models of timm and torchvision, and blocks of plain torch as people put them together."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .family import LENGTH, VOCABULARY, Family, Input, Numbers, Tokens

_IMAGES: dict[str, Input] = {"x": Numbers((3, 32, 32))}
_STATES: dict[str, Input] = {"src": Numbers((LENGTH, 32))}
_VIT = dict(img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=4)
_LAYER = dict(d_model=32, nhead=4, dim_feedforward=64, batch_first=True)


def _timm(name: str, model: str, blocks: tuple[str, ...] = ("blocks",), **options: Any) -> Family:
    def make() -> nn.Module:
        import timm

        if not timm.is_model(model):
            raise ImportError(model)
        made: nn.Module = timm.create_model(model, pretrained=False, num_classes=10, **options)
        return made

    left_alone = {r"relative_position_bias_table$": "a table of biases by distance"}
    return Family(
        name=f"timm {name}",
        model=model,
        blocks=blocks,
        make=make,
        library="timm",
        inputs={"x": Numbers((3, options["img_size"], options["img_size"]))},
        left_alone=left_alone if name in ("Swin", "BEiT") else {},
        either={r"\.downsample\.reduction\.weight$": "the merging of patches between stages"} if name == "Swin" else {},
    )


def _mixer() -> nn.Module:
    from timm.models.mlp_mixer import MlpMixer

    made: nn.Module = MlpMixer(img_size=32, patch_size=8, embed_dim=32, num_blocks=2, num_classes=10)
    return made


TIMM = (
    _timm("ViT", "vit_tiny_patch16_224", **_VIT),
    _timm("DeiT III", "deit3_small_patch16_224", **_VIT),
    _timm("BEiT", "beit_base_patch16_224", **_VIT),
    _timm("EVA-02", "eva02_tiny_patch14_224", **_VIT),
    _timm("CaiT", "cait_xxs24_224", ("blocks", "blocks_token_only"), **_VIT),
    _timm("XCiT", "xcit_nano_12_p16_224", ("blocks", "cls_attn_blocks"), **_VIT),
    Family(
        name="timm MLP-Mixer",
        model="MlpMixer",
        blocks=("blocks",),
        make=_mixer,
        library="timm",
        inputs=_IMAGES,
    ),
    _timm(
        "Swin",
        "swin_tiny_patch4_window7_224",
        ("layers.*.blocks",),
        img_size=32,
        patch_size=4,
        embed_dim=16,
        depths=(2, 2),
        num_heads=(2, 4),
        window_size=4,
    ),
)


def _torchvision_vit() -> nn.Module:
    from torchvision.models import VisionTransformer

    made: nn.Module = VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=10)
    return made


class _CausalBlock(nn.Module):
    """A block as in nanoGPT: the projections of queries, keys and values in one."""

    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(32), nn.LayerNorm(32)
        self.attn = nn.ModuleDict({"c_attn": nn.Linear(32, 96, bias=False), "c_proj": nn.Linear(32, 32, bias=False)})
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(32, 64, bias=False), "c_proj": nn.Linear(64, 32, bias=False)})

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        parts = self.attn["c_attn"](self.ln_1(states)).split(32, dim=2)
        query, key, value = (part.unflatten(2, (4, 8)).transpose(1, 2) for part in parts)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        states = states + self.attn["c_proj"](mixed.transpose(1, 2).flatten(2))
        return states + self.mlp["c_proj"](nn.functional.gelu(self.mlp["c_fc"](self.ln_2(states))))


class _NanoGPT(nn.Module):
    """A language model as in nanoGPT: its parts in a ``ModuleDict``, the head tied to the embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(VOCABULARY, 32),
                "wpe": nn.Embedding(64, 32),
                "h": nn.ModuleList(_CausalBlock() for _ in range(2)),
                "ln_f": nn.LayerNorm(32),
            }
        )
        self.lm_head = nn.Linear(32, VOCABULARY, bias=False)
        self.lm_head.weight = self.transformer["wte"].weight

    def forward(self, idx: torch.Tensor) -> torch.Tensor:
        positions = torch.arange(idx.shape[1], device=idx.device)
        states = self.transformer["wte"](idx) + self.transformer["wpe"](positions)
        for block in self.transformer["h"]:
            states = block(states)
        return self.lm_head(self.transformer["ln_f"](states))


def _encoder() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(**_LAYER), 2)


def _decoder() -> nn.Module:
    return nn.TransformerDecoder(nn.TransformerDecoderLayer(**_LAYER), 2)


def _both() -> nn.Module:
    return nn.Transformer(32, 4, 2, 2, 64, batch_first=True)


def _chain() -> nn.Module:
    return nn.Sequential(*(nn.TransformerEncoderLayer(**_LAYER) for _ in range(2)))


def _normed() -> nn.Module:
    encoder = _encoder()
    for layer in encoder.layers:
        for name in ("linear1", "linear2"):
            nn.utils.parametrizations.weight_norm(getattr(layer, name))
    return encoder


def _torch(name: str, make: Any, blocks: tuple[str, ...], inputs: dict[str, Input], **more: Any) -> Family:
    return Family(name=name, model=name, blocks=blocks, make=make, library="torch", inputs=inputs, **more)


PLAIN = (
    Family(
        name="torchvision ViT",
        model="VisionTransformer",
        blocks=("encoder.layers",),
        make=_torchvision_vit,
        library="torchvision",
        inputs=_IMAGES,
    ),
    _torch("nn.TransformerEncoder", _encoder, ("layers",), _STATES),
    _torch(
        "nn.TransformerDecoder",
        _decoder,
        ("layers",),
        {"tgt": Numbers((LENGTH, 32)), "memory": Numbers((LENGTH, 32))},
    ),
    _torch("nn.Transformer", _both, ("encoder.layers", "decoder.layers"), {**_STATES, "tgt": Numbers((LENGTH, 32))}),
    _torch("nn.Sequential of nn.TransformerEncoderLayer", _chain, ("",), {"input": Numbers((LENGTH, 32))}),
    _torch("nanoGPT", _NanoGPT, ("transformer.h",), {"idx": Tokens()}),
    _torch(
        "nn.TransformerEncoder with weight_norm",
        _normed,
        ("layers",),
        _STATES,
        left_alone={r"weight\.original0$": "the norms of the rows"},
    ),
)
