"""What a language model is trained for on text without labels: masked tokens (BERT), or the next one (OPT)."""

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

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ..corpora.packed import Packed
    from ..specs.pretraining import TextPretraining
    from .pretrain import Trained

#: Blocks of held-out text that every look at the model reads, always the same ones.
_HELD_OUT = 256

_BERT_DROPOUT = ("hidden_dropout_prob", "attention_probs_dropout_prob")
_OPT_DROPOUT = ("dropout", "attention_dropout")


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """How a model of an architecture is made, and what it is asked.

    Attributes:
        model: random weights, as the configuration of transformers draws them.
        trained: the module that maps a batch to an output with a loss.
        batch: what it is asked about blocks of token numbers, shape (blocks, length), with chance from the generator.
        dropout: the names that the configuration has for its probabilities.
    """

    model: Callable[[TextPretraining, PreTrainedTokenizerBase], PreTrainedModel]
    trained: Callable[[Any], nn.Module]
    batch: Callable[[torch.Tensor, float, PreTrainedTokenizerBase, torch.Generator], dict[str, torch.Tensor]]
    dropout: tuple[str, ...]


class MaskedLM(nn.Module):
    """A BERT that predicts the masked tokens, and scores no others: the vocabulary is the dearest product."""

    def __init__(self, model: BertForMaskedLM) -> None:
        """Around a model of transformers, whose weights it shares."""
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, positions: torch.Tensor, labels: torch.Tensor) -> MaskedLMOutput:
        """The mean cross-entropy, in nats, of the tokens that were at the positions.

        Args:
            input_ids: shape (blocks, length).
            positions: where to predict, shape (blocks, masked).
            labels: what was there, of the same shape.
        """
        hidden = self.model.bert(input_ids=input_ids).last_hidden_state
        chosen = hidden.gather(1, positions[..., None].expand(-1, -1, hidden.shape[-1]))
        scores = self.model.cls(chosen)
        return MaskedLMOutput(loss=nn.functional.cross_entropy(scores.flatten(0, 1).float(), labels.flatten()))


def masked_batch(
    blocks: torch.Tensor, share: float, tokenizer: PreTrainedTokenizerBase, chance: torch.Generator
) -> dict[str, torch.Tensor]:
    """Hide tokens of each block: of those chosen 80% become [MASK], 10% a random token, 10% stay.

    Args:
        blocks: token numbers, shape (blocks, length).
        share: of the tokens that are chosen, the same number in each block; special ones never are.
        chance: what is drawn from.

    Returns:
        What ``MaskedLM`` takes.

    Raises:
        InputError: a block has fewer ordinary tokens than are to be chosen.

    Source: Devlin et al. 2019, arXiv 1810.04805, §3.1 and appendix A.1.
    """
    special = torch.tensor(sorted(tokenizer.all_special_ids))
    ordinary = ~torch.isin(blocks, special)
    count = max(1, round(share * blocks.shape[1]))
    if int(ordinary.sum(1).min()) < count:
        raise InputError(f"masked {share:g} is not allowed: a block has fewer than {count} tokens that are not special")
    positions = torch.rand(blocks.shape, generator=chance).masked_fill(~ordinary, -1).topk(count).indices
    labels = blocks.gather(1, positions)
    draw = torch.rand(labels.shape, generator=chance)
    # special tokens have the first numbers, so that what is drawn in their place is ordinary
    other = torch.randint(int(special.max()) + 1, len(tokenizer), labels.shape, generator=chance)
    shown = torch.where(draw < 0.8, tokenizer.mask_token_id, torch.where(draw < 0.9, other, labels))
    return {"input_ids": blocks.scatter(1, positions, shown), "positions": positions, "labels": labels}


def causal_batch(
    blocks: torch.Tensor, share: float, tokenizer: PreTrainedTokenizerBase, chance: torch.Generator
) -> dict[str, torch.Tensor]:
    """Ask for every next token: blocks are inputs and labels, which transformers shifts."""
    return {"input_ids": blocks, "labels": blocks}


def _bert(asked: TextPretraining, tokenizer: PreTrainedTokenizerBase) -> BertForMaskedLM:
    return BertForMaskedLM(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=asked.hidden,
            num_hidden_layers=asked.layers,
            num_attention_heads=asked.heads,
            intermediate_size=4 * asked.hidden,
            max_position_embeddings=asked.length,
            pad_token_id=tokenizer.pad_token_id,
            initializer_range=asked.initial,
            **dict.fromkeys(_BERT_DROPOUT, asked.dropout),
        )
    )


def _opt(asked: TextPretraining, tokenizer: PreTrainedTokenizerBase) -> OPTForCausalLM:
    return OPTForCausalLM(
        OPTConfig(
            vocab_size=len(tokenizer),
            hidden_size=asked.hidden,
            word_embed_proj_dim=asked.hidden,
            num_hidden_layers=asked.layers,
            num_attention_heads=asked.heads,
            ffn_dim=4 * asked.hidden,
            max_position_embeddings=asked.length,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.cls_token_id,
            eos_token_id=tokenizer.sep_token_id,
            init_std=asked.initial,
            **dict.fromkeys(_OPT_DROPOUT, asked.dropout),
        )
    )


#: By architecture.
LANGUAGE_MODELS = {
    "bert": LanguageModel(model=_bert, trained=MaskedLM, batch=masked_batch, dropout=_BERT_DROPOUT),
    "opt": LanguageModel(model=_opt, trained=lambda model: model, batch=causal_batch, dropout=_OPT_DROPOUT),
}


class TextObjective:
    """A language model on a part of a text: an ``Objective`` as ``scratch`` takes it."""

    def __init__(self, asked: TextPretraining, text: Packed, tokenizer: PreTrainedTokenizerBase) -> None:
        """Of a text in blocks of ``asked.length`` token numbers, and the tokenizer that made them.

        Raises:
            InputError: the part of the text is too small for a batch.
        """
        self.asked, self.text, self.tokenizer = asked, text, tokenizer
        self.kind = LANGUAGE_MODELS[asked.architecture]
        self.blocks = text.part(asked.fraction)
        self.examples = len(self.blocks)
        if self.examples < asked.batch_size:
            raise InputError(
                f"{asked.fraction:.0%} of {asked.corpus} are {self.examples} blocks of {asked.length} tokens, "
                f"fewer than a batch of {asked.batch_size}"
            )
        self.held_out = self._asked(text.held_out[:_HELD_OUT], torch.Generator().manual_seed(0))

    @property
    def content(self) -> str:
        """The hash of the text."""
        return self.text.content

    def module(self) -> nn.Module:
        """Random weights, maps a batch to an output with the loss in nats a token."""
        return self.kind.trained(self.kind.model(self.asked, self.tokenizer))

    def model(self, module: nn.Module) -> PreTrainedModel:
        """The model with its head."""
        return module.model if isinstance(module, MaskedLM) else module  # type: ignore[return-value]

    def batch(self, positions: np.ndarray, step: int, chance: torch.Generator) -> dict[str, torch.Tensor]:
        """What the model is asked about the blocks at these positions of the part."""
        return self._asked(self.text.train[self.blocks[positions]], chance)

    def _asked(self, blocks: np.ndarray, chance: torch.Generator) -> dict[str, torch.Tensor]:
        return self.kind.batch(torch.from_numpy(blocks.astype(np.int64)), self.asked.masked, self.tokenizer, chance)

    def probes(self, module: nn.Module, step: int) -> dict[str, float]:
        """Nothing beside the loss."""
        return {}

    def described(self) -> dict[str, Any]:
        """What the text is, for the record."""
        names = ("documents", "characters", "words", "tokens")
        return {"text": {name: getattr(self.text, name) for name in names}}

    def metrics(self, trained: Trained) -> dict[str, float]:
        """How much was read, and what a model that knows only how common each token is would lose."""
        return {"unigram_entropy": round(self.text.unigram_entropy(), 5), "tokens": self.asked.tokens}

    def save(self, module: nn.Module, folder: Path) -> None:
        """Save the model in fp16 with its tokenizer; fine-tuning has the architecture's own dropout."""
        model = self.model(module)
        for name in self.kind.dropout:
            setattr(model.config, name, getattr(type(model.config)(), name))
        model.to(torch.float16).save_pretrained(folder)  # type: ignore[arg-type]
        self.tokenizer.model_max_length = self.asked.length
        self.tokenizer.save_pretrained(folder)
