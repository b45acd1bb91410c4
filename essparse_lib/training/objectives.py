"""What a language model is trained for on text without labels: masked tokens (BERT), or the next one (OPT)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import BertConfig, BertForMaskedLM, OPTConfig, OPTForCausalLM, PreTrainedModel
from transformers.modeling_outputs import MaskedLMOutput

from ..errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ..study.pretraining import Pretraining

_BERT_DROPOUT = ("hidden_dropout_prob", "attention_probs_dropout_prob")
_OPT_DROPOUT = ("dropout", "attention_dropout")


@dataclass(frozen=True)
class Objective:
    """How a model of an architecture is made, and what it is asked.

    Attributes:
        model: random weights, as the configuration of transformers draws them.
        trained: the module that maps a batch to an output with a loss.
        batch: what it is asked about blocks of token numbers, shape (blocks, length), with chance from the generator.
        dropout: the names that the configuration has for its probabilities.
    """

    model: Callable[[Pretraining, PreTrainedTokenizerBase], PreTrainedModel]
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


def _bert(asked: Pretraining, tokenizer: PreTrainedTokenizerBase) -> BertForMaskedLM:
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


def _opt(asked: Pretraining, tokenizer: PreTrainedTokenizerBase) -> OPTForCausalLM:
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
OBJECTIVES = {
    "bert": Objective(_bert, MaskedLM, masked_batch, _BERT_DROPOUT),
    "opt": Objective(_opt, lambda model: model, causal_batch, _OPT_DROPOUT),
}
