"""Objectives of language models, which learn from text without labels: masked tokens (BERT) or the next one (OPT)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from transformers import BertConfig, BertForMaskedLM, OPTConfig, OPTForCausalLM, PreTrainedModel
from transformers.modeling_outputs import MaskedLMOutput

from ..errors import InputError
from ..specs.pretraining import Architecture

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ..corpora.packed import Packed
    from ..specs.pretraining import TextPretraining
    from .pretrain import TrainingResult

#: Number of held-out blocks; every snapshot has the loss on the same ones.
_HELD_OUT_BLOCKS = 256

_BERT_DROPOUT = ("hidden_dropout_prob", "attention_probs_dropout_prob")
_OPT_DROPOUT = ("dropout", "attention_dropout")


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """How to build and train a language model of one architecture.

    Attributes:
        build: makes the model, with the random weights that transformers draws for its configuration.
        wrap: makes the module that maps a batch to an output with a loss, around the model.
        make_batch: makes a batch of blocks of token numbers, shape (blocks, length), given the share of tokens to mask,
            the tokenizer and a generator of random numbers.
        dropout_fields: names of the dropout probabilities in the configuration of transformers.
    """

    build: Callable[[TextPretraining, PreTrainedTokenizerBase], PreTrainedModel]
    wrap: Callable[[Any], nn.Module]
    make_batch: Callable[[torch.Tensor, float, PreTrainedTokenizerBase, torch.Generator], dict[str, torch.Tensor]]
    dropout_fields: tuple[str, ...]


class MaskedLM(nn.Module):
    """A BERT that scores the masked tokens alone, because scoring against the vocabulary costs the most time."""

    def __init__(self, model: BertForMaskedLM) -> None:
        """Wrap a model of transformers, whose weights the module shares."""
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, positions: torch.Tensor, labels: torch.Tensor) -> MaskedLMOutput:
        """Return the mean cross-entropy, in nats, of the masked tokens.

        Args:
            input_ids: token numbers after masking, shape (blocks, length).
            positions: positions of the masked tokens, shape (blocks, masked).
            labels: the original token numbers at these positions, shape (blocks, masked).
        """
        hidden = self.model.bert(input_ids=input_ids).last_hidden_state
        masked = hidden.gather(1, positions[..., None].expand(-1, -1, hidden.shape[-1]))
        scores = self.model.cls(masked)
        return MaskedLMOutput(loss=nn.functional.cross_entropy(scores.flatten(0, 1).float(), labels.flatten()))


def masked_batch(
    blocks: torch.Tensor, share: float, tokenizer: PreTrainedTokenizerBase, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """Mask a share of the tokens of each block: 80% of these become [MASK], 10% a random token, and 10% stay.

    Args:
        blocks: token numbers, shape (blocks, length).
        share: share of a block's tokens to mask, the same number in each block. Special tokens are never masked.
        tokenizer: tells the special tokens.
        generator: source of random numbers.

    Returns:
        A batch for ``MaskedLM``.

    Raises:
        InputError: a block has fewer ordinary tokens than are to be masked.

    Source: Devlin et al. 2019, arXiv 1810.04805, §3.1 and appendix A.1.
    """
    special = torch.tensor(sorted(tokenizer.all_special_ids))
    ordinary = ~torch.isin(blocks, special)
    count = max(1, round(share * blocks.shape[1]))
    if int(ordinary.sum(1).min()) < count:
        raise InputError(f"masked {share:g} is not allowed: a block has fewer than {count} tokens that are not special")
    positions = torch.rand(blocks.shape, generator=generator).masked_fill(~ordinary, -1).topk(count).indices
    labels = blocks.gather(1, positions)
    draw = torch.rand(labels.shape, generator=generator)
    every = torch.arange(len(tokenizer))
    drawable = every[~torch.isin(every, special)]
    random_tokens = drawable[torch.randint(len(drawable), labels.shape, generator=generator)]
    shown = torch.where(draw < 0.8, tokenizer.mask_token_id, torch.where(draw < 0.9, random_tokens, labels))
    return {"input_ids": blocks.scatter(1, positions, shown), "positions": positions, "labels": labels}


def causal_batch(
    blocks: torch.Tensor, share: float, tokenizer: PreTrainedTokenizerBase, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """Make a batch to predict every next token: blocks are both inputs and labels, which transformers shifts."""
    return {"input_ids": blocks, "labels": blocks}


def _build_bert(spec: TextPretraining, tokenizer: PreTrainedTokenizerBase) -> BertForMaskedLM:
    return BertForMaskedLM(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=spec.hidden,
            num_hidden_layers=spec.layers,
            num_attention_heads=spec.heads,
            intermediate_size=4 * spec.hidden,
            max_position_embeddings=spec.length,
            pad_token_id=tokenizer.pad_token_id,
            initializer_range=spec.initial,
            **dict.fromkeys(_BERT_DROPOUT, spec.dropout),
        )
    )


def _build_opt(spec: TextPretraining, tokenizer: PreTrainedTokenizerBase) -> OPTForCausalLM:
    return OPTForCausalLM(
        OPTConfig(
            vocab_size=len(tokenizer),
            hidden_size=spec.hidden,
            word_embed_proj_dim=spec.hidden,
            num_hidden_layers=spec.layers,
            num_attention_heads=spec.heads,
            ffn_dim=4 * spec.hidden,
            max_position_embeddings=spec.length,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.cls_token_id,
            eos_token_id=tokenizer.sep_token_id,
            init_std=spec.initial,
            **dict.fromkeys(_OPT_DROPOUT, spec.dropout),
        )
    )


#: Language models by architecture.
LANGUAGE_MODELS: dict[Architecture, LanguageModel] = {
    Architecture.BERT: LanguageModel(
        build=_build_bert, wrap=MaskedLM, make_batch=masked_batch, dropout_fields=_BERT_DROPOUT
    ),
    Architecture.OPT: LanguageModel(
        build=_build_opt, wrap=lambda model: model, make_batch=causal_batch, dropout_fields=_OPT_DROPOUT
    ),
}


class TextObjective:
    """The objective of a language model on a part of a corpus; an ``Objective`` of ``training.pretrain``."""

    def __init__(self, spec: TextPretraining, text: Packed, tokenizer: PreTrainedTokenizerBase) -> None:
        """Prepare the part of the text that the spec names.

        Args:
            spec: settings of the model and its training.
            text: the corpus in blocks of ``spec.length`` token numbers.
            tokenizer: the tokenizer that made them.

        Raises:
            InputError: the part of the text is too small for a batch.
        """
        self.spec, self.text, self.tokenizer = spec, text, tokenizer
        self.language_model = LANGUAGE_MODELS[spec.architecture]
        self.blocks = text.part(spec.fraction)
        self.examples = len(self.blocks)
        if self.examples < spec.batch_size:
            raise InputError(
                f"{spec.fraction:.0%} of {spec.corpus} are {self.examples} blocks of {spec.length} tokens, "
                f"fewer than a batch of {spec.batch_size}"
            )
        self.held_out = self._make_batch(text.held_out[:_HELD_OUT_BLOCKS], torch.Generator().manual_seed(0))

    @property
    def content(self) -> str:
        """Hash of the text."""
        return self.text.content

    def module(self) -> nn.Module:
        """Return the module to train, with random weights; its output has the loss in nats a token."""
        return self.language_model.wrap(self.language_model.build(self.spec, self.tokenizer))

    def model(self, module: nn.Module) -> PreTrainedModel:
        """Return the model of transformers with its head."""
        return module.model if isinstance(module, MaskedLM) else module  # type: ignore[return-value]

    def pruned_part(self, module: nn.Module) -> nn.Module:
        """Return the whole model."""
        return self.model(module)

    def batch(self, positions: np.ndarray, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the batch of the blocks at these positions of the part."""
        return self._make_batch(self.text.train[self.blocks[positions]], generator)

    def _make_batch(self, blocks: np.ndarray, generator: torch.Generator) -> dict[str, torch.Tensor]:
        tokens = torch.from_numpy(blocks.astype(np.int64))
        return self.language_model.make_batch(tokens, self.spec.masked, self.tokenizer, generator)

    def probes(self, module: nn.Module, step: int) -> dict[str, float]:
        """Return no further measures."""
        return {}

    def described(self) -> dict[str, Any]:
        """Return the counts of the text for the record."""
        names = ("documents", "characters", "words", "tokens")
        return {"text": {name: getattr(self.text, name) for name in names}}

    def metrics(self, result: TrainingResult) -> dict[str, float]:
        """Return the number of tokens read, and the loss in nats a token of predicting each by its frequency alone."""
        return {"unigram_entropy": round(self.text.unigram_entropy(), 5), "tokens": self.spec.tokens}

    def save(self, module: nn.Module, folder: Path) -> None:
        """Save the model in fp16 with its tokenizer, and with the architecture's default dropout for fine-tuning."""
        model = self.model(module)
        for name in self.language_model.dropout_fields:
            setattr(model.config, name, getattr(type(model.config)(), name))
        model.to(torch.float16).save_pretrained(folder)  # type: ignore[arg-type]
        self.tokenizer.model_max_length = self.spec.length
        self.tokenizer.save_pretrained(folder)
