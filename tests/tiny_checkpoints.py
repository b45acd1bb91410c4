"""Small random checkpoints of many architectures, whole and damaged, that several test files share."""

import json
from pathlib import Path

import torch
import transformers as t
from safetensors.torch import load_file, save_file

_SHAPE = dict(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
_IMAGES = {key: value for key, value in _SHAPE.items() if key != "vocab_size"} | dict(image_size=8, patch_size=4)
_STACKS = {f"{stack}_{key}": value for stack in ("encoder", "decoder") for key, value in
           {"layers": 2, "attention_heads": 2, "ffn_dim": 32}.items()}  # fmt: skip
_MAKERS = {
    "bert": lambda: t.BertForMaskedLM(t.BertConfig(**_SHAPE)),
    "bert pretraining": lambda: t.BertForPreTraining(t.BertConfig(**_SHAPE)),
    "bert body": lambda: t.BertModel(t.BertConfig(**_SHAPE)),
    "bert classes": lambda: t.BertForSequenceClassification(t.BertConfig(**_SHAPE, num_labels=3)),
    "bert tokens": lambda: t.BertForTokenClassification(t.BertConfig(**_SHAPE, num_labels=3)),
    "distilbert": lambda: t.DistilBertForMaskedLM(
        t.DistilBertConfig(vocab_size=40, dim=16, n_layers=2, n_heads=2, hidden_dim=32)
    ),
    "gpt2": lambda: t.GPT2LMHeadModel(t.GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2)),
    "llama": lambda: t.LlamaForCausalLM(t.LlamaConfig(**_SHAPE)),
    "llama tied": lambda: t.LlamaForCausalLM(t.LlamaConfig(**_SHAPE, tie_word_embeddings=True)),
    "llama reward": lambda: t.LlamaForSequenceClassification(t.LlamaConfig(**_SHAPE, num_labels=1, pad_token_id=0)),
    "mixtral": lambda: t.MixtralForCausalLM(t.MixtralConfig(**_SHAPE, num_key_value_heads=1, num_local_experts=2)),
    "t5": lambda: t.T5ForConditionalGeneration(
        t.T5Config(vocab_size=40, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    ),
    "bart": lambda: t.BartForConditionalGeneration(t.BartConfig(vocab_size=40, d_model=16, **_STACKS)),
    "vit": lambda: t.ViTForImageClassification(t.ViTConfig(**_IMAGES, num_labels=3)),
}
KINDS = tuple(_MAKERS)


def write(kind, folder):
    """Write a checkpoint of a kind and return its folder."""
    torch.manual_seed(0)
    _MAKERS[kind]().save_pretrained(folder)
    return Path(folder)


def tensors(folder):
    """Return the tensors of a checkpoint that has one file."""
    return load_file(Path(folder) / "model.safetensors")


def rewrite(folder, changed):
    """Write other tensors into a checkpoint."""
    save_file({name: tensor.contiguous() for name, tensor in changed.items()}, Path(folder) / "model.safetensors",
              {"format": "pt"})  # fmt: skip


def configure(folder, **changes):
    """Change entries of a checkpoint's configuration; None removes one."""
    path = Path(folder) / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def block_weight(folder, dimensions):
    """Return the name of a weight with so many dimensions in the second half of a checkpoint's blocks."""
    names = [n for n, w in tensors(folder).items() if w.ndim == dimensions and any(p.isdigit() for p in n.split("."))]
    return names[3 * len(names) // 4]
