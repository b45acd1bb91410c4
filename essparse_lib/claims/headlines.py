"""Each claim in a few words, what the paper reports of it, and what our evidence on it is limited to."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Headline:
    """A claim in a few words.

    Attributes:
        claim: what is claimed, without a full stop.
        paper: the value that the paper reports, or where it shows the claim.
        limit: what the lab scale's evidence does not speak of, as a sentence.
    """

    claim: str
    paper: str
    limit: str


_SMALL_TEXT = "Small encoders on few training examples; not the paper's bert-base and OPT."
_SMALL_VISION = "Vision transformers of 1.8 million weights, pre-trained here on CIFAR-10; not ViT-Base and DINO-Base."

#: By the claim's name.
HEADLINES: dict[str, Headline] = {
    "C1": Headline(claim="Every model has an essential sparsity", paper="30–50% of the weights", limit=_SMALL_TEXT),
    "C2": Headline(
        claim="21.50% of bert-base's weights are free, most of them feed-forward",
        paper="no drop on any task",
        limit="MiniLM with 6 blocks, in place of bert-base.",
    ),
    "C3": Headline(
        claim="Where the curve turns depends on the task, not on the model's size",
        paper="RTE: 60% for bert-base, 40% for OPT-1.3B",
        limit="Two encoders of 11 and 85 million block weights; no model of a billion.",
    ),
    "C4": Headline(
        claim="The turn is sharper in vision than in language",
        paper="seen in the curves",
        limit="The two sides differ in architecture, size, pre-training and tasks.",
    ),
    "C5": Headline(
        claim="Essential sparsity holds for arithmetic problems",
        paper="seen in the curves",
        limit="MiniLM with a small recurrent decoder, on two folds of a data set.",
    ),
    "C6": Headline(claim="Essential sparsity holds for N:M patterns", paper="seen in the curves", limit=_SMALL_TEXT),
    "C7": Headline(
        claim="Self-supervised models prune better, and have more zeros",
        paper="14.37% more zeros",
        limit=_SMALL_VISION,
    ),
    "C8": Headline(
        claim="The number of zeros jumps during pre-training",
        paper="a jump at 22–25 or 40 thousand of 50 thousand steps",
        limit="BERTs of 0.4 million block weights, pre-trained here for 16,000 steps.",
    ),
    "C9": Headline(
        claim="More pre-training text gives more zeros and better pruning",
        paper="at every sparsity",
        limit="BERTs of 0.4 million block weights on a small text, which lose little to pruning.",
    ),
    "C10": Headline(
        claim="Lottery tickets perform as one-shot masks do",
        paper="the same below 50%",
        limit="MiniLM and a small vision transformer, on few training examples.",
    ),
    "C11": Headline(
        claim="Tickets and one-shot masks are nearly the same",
        paper="cosine above 96% (98% in the introduction)",
        limit="How alike they are depends on how far training moves the weights.",
    ),
    "C12": Headline(
        claim="A language model has it without fine-tuning, and SparseGPT extends it",
        paper="seen in the curves of Vicuna-7B",
        limit="SmolLM2 with 135 million weights; not Vicuna-7B.",
    ),
}

#: The same where a page judges a claim of another page on models of its own, by the name that the page gives it.
ELSEWHERE: dict[str, Headline] = {"C1 in vision": replace(HEADLINES["C1"], limit=_SMALL_VISION)}
