"""Make small random models in the hub's formats: a BERT, an MPNet, OPTs, a Llama and two vision transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .tiny_data import SIDE, WORDS
from .tiny_likelihood import PROMPT_WORDS


def make_tokenizer(
    pair_template: str, single_template: str = "<s> $A </s>", words: Sequence[str] = WORDS, **options: Any
) -> Any:
    """Return a tokenizer of whole words.

    Args:
        pair_template: how a pair of texts is put together, in the syntax of ``tokenizers``.
        single_template: how one text is.
        words: the words that it knows.
        options: further arguments to ``PreTrainedTokenizerFast``.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    numbers = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single_template,
        pair=pair_template,
        special_tokens=[(t, numbers[t]) for t in ("<s>", "</s>")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **dict(pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>", mask_token="<mask>"),
        **options,
    )


def _save(target: Path, model: Any, tokenizer: Any) -> None:
    """Write a text model with its tokenizer."""
    _save_model(target, model)
    tokenizer.save_pretrained(target)


def _save_model(target: Path, model: Any) -> None:
    """Write a model, as safetensors, from whichever process makes it: by itself transformers writes in the first."""
    model.should_save_on_this_rank = lambda is_main_process: is_main_process
    model.save_pretrained(target)


def _seeded(make: Callable[[], Any]) -> Any:
    """Return what a function makes from torch's random numbers of seed 0, and leave torch's generator as it was."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


_SHAPE = dict(vocab_size=len(WORDS), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, pad_token_id=0)


def write_bert(target: Path) -> None:
    """Write a BERT without a head, with its tokenizer."""
    from transformers import BertConfig, BertModel

    config = BertConfig(**_SHAPE, intermediate_size=64, max_position_embeddings=64)
    tokenizer = make_tokenizer(
        "<s> $A </s> $B:1 </s>:1", model_input_names=["input_ids", "token_type_ids", "attention_mask"]
    )
    _save(target, _seeded(lambda: BertModel(config)), tokenizer)


def write_mpnet(target: Path) -> None:
    """Write an MPNet without a head, with its tokenizer."""
    from transformers import MPNetConfig, MPNetModel

    config = MPNetConfig(**_SHAPE, intermediate_size=64, max_position_embeddings=64)
    tokenizer = make_tokenizer("<s> $A </s> </s> $B </s>", model_input_names=["input_ids", "attention_mask"])
    _save(target, _seeded(lambda: MPNetModel(config)), tokenizer)


def write_opt(target: Path) -> None:
    """Write an OPT without a head, with its tokenizer."""
    from transformers import OPTConfig, OPTModel

    config = OPTConfig(**_SHAPE, ffn_dim=64, max_position_embeddings=64, word_embed_proj_dim=32)
    tokenizer = make_tokenizer("<s> $A </s> $B </s>", model_input_names=["input_ids", "attention_mask"])
    _save(target, _seeded(lambda: OPTModel(config)), tokenizer)


#: What the language models of likelihood tasks share: they read prompts too, which are longer.
_PROMPT_VOCABULARY = list(dict.fromkeys((*WORDS, *PROMPT_WORDS)))
_LANGUAGE_SHAPE: dict[str, Any] = {
    **_SHAPE,
    "vocab_size": len(_PROMPT_VOCABULARY),
    "max_position_embeddings": 256,
    "bos_token_id": WORDS.index("<s>"),
    "eos_token_id": WORDS.index("</s>"),
}


def _prompt_tokenizer() -> Any:
    """Return the tokenizer of the language models of likelihood tasks, which puts a token before a text as Llama's."""
    return make_tokenizer(
        "<s> $A $B",
        "<s> $A",
        words=_PROMPT_VOCABULARY,
        model_input_names=["input_ids", "attention_mask"],
        bos_token="<s>",
        eos_token="</s>",
    )


def write_opt_lm(target: Path) -> None:
    """Write an OPT with its head, which is tied to the embeddings, and its tokenizer."""
    from transformers import OPTConfig, OPTForCausalLM

    config = OPTConfig(**_LANGUAGE_SHAPE, ffn_dim=64, word_embed_proj_dim=32, tie_word_embeddings=True)
    _save(target, _seeded(lambda: OPTForCausalLM(config)), _prompt_tokenizer())


def write_llama(target: Path) -> None:
    """Write a Llama with a head of its own, with fewer key heads than query heads, and its tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(**_LANGUAGE_SHAPE, intermediate_size=64, num_key_value_heads=2, tie_word_embeddings=False)
    _save(target, _seeded(lambda: LlamaForCausalLM(config)), _prompt_tokenizer())


_VISION_SHAPE = dict(
    **dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64),
    **dict(image_size=SIDE, patch_size=4),
)


def _save_vision(target: Path, model: Any, preprocessor: dict[str, Any]) -> None:
    """Write a vision model with its preprocessor's configuration."""
    import json

    _save_model(target, model)
    plain = {"do_normalize": True, "do_resize": True, **preprocessor, "size": SIDE}
    (target / "preprocessor_config.json").write_text(json.dumps(plain, indent=2) + "\n")


def write_vit(target: Path) -> None:
    """Write a model as google/vit-base-patch16-224 is: with the head of its training, and the older keys."""
    from transformers import ViTConfig, ViTForImageClassification

    model = _seeded(lambda: ViTForImageClassification(ViTConfig(**_VISION_SHAPE, num_labels=7)))
    _save_vision(target, model, {"image_mean": [0.5] * 3, "image_std": [0.5] * 3})


def write_dino(target: Path) -> None:
    """Write a model as facebook/dino-vitb16 is: without a head."""
    from transformers import ViTConfig, ViTModel

    imagenet = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    keys = {"feature_extractor_type": "ViTFeatureExtractor", **imagenet, "resample": 3}
    _save_vision(target, _seeded(lambda: ViTModel(ViTConfig(**_VISION_SHAPE))), keys)
