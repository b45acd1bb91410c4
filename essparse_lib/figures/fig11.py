"""Figure 11: a language model that is pruned, asked questions and not trained, by magnitude and by SparseGPT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from ..errors import check_known
from ..records.pretrained import from_scratch
from ..specs.evaluation import Prompting
from ..specs.evaluation_study import EvaluationStudy
from ..specs.likelihood import LIKELIHOOD_TASKS
from ..specs.measurement import MeasurementKind
from ..specs.methods import METHODS, Scope
from ..specs.study import Override, Study, at_sparsities
from ..specs.trial import Pruning
from . import language_settings

#: The two ways to prune of the paper, as lines with intervals …
MAGNITUDE, SPARSEGPT = "magnitude", "SparseGPT"

#: … and further ones, as thin lines at a few sparsities, or as single points where a pattern sets the sparsity.
EACH_MATRIX, WANDA, RANDOM = "magnitude by matrix", "Wanda", "random"
PATTERNS = {"N:M by magnitude": "magnitude", "N:M by Wanda": "wanda", "N:M by SparseGPT": "sparsegpt"}

#: Every tenth up to 70%: beyond, answers are guesses.
_LEVELS = tuple(round(0.1 * tenth, 1) for tenth in range(1, 8))
_FEW = (0.3, 0.5)


@dataclass(frozen=True)
class _Text:
    """What calibrated methods read: windows of a corpus, drawn by the seed, each of so many tokens."""

    corpus: str
    windows: int
    length: int

    def pruning(self, method: str, sparsity: float = 0.0, pattern: str = "") -> Pruning:
        """Return the pruning by a method, which reads this text if it calibrates."""
        pruning = partial(Pruning, method=method, sparsity=sparsity, pattern=pattern)
        if not METHODS[method].calibrated:
            return pruning()
        return pruning(calibration=self.corpus, windows=self.windows, length=self.length)


def _both(sparsities: Iterable[float], text: _Text, scope: str = Scope.GLOBAL) -> dict[str, tuple[Pruning, ...]]:
    """Return the paper's two ways to prune by name; the scope is that of magnitude."""
    return {
        MAGNITUDE: at_sparsities(sparsities, scope=scope),
        SPARSEGPT: tuple(text.pruning("sparsegpt", sparsity) for sparsity in sparsities),
    }


def _further(text: _Text) -> dict[str, tuple[Pruning, ...]]:
    """Return the further ways to prune by name."""
    return {
        EACH_MATRIX: at_sparsities(_FEW, scope=Scope.LAYER),
        WANDA: tuple(text.pruning("wanda", sparsity) for sparsity in _FEW),
        RANDOM: at_sparsities(_FEW, method="random", scope=Scope.LAYER),
        **{
            name: tuple(text.pruning(method, pattern=pattern) for pattern in ("2:4", "4:8"))
            for name, method in PATTERNS.items()
        },
    }


#: What calibrated methods read at each scale: a part of the packages' English, and as LLM-KICK's Wanda the C4.
_TEXTS = {
    "tiny": _Text("tiny-corpus", 4, 16),
    "lab": _Text("packaged-english-calibration", 64, 128),
    "paper": _Text("c4", 128, 2048),
}

_LAB_MODELS = ("smollm2-135m", language_settings.LAB_OPT)

#: Sizes for which the interval of the drop at 30% is at most some ±3 points on each task, as far as the source has as
#: many questions.
_LAB_PROMPTING = {
    "blimp": Prompting(questions=20),
    **dict.fromkeys(("arc-easy", "piqa", "lambada"), Prompting(questions=1000)),
    **dict.fromkeys(("sciq", "hellaswag"), Prompting(questions=500)),
    "mmlu": Prompting(questions=10),
    "english-text": Prompting(questions=100),
    "*": Prompting(),
}

_LAB = EvaluationStudy(
    figure="fig11",
    scale="lab",
    models=_LAB_MODELS,
    tasks=(
        *("blimp", "arc-easy", "arc-challenge", "openbookqa", "mmlu"),
        *("piqa", "hellaswag", "copa", "sciq", "lambada", "english-text"),
    ),
    prompting=_LAB_PROMPTING,
    variants={**_both(_LEVELS, _TEXTS["lab"]), **_further(_TEXTS["lab"])},
    task_sparsities={"mmlu": (0.3, 0.6)},
    overrides={language_settings.LAB_OPT: Override(tasks=("blimp",), variants=(MAGNITUDE,))},
    measured={MeasurementKind.HELD_OUT_LOSS: (0.0,)},
    pretrained=from_scratch("lab", _LAB_MODELS),
)

#: The token that stands before a sentence of BLiMP in the control, in place of the one that the tokenizer says.
OTHER_PREFIX = "<|endoftext|>"

_CONTROL = replace(
    _LAB,
    models=("smollm2-135m",),
    tasks=("blimp",),
    prompting={"blimp": Prompting(questions=20, prefix=OTHER_PREFIX)},
    variants={name: _LAB.variants[name] for name in (MAGNITUDE, SPARSEGPT)},
    seeds=(0,),
    overrides={},
    measured={},
    pretrained={},
)

STUDIES = {
    "tiny": EvaluationStudy(
        figure="fig11",
        scale="tiny",
        models=("tiny-llama", "tiny-opt-lm"),
        tasks=tuple(name for name in LIKELIHOOD_TASKS if name.startswith("tiny-")),
        prompting={"tiny-mmlu": Prompting(shots=1), "*": Prompting()},
        variants={
            **_both((0.3, 0.6), _TEXTS["tiny"]),
            RANDOM: at_sparsities((0.3,), method="random", scope=Scope.LAYER),
        },
        seeds=(0, 1),
        overrides={"tiny-opt-lm": Override(tasks=("tiny-blimp", "tiny-arc"))},
    ),
    "lab": replace(_LAB, controls=(_CONTROL,)),
    # By LLM-KICK (Jaiswal et al. 2024): version, prompt, shots and thresholds, which the paper does not say.
    "paper": EvaluationStudy(
        figure="fig11",
        scale="paper",
        models=("vicuna-7b-v1.3",),
        tasks=("mmlu",),
        prompting={"mmlu": Prompting(shots=5)},
        variants=_both(_LEVELS, _TEXTS["paper"], scope=Scope.LAYER),
    ),
}


def pruning_at(study: Study, variant: str, sparsity: float) -> Pruning:
    """Return the pruning of a variant at a sparsity, which need not be among the study's.

    Raises:
        InputError: the study has no such variant, or a pattern sets its sparsity.
    """
    check_known("method", variant, [name for name in study.variants if name not in PATTERNS])
    return replace(study.variants[variant][0], sparsity=sparsity)
