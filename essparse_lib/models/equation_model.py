"""A text model with a decoder on it that writes the equation of an arithmetic word problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers.utils import ModelOutput

from ..errors import InputError, check_seed
from ..specs.trial import Decoder
from ..tasks.equations import LONGEST, OPERATORS
from .equation_decoders import EquationDecoder, ReadProblems, RecurrentDecoder
from .gaps import refusal
from .loading import locate
from .reading import load
from .tree_decoder import TreeDecoder
from .weight_files import stored_tensors

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: What pads equations; losses leave it out.
PADDING = -100

_DECODERS: dict[Decoder, type[RecurrentDecoder | TreeDecoder]] = {
    Decoder.GRU: RecurrentDecoder,
    Decoder.TREE: TreeDecoder,
}


class EquationModel(nn.Module):
    """A text model without a head, whose hidden states a decoder reads.

    An encoder–decoder reads the problem on both sides, so that it has a hidden state of each token.

    Args:
        encoder: the text model.
        decoder: the decoder, of the text model's width.
        beam: equations that are kept while one is written.
    """

    def __init__(self, encoder: PreTrainedModel, decoder: EquationDecoder, beam: int = 1) -> None:
        super().__init__()
        self.encoder, self.decoder, self.beam = encoder, decoder, beam
        #: The main input, as transformers names it: what methods that calibrate give the text model.
        self.main_input_name: str = encoder.main_input_name

    @property
    def base_model(self) -> nn.Module:
        """The text model, as transformers calls a model without its head."""
        return self.encoder

    def read(self, slots: torch.Tensor, **inputs: torch.Tensor) -> ReadProblems:
        """Return what the decoder knows of problems before it writes.

        Args:
            slots: the token that each slot is read at, as ``EquationDecoder.read`` takes it.
            inputs: the text model's, by name; ``attention_mask`` is among them.
        """
        attended = inputs["attention_mask"]
        if self.encoder.config.is_encoder_decoder:  # by itself BART's decoder would read each token a place too late
            inputs |= {"decoder_input_ids": inputs["input_ids"], "decoder_attention_mask": attended}
        read: ReadProblems = self.decoder.read(self.encoder(**inputs).last_hidden_state, attended, slots)
        return read

    def forward(self, equations: torch.Tensor, slots: torch.Tensor, **inputs: torch.Tensor) -> ModelOutput:
        """Return the loss: the negative log-probability of an equation in nats, the mean over the problems.

        Args:
            equations: numbers of the right symbols, padded by ``PADDING``, shape (problems, places).
            slots: as for ``read``.
            inputs: as for ``read``.
        """
        logits = self.decoder(self.read(slots, **inputs), equations.clamp(min=0))
        loss = nn.functional.cross_entropy(
            logits.flatten(0, 1), equations.flatten(), ignore_index=PADDING, reduction="sum"
        )
        return ModelOutput(loss=loss / len(equations))

    @torch.no_grad()
    def write(self, slots: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Return the equations that are written for problems, as ``write`` does.

        Args:
            slots: as for ``read``.
            inputs: as for ``read``.
        """
        return write(self.decoder, self.read(slots, **inputs), self.beam)[0]


def load_equation_model(name: str, decoder: str, seed: int, beam: int = 1) -> EquationModel:
    """Return a model with a new decoder, in fp32 on the CPU; the decoder depends on the seed alone.

    Args:
        name: name of the model, its id on the hub, or its local folder.
        decoder: a ``specs.trial.Decoder``.
        seed: seed of the decoder's weights.
        beam: equations that are kept while one is written.

    Raises:
        InputError: the model cannot be had, or a weight of its body is not in its files.
    """
    from transformers import AutoModel

    source = locate(name)
    tensors = {} if source.gguf else stored_tensors(source.folder)
    seed = check_seed(seed)
    try:
        encoder, gaps = load(AutoModel, source, tensors, dtype=torch.float32)
        if reason := refusal(gaps, encoder, tensors, new_head=True):
            raise InputError(reason)
    except InputError as error:
        raise InputError(f"model {name!r} in {source.folder}: {error}") from error
    if getattr(encoder, "pooler", None) is not None:
        # it reads no more than the first token, and nothing reads it; a few architectures cannot do without one
        encoder.pooler = nn.Identity()
    torch.manual_seed(seed)
    width = encoder.config.get_text_config(decoder=True).hidden_size
    return EquationModel(encoder, _DECODERS[Decoder(decoder)](width), beam)


@torch.no_grad()
def write(decoder: EquationDecoder, problems: ReadProblems, beam: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Write the equations of problems, symbol by symbol, each until it is whole.

    At every step those equations are kept that are likeliest so far. Of them the likeliest that became whole is
    written. It is at least as likely as the one that takes the likeliest symbol at every step.

    Args:
        decoder: the decoder.
        problems: what it read.
        beam: equations that are kept; 1 always takes the likeliest symbol.

    Returns:
        Numbers of symbols, padded by ``PADDING``, shape (problems, ``LONGEST``); an equation that has not become whole
        by then has no padding. And the log-probability of each, shape (problems,); −inf if it is not whole.
    """
    written, scores = _searched(decoder, problems, beam)
    if beam > 1:  # a search may lose the equation of the likeliest symbols on its way
        greedy, of_greedy = _searched(decoder, problems, 1)
        better = of_greedy > scores
        written = torch.where(better[:, None], greedy, written)
        scores = torch.where(better, of_greedy, scores)
    return written, scores


def _searched(decoder: EquationDecoder, problems: ReadProblems, beam: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a beam search of one width writes, as ``write`` returns it."""
    count, device = len(problems.start), problems.start.device
    repeated = problems.repeated(beam)
    written = torch.full((count, beam, LONGEST), PADDING, device=device)
    scores = torch.full((count, beam), -torch.inf, device=device)
    scores[:, 0] = 0.0  # at first all are the same empty equation
    missing = torch.ones(count, beam, dtype=torch.long, device=device)  # operands that are still needed
    for place in range(LONGEST):
        if not missing.any():
            break
        before = written[..., : place + 1].clamp(min=0).flatten(0, 1)
        steps = decoder(repeated, before)[:, -1].log_softmax(-1).view(count, beam, -1)
        whole = missing == 0
        steps = steps.masked_fill(whole[..., None], -torch.inf)
        steps[..., 0] = torch.where(whole, 0.0, steps[..., 0])  # what is whole stays as it is
        scores, best = (scores[..., None] + steps).flatten(1).topk(beam)
        origin, symbol = best // steps.shape[-1], best % steps.shape[-1]
        whole, missing = whole.gather(1, origin), missing.gather(1, origin)
        written = written.gather(1, origin[..., None].expand_as(written))
        written[..., place] = torch.where(whole, PADDING, symbol)
        change = torch.where(symbol < len(OPERATORS), 1, -1)
        missing = missing + torch.where(whole, 0, change)
    scores = scores.masked_fill(missing > 0, -torch.inf)
    likeliest = scores.argmax(1)
    rows = torch.arange(count, device=device)
    return written[rows, likeliest], scores[rows, likeliest]
