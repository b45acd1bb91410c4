"""What the paper reports, as data: its claims, in our words, with every number it gives."""

from __future__ import annotations

#: What the paper claims, by the claim's name.
STATEMENTS: dict[str, str] = {
    "C1": "Essential sparsity exists in every model and task: about 30–50% of the weights can go without a "
    "significant drop; about 40% of OPT-1.3B's.",
    "C2": "21.50% of bert-base's weights go with no drop on any task; most of them lie in the feed-forward layers.",
    "C3": "Where the curve turns depends on the task, not on the size: on RTE bert-base turns at about 60%, "
    "OPT-1.3B at 40%; bert-base tolerates more than OPT-125M on every task.",
    "C4": "The turn is sharper in vision than in language.",
    "C5": "Essential sparsity holds on the arithmetic problems of SMC-Bench.",
    "C6": "Essential sparsity holds for N:M patterns.",
    "C7": "Self-supervised pre-training prunes better than supervised: DINO-Base is more robust on every task and "
    "has 14.37% more zero weights.",
    "C8": "During pre-training the zero-weight count jumps abruptly: at 22–25 thousand steps with 100, 90 and 80% of "
    "the data, at about 40 thousand with 70 and 60%.",
    "C9": "More pre-training data gives more zeros, better prunability at every sparsity and better dense scores.",
    "C10": "Below 50% sparsity lottery tickets and one-shot magnitude masks fine-tune to the same performance.",
    "C11": "Inside the essential range their masks' cosine similarity is above 96% (98% in the introduction); it "
    "falls as sparsity rises, and tickets of different tasks are less alike.",
    "C12": "It holds for Vicuna-7B on MMLU, and SparseGPT extends the range.",
}

#: C1: the range of essential sparsity, as fractions of the weights.
ESSENTIAL_RANGE = (0.30, 0.50)

#: C2: the share of bert-base's weights that goes without a drop.
FREE_OF_BERT = 0.215

#: C7: how many percent more zero weights DINO-Base has than ViT-Base.
MORE_ZEROS = 14.37

#: C8: the first and last step of the jump, by the fractions of the data that were trained on …
JUMPS = {(1.0, 0.9, 0.8): (22_000, 25_000), (0.7, 0.6): (40_000, 40_000)}

#: … and the number of steps of these trainings.
JUMPS_OF = 50_000

#: C10: the sparsity below which tickets and one-shot masks perform alike.
ALIKE_BELOW = 0.50

#: C11: the cosine similarity of their masks, from the paper's section on it and from its introduction.
COSINES = (0.96, 0.98)

#: C12: the model, in the version that LLM-KICK has: the paper names none.
VICUNA = "vicuna-7b-v1.3"
