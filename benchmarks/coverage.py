"""How often the intervals of drops, essential sparsity and contrasts hold the truth, on made-up studies.

Single examples flip from one trial to the next, as those of MiniLM on movie-reviews do (``simulated_studies.py``). The
noise of training is 0, 1 and 4 times what was measured there.

Each line gives, for one size of study, the share of intervals that hold the truth; after it half the width of the
interval over the half width that it would need, were it 1.96 standard deviations of the values themselves. The
simulation's own error of a share of 95% is given below the table.

    python benchmarks/coverage.py [--studies 200] [--truth agrees]
"""

from __future__ import annotations

import argparse

import command
from simulated_studies import QUANTITIES, TRUTHS, coverages, drop_by

from essparse_lib.errors import unknown

SETTINGS = (
    ("--studies", 200, "made-up studies of each size"),
    ("--truth", "agrees", f"the true curve: {', '.join(TRUTHS)}"),
)
LEAST = {"studies": 2}

#: The sizes of studies, and the noise of training in multiples of what was measured.
SIZES = tuple((seeds, examples) for examples in (1000, 4000) for seeds in (3, 6, 10))
NOISES = (0.0, 1.0, 4.0)


def main(options: argparse.Namespace) -> None:
    """Print the coverage of each quantity at each size and noise."""
    command.check(options, LEAST)
    if options.truth not in TRUTHS:
        raise unknown("truth", options.truth, TRUTHS)
    print(f"noise seeds examples  {'  '.join(f'{name:>18}' for name in QUANTITIES)}")
    for noise in NOISES:
        for seeds, examples in SIZES:
            by_quantity = coverages(seeds, examples, noise, options.studies, drop_by(options.truth))
            cells = []
            for each in by_quantity.values():
                ratio = each.half_width / each.needed if each.needed else float("nan")
                cells.append(f"{each.holds / options.studies:11.3f} ({ratio:.2f})")
            print(f"{noise:5g} {seeds:5d} {examples:8d}  {'  '.join(cells)}", flush=True)
    print(f"Simulation error of a share of 95%: ±{1.96 * (0.95 * 0.05 / options.studies) ** 0.5:.3f}")


if __name__ == "__main__":
    command.run(main, command.parser(__doc__, SETTINGS).parse_args())
