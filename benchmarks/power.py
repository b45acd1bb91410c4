"""What the rules of C1, C2, C6, C9 and C10 decide, on made-up studies whose truth is known: power and false verdicts.

The errors of effects come from made-up studies (``simulated_studies.py``) of the lab's size and of twice the seeds with
four times the examples. Each simulated claim takes as many of them as it has tasks, half of them with the opposite
sign, and adds the true effects. The claims' own rules then judge: the verdict, a new task, and everywhere.

The true effects are those that the records show, the same moved so that their mean is exactly one point (where each
of *agrees* and *differs* is false in half of all cases, and may be said in at most 5%), every effect at one point (so
that *differs* is false for each task), and means of two points. C10's are 0, 1 and 2 points.

C9 has pre-trainings for units, whose quantities are normal about a line. Their spread is in units of the smallest
effect of interest, and so is the true effect of the text: at 0 *differs* is right, at 1 and above it is false.

    python benchmarks/power.py [--studies 150] [--claims 1000]
"""

from __future__ import annotations

import argparse
import gc
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import command
import numpy as np
from simulated_studies import drop_by, made_up_records, made_up_study

from essparse_lib.analysis.contrasts import MARGIN, contrasts
from essparse_lib.analysis.curves import EPSILON, curves
from essparse_lib.analysis.pooled import Effect, Range, mean_effect
from essparse_lib.claims.c01_essential_sparsity import THRESHOLD, drops_at
from essparse_lib.claims.rules import average_outcome, least_favourable, three_statements
from essparse_lib.claims.verdict import Outcome
from essparse_lib.specs.trial import Pruning

SETTINGS = (
    ("--studies", 150, "made-up studies of each size, whose errors are drawn from"),
    ("--claims", 1000, "simulated claims in each line"),
)
LEAST = {"studies": 12, "claims": 1}

#: Seeds and test examples: of the lab's studies, and of those that are planned.
SIZES = ((3, 1000), (6, 4000))

FREE = Pruning(sparsity=0.215)
PATTERNS = (Pruning(pattern="3:4"), Pruning(pattern="6:8"))
TICKETS = tuple(Pruning(sparsity=sparsity, method="lottery") for sparsity in (0.1, 0.2, 0.3, 0.4))

AT_MOST, WITHIN = Range(high=EPSILON), Range(low=-MARGIN, high=MARGIN)

#: Drops of MiniLM on the tasks that count, as the records show them: at 30%, at 21.5%, and by 3:4 and by 6:8.
DROPS = {
    "C1": (0.55, 0.60, 0.87, 0.40, 0.60),
    "C2": (0.33, 0.52, 0.73, 0.50),
    "3:4": (0.83, 0.75, 0.87, 0.04),
    "6:8": (-0.30, 0.60, 0.73, 0.65),
}

#: Pairs of models and tasks in Figure 9 that count.
TICKET_PLACES = 6

#: Shares of the text that Figure 8's models are pre-trained on.
FRACTIONS = (1.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.6)


@dataclass(frozen=True, kw_only=True)
class Errors:
    """The errors of the effects of one made-up study of one task, each about 0.

    Attributes:
        drop: of the drop at C1's sparsity.
        free: of the drop at C2's.
        patterns: of the drop that each of C6's patterns costs.
        tickets: of the difference of ticket and one-shot mask at each of C10's sparsities.
    """

    drop: Effect
    free: Effect
    patterns: tuple[Effect, ...]
    tickets: tuple[Effect, ...]


def errors_of(number: int, seeds: int, examples: int) -> Errors:
    """Return the errors of one made-up study."""
    variants = {"free": (FREE,), "patterns": PATTERNS[:1], "others": PATTERNS[1:], "lottery": TICKETS}
    study = made_up_study(seeds, f"t{number}", **variants)
    truth = drop_by("agrees")
    generator = np.random.default_rng([number, seeds, examples])
    records = made_up_records(generator, study, examples, truth)
    shots = [(ticket, Pruning(sparsity=ticket.sparsity)) for ticket in TICKETS]
    pairs = [(pruning, Pruning()) for pruning in (FREE, *PATTERNS)]
    effects = {contrast.pruning: contrast.effect for contrast in contrasts(study, records, [*pairs, *shots])}
    (drop,) = drops_at(curves(study, records), THRESHOLD)
    return Errors(
        drop=moved(drop, -truth(Pruning(sparsity=THRESHOLD))),
        free=moved(-effects[FREE], -truth(FREE)),
        patterns=tuple(moved(-effects[pattern], -truth(pattern)) for pattern in PATTERNS),
        tickets=tuple(effects[ticket] for ticket in TICKETS),
    )


def moved(effect: Effect, by: float) -> Effect:
    """Return an effect that is larger by so many points."""
    return Effect(model=effect.model, task=effect.task, value=effect.value + by, resampled=effect.resampled + by)


def either(effect: Effect, sign: int) -> Effect:
    """Return the error or its opposite: both are as likely."""
    return effect if sign > 0 else -effect


#: What is said of a claim in one simulation: the verdict, and the statements on a new task and on every task.
Outcomes = tuple[Outcome, Outcome, Outcome]


def of_drops(truths: Sequence[float], name: str, errors: Sequence[Errors], signs: Sequence[int]) -> Outcomes:
    """Return what C1 or C2 says, where these are the true drops; ``name`` is the field of the errors."""
    parts = zip(truths, errors, signs, strict=True)
    effects = [moved(either(getattr(error, name), sign), truth) for truth, error, sign in parts]
    _, new, everywhere = three_statements(effects, AT_MOST)
    return average_outcome([effects], AT_MOST), new.outcome, everywhere.outcome


def of_patterns(
    truths: Sequence[Sequence[float]], of: Sequence[int], errors: Sequence[Errors], signs: Sequence[int]
) -> Outcomes:
    """Return what C6 says of the patterns ``of``, with the least favourable of their statements."""
    pools = []
    for pattern in of:
        parts = zip(truths[pattern], errors, signs, strict=True)
        pools.append([moved(either(error.patterns[pattern], sign), truth) for truth, error, sign in parts])
    statements = [three_statements(pool, AT_MOST) for pool in pools]
    new, everywhere = (least_favourable([each[sense].outcome for each in statements]) for sense in (1, 2))
    return average_outcome(pools, AT_MOST), new, everywhere


def of_tickets(truth: float, errors: Sequence[Errors], signs: Sequence[int]) -> Outcomes:
    """Return what C10 says, where tickets are better by so much everywhere."""
    singles = [
        [moved(either(ticket, sign), truth) for ticket in error.tickets]
        for error, sign in zip(errors, signs, strict=True)
    ]
    means = [mean_effect(effects) for effects in singles]
    named = [("", effect) for effects in singles for effect in effects]
    _, new, everywhere = three_statements(means, WITHIN, single=named)
    return average_outcome([means], WITHIN), new.outcome, everywhere.outcome


def with_mean(truths: Sequence[float], mean: float) -> list[float]:
    """Return true effects moved so that they have this mean."""
    return [truth + mean - float(np.mean(truths)) for truth in truths]


def cases() -> dict[str, tuple[int, Callable[[Sequence[Errors], Sequence[int]], Outcomes]]]:
    """Return the lines of the table by their name: the number of tasks, and what is said of them."""
    lines: dict[str, tuple[int, Callable[[Sequence[Errors], Sequence[int]], Outcomes]]] = {}
    for claim, name in (("C1", "drop"), ("C2", "free")):
        observed = DROPS[claim]
        states = {"as observed": observed, "mean 1": with_mean(observed, 1), "mean 2": with_mean(observed, 2)}
        for state, truths in {**states, "all at 1": [1.0] * len(observed)}.items():
            lines[f"{claim} {state}"] = (len(observed), partial(of_drops, truths, name))
    patterns = [DROPS["3:4"], DROPS["6:8"]]
    count = len(patterns[0])
    lines["C6 as observed, 3:4 alone"] = (count, partial(of_patterns, patterns, (0,)))
    lines["C6 as observed, 6:8 alone"] = (count, partial(of_patterns, patterns, (1,)))
    lines["C6 as observed"] = (count, partial(of_patterns, patterns, (0, 1)))
    for state, mean in (("means 1", 1.0), ("means 2", 2.0)):
        lines[f"C6 {state}"] = (count, partial(of_patterns, [with_mean(each, mean) for each in patterns], (0, 1)))
    lines["C6 one mean 0, one 1"] = (count, partial(of_patterns, [[0.0] * count, [1.0] * count], (0, 1)))
    for truth in (0.0, 1.0, 2.0):
        lines[f"C10 all at {truth:g}"] = (TICKET_PLACES, partial(of_tickets, truth))
    return lines


def of_text(effect: float, spread: float, shared: float, repeats: int, generator: np.random.Generator) -> Outcome:
    """Return what C9 says of pre-trainings, where the text has this effect on each quantity.

    Args:
        effect: the true effect on each quantity, in units of its smallest effect of interest.
        spread: the standard deviation between pre-trainings of a quantity, in the same unit.
        shared: the correlation of quantities between pre-trainings.
        repeats: how many times there are Figure 8's pre-trainings.
        generator: source of random numbers.
    """
    from essparse_lib.analysis.effects import slope
    from essparse_lib.claims.c09_more_text import DENSE, PRUNED, ZEROS, Quantity, outcomes_of, overall

    fractions = np.repeat(FRACTIONS, repeats)
    common = generator.normal(size=len(fractions))
    quantities = {}
    for name in (ZEROS, DENSE, PRUNED):
        noise = np.sqrt(shared) * common + np.sqrt(1 - shared) * generator.normal(size=len(fractions))
        values = effect * (fractions - min(FRACTIONS)) / np.ptp(FRACTIONS) + spread * noise
        line = slope(list(zip(fractions.tolist(), values.tolist(), strict=True)))
        quantities[name] = Quantity(line=line, smallest=1.0, unit="points")
    return overall(outcomes_of(quantities))


def shares(outcomes: Sequence[Outcome]) -> str:
    """Return the shares of *agrees* and *differs* among outcomes."""
    counts: Mapping[Outcome, int] = Counter(outcomes)
    agrees, differs = (counts[outcome] / len(outcomes) for outcome in (Outcome.AGREES, Outcome.DIFFERS))
    return f"{agrees:6.3f} {differs:7.3f}"


def main(options: argparse.Namespace) -> None:
    """Print the shares of *agrees* and *differs* for each claim, truth and size."""
    command.check(options, LEAST)
    print(f"{'':38} {'verdict':>14}  {'a new task':>14}  {'everywhere':>14}")
    print(f"{'claim, truth':26} {'size':>11} " + "  ".join(["agrees differs"] * 3))
    for seeds, examples in SIZES:
        errors = [errors_of(number, seeds, examples) for number in range(options.studies)]
        of_tickets(0.0, errors[:3], (1, 1, 1))  # so that all is imported
        gc.freeze()  # multipletests collects garbage at every call, which takes a tenth of a second otherwise
        for name, (tasks, judge) in cases().items():
            generator = np.random.default_rng(0)
            outcomes = []
            for _ in range(options.claims):
                chosen = generator.choice(len(errors), size=tasks, replace=False)
                outcomes.append(judge([errors[place] for place in chosen], generator.choice((-1, 1), size=tasks)))
            columns = "  ".join(shares(column) for column in zip(*outcomes, strict=True))
            print(f"{name:26} {seeds:3d} × {examples:5d} {columns}", flush=True)
    for repeats, spread, effect, shared in product((1, 2), (0.3, 1.0), (0.0, 1.0, 2.0, 4.0), (0.0, 0.9)):
        generator = np.random.default_rng(0)
        of_claim = [of_text(effect, spread, shared, repeats, generator) for _ in range(options.claims)]
        name = f"C9 effect {effect:g}, spread {spread:g}, shared {shared:g}"
        print(f"{name:32} {repeats * len(FRACTIONS):2d} runs {shares(of_claim)}", flush=True)
    print(f"Simulation error of a share of 5%: ±{1.96 * (0.05 * 0.95 / options.claims) ** 0.5:.3f}, beside that of the")
    print(f"{options.studies} studies: ±{1.96 / (2 * options.studies) ** 0.5:.0%} of the standard errors")


if __name__ == "__main__":
    command.run(main, command.parser(__doc__, SETTINGS).parse_args())
