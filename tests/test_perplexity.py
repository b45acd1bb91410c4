"""Perplexity, against what can be worked out by hand."""

import math

import pytest
import torch
from torch import nn
from transformers import OPTConfig, OPTForCausalLM
from transformers.modeling_outputs import CausalLMOutput

from essparse_lib.errors import InputError
from essparse_lib.training.perplexity import perplexity


class Bigrams(nn.Module):
    """Gives each next token the probability that a table has in the row of the last."""

    def __init__(self, table):
        super().__init__()
        self.logs = nn.Parameter(torch.tensor(table).log())

    def forward(self, input_ids):
        return CausalLMOutput(logits=self.logs[input_ids])


TABLE = [[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [0.2, 0.3, 0.5]]


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_a_case_worked_by_hand(batch_size):
    # 0→0→1: 0.5 and 0.25. 1→2→2: 0.125 and 0.5. 2→1→0: 0.3 and 0.125. Geometric mean of 1 / p over the six.
    tokens = torch.tensor([[0, 0, 1], [1, 2, 2], [2, 1, 0]])
    product = 0.5 * 0.25 * 0.125 * 0.5 * 0.3 * 0.125
    assert perplexity(Bigrams(TABLE), tokens, batch_size) == pytest.approx(product ** (-1 / 6), rel=1e-5)


def test_it_is_exp_of_the_loss_that_transformers_computes():
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "word_embed_proj_dim": 16, "ffn_dim": 32, "num_hidden_layers": 2}
    model = OPTForCausalLM(OPTConfig(**shape, num_attention_heads=2, vocab_size=30, max_position_embeddings=16))
    model.train()
    tokens = torch.randint(3, 30, (4, 10))
    value = perplexity(model, tokens, batch_size=3)
    assert model.training
    loss = model.eval()(input_ids=tokens, labels=tokens).loss
    assert value == pytest.approx(math.exp(loss.item()), rel=1e-5)


def test_what_is_impossible_to_the_model_is_infinite():
    tokens = torch.tensor([[0, 1]])
    assert perplexity(Bigrams([[1.0, 0.0], [0.5, 0.5]]), tokens) == math.inf
    assert perplexity(Bigrams([[0.0, 1.0], [0.5, 0.5]]), tokens) == 1


@pytest.mark.parametrize("shape", [(3,), (3, 1), (0, 8), (3, 0)])
def test_windows_that_predict_nothing_are_refused(shape):
    with pytest.raises(InputError, match=r"are not allowed: give \(windows, length from 2\)"):
        perplexity(Bigrams(TABLE), torch.zeros(shape, dtype=torch.int64))
