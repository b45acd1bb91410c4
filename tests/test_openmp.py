"""Threads sleep while they wait: set before PyTorch is loaded, by whatever way the package is reached."""

import os
import subprocess
import sys

import pytest

from essparse_lib.openmp import VARIABLES

#: Prints how OpenMP is told to wait, and whether PyTorch was loaded before that.
SAY = "import os, sys; print(os.environ.get('OMP_WAIT_POLICY'), 'torch' in sys.modules)"


def said(*command, **variables):
    """Return what a command prints last, run with these variables and none else of OpenMP's waiting."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES} | variables
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_importing_the_package_sets_it_and_loads_no_torch():
    assert said("-c", f"import essparse_lib; {SAY}") == "PASSIVE False"


def test_the_command_line_sets_it():
    script = f"import sys; sys.argv = ['essparse', 'run', 'fig99']; from essparse_lib import cli; {SAY}"
    assert said("-c", script) == "PASSIVE False"


def test_workers_have_it_before_they_load_torch():
    work = "def work():\n import os, sys\n return os.environ.get('OMP_WAIT_POLICY')\n"
    script = f"import essparse_lib, joblib\n{work}print(*joblib.Parallel(n_jobs=2)([joblib.delayed(work)()] * 2))"
    assert said("-c", script) == "PASSIVE PASSIVE"


@pytest.mark.parametrize("name", VARIABLES)
def test_a_users_value_stays_alone(name):
    script = f"import essparse_lib, os; print(*(os.environ.get(name) for name in {VARIABLES}))"
    assert said("-c", script, **{name: "7"}).split() == ["7" if each == name else "None" for each in VARIABLES]


def test_where_torch_was_loaded_before_nothing_breaks():
    script = "import torch, essparse_lib, os; print(os.environ['OMP_WAIT_POLICY'], int(torch.ones(9).sum()))"
    assert said("-c", script) == "PASSIVE 9"


def test_no_notebook_loads_torch_before_the_package():
    from pathlib import Path

    for path in sorted((Path(__file__).parents[1] / "notebooks").glob("*.py")):
        lines = path.read_text().splitlines()
        first = {
            name: next((n for n, line in enumerate(lines) if line.startswith((f"import {name}", f"from {name}"))), None)
            for name in ("essparse_lib", "torch", "transformers", "accelerate")
        }
        package = first.pop("essparse_lib")
        assert all(number is None or (package is not None and package < number) for number in first.values()), path
