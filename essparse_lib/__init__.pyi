"""The public face, for type checkers and editors: ``__init__.py`` imports each name when it is first used."""

from . import figures as figures
from . import tasks as tasks
from .analysis.choice import Choice as Choice
from .analysis.choice import choose_sparsity as choose_sparsity
from .analysis.curve import Curve as Curve
from .analysis.curves import curves as curves
from .analysis.essential import essential_sparsity as essential_sparsity
from .analysis.estimate import Estimate as Estimate
from .analysis.turning_point import turning_point as turning_point
from .claims.verdict import Verdict as Verdict
from .errors import InputError as InputError
from .errors import check_sparsity as check_sparsity
from .figures.verdicts import verdict as verdict
from .language_evaluation import evaluate as evaluate
from .models.compressed import decompress as decompress
from .models.loading import load_model as load_model
from .models.loading import load_with_head as load_with_head
from .pruning.adapters import merge_adapters as merge_adapters
from .pruning.calibration import calibration_windows as calibration_windows
from .pruning.compare import (
    compare_by_matrix as compare_by_matrix,
)
from .pruning.compare import (
    cosine as cosine,
)
from .pruning.compare import (
    jaccard as jaccard,
)
from .pruning.compare import (
    jaccard_removed as jaccard_removed,
)
from .pruning.effective_sparsity import effective_sparsity as effective_sparsity
from .pruning.hardware import to_semi_structured as to_semi_structured
from .pruning.levels import Levels as Levels
from .pruning.magnitude import (
    global_magnitude as global_magnitude,
)
from .pruning.magnitude import (
    layer_magnitude as layer_magnitude,
)
from .pruning.magnitude import (
    magnitude_levels as magnitude_levels,
)
from .pruning.mask_io import (
    load_mask as load_mask,
)
from .pruning.mask_io import (
    mask_from_zeros as mask_from_zeros,
)
from .pruning.mask_io import (
    save_mask as save_mask,
)
from .pruning.mask_io import (
    weights_fingerprint as weights_fingerprint,
)
from .pruning.masks import Mask as Mask
from .pruning.n_m import n_m as n_m
from .pruning.prunable import (
    prunable_matrices as prunable_matrices,
)
from .pruning.prunable import (
    prunable_weights as prunable_weights,
)
from .pruning.prunable import (
    transposed_names as transposed_names,
)
from .pruning.radix_select import magnitude_thresholds as magnitude_thresholds
from .pruning.random import random_levels as random_levels
from .pruning.random import random_mask as random_mask
from .pruning.sparsegpt import sparsegpt as sparsegpt
from .pruning.torch_pruning import (
    apply_torch_pruning as apply_torch_pruning,
)
from .pruning.torch_pruning import (
    mask_from_torch_pruning as mask_from_torch_pruning,
)
from .pruning.wanda import wanda as wanda
from .pruning.zeros import count_zeros as count_zeros
from .pruning.zeros import count_zeros_by_component as count_zeros_by_component
from .recipe import Recipe as Recipe
from .records.record import Record as Record
from .records.store import Store as Store
from .records.store import results as results
from .runner.task_heads import TASK_HEADS as TASK_HEADS
from .runner.trial import execute as execute
from .sparsify import prune as prune
from .sparsify import save_pruned as save_pruned
from .specs.evaluation import Evaluation as Evaluation
from .specs.evaluation import Prompting as Prompting
from .specs.evaluation_study import EvaluationStudy as EvaluationStudy
from .specs.methods import METHODS as METHODS
from .specs.study import TENTHS as TENTHS
from .specs.study import Study as Study
from .specs.study import at_sparsities as at_sparsities
from .specs.trial import Pruning as Pruning
from .specs.trial import Training as Training
from .specs.trial import Trial as Trial
from .sweeps.driver import sweep as sweep
from .sweeps.result import SweepResult as SweepResult
from .sweeps.settings import SweepSettings as SweepSettings
from .sweeps.tolerance import Tolerance as Tolerance
from .tasks.own import OwnData as OwnData
from .training.device import accelerator as accelerator
from .training.fine_tune import fine_tune as fine_tune
from .training.lottery import lottery as lottery
from .training.mask_callback import MaskCallback as MaskCallback
from .training.perplexity import perplexity as perplexity
from .training.recovery import Recovery as Recovery

__all__: list[str]
