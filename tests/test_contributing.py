"""Each recipe of CONTRIBUTING.md is followed to the letter in a copy of the checkout, and what it promises is tried."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.slow

#: A step of a recipe: a sentence that names a file, and the block of code below it.
_STEP = re.compile(
    r"^(?:New file|In) `(?P<path>[^`]+)`(?:, (?P<where>above|below) `(?P<anchor>[^`\n]+)`)?:\n\n"
    r"```\w*\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One edit: a new file, or a block above or below the first line that holds a text."""

    path: str
    code: str
    where: str
    anchor: str

    def apply(self, checkout):
        file = checkout / self.path
        if not self.anchor:
            assert not file.exists(), f"{self.path} is there already"
            file.write_text(self.code, encoding="utf-8")
            return
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        place = next((i for i, line in enumerate(lines) if self.anchor in line), None)
        assert place is not None, f"{self.path} has no line with {self.anchor!r}"
        at = place + (self.where == "below")
        file.write_text("".join([*lines[:at], self.code, *lines[at:]]), encoding="utf-8")


def recipe(title):
    """The steps below a heading of the page, in their order."""
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    text = next(section for section in sections if section.startswith(f"{title}\n"))
    steps = [
        Step(path=m["path"], code=m["code"], where=m["where"] or "", anchor=m["anchor"] or "")
        for m in _STEP.finditer(text)
    ]
    assert len(steps) == text.count("```python") + text.count("```yaml") + text.count("```markdown")
    return steps


@pytest.fixture
def checkout(tmp_path):
    """A copy of the checkout; its records are only linked to."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in ("essparse_lib", "notebooks", "book"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("_toc.yml", "_config.yml", "pyproject.toml", "CONTRIBUTING.md"):
        shutil.copyfile(ROOT / name, copy / name)
    (copy / "results").symlink_to(ROOT / "results")
    return copy


def python(checkout, code, *arguments):
    """Run code, or a module with ``-m``, on the copy; returns what it prints."""
    command = [sys.executable, *(["-c", code] if code else []), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "ESSPARSE_RESULTS": str(checkout / "new-results")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=checkout, env=environment, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def follow(checkout, title):
    steps = recipe(title)
    assert steps, f"the recipe {title!r} has no steps"
    for step in steps:
        step.apply(checkout)
    return steps


def test_every_recipe_is_tried():
    titles = set(re.findall(r"^## (A .+)$", PAGE, flags=re.MULTILINE))
    assert titles == {"A pruning method", "A task", "A likelihood task", "A model", "A figure", "A claim"}


def test_a_method_is_a_trials_and_the_command_lines(checkout):
    follow(checkout, "A pruning method")
    code = """
from essparse_lib import Pruning, Training, Trial, execute, load_model, prunable_weights
from essparse_lib.pruning.magnitude import global_magnitude
training = Training(epochs=1, batch_size=16, learning_rate=1e-3, max_length=16, max_train=32)
trial = Trial(model="tiny-bert", task="tiny-sentiment", seed=0, training=training,
              pruning=Pruning(sparsity=0.3, method="largest"))
record = execute(trial)
print(record.status, record.metrics["zeros"] / record.metrics["prunable"])
"""
    status, share = python(checkout, code).split()
    assert status == "ok" and float(share) == pytest.approx(0.3, abs=1e-4)
    shown = python(checkout, "", "-m", "essparse_lib.cli", "prune", "--help")
    assert "largest" in shown
    python(
        checkout,
        "",
        *("-m", "essparse_lib.cli", "prune", "tiny-bert", "--method", "largest"),
        *("--sparsity", "0.3", "--out", str(checkout / "pruned")),
    )
    kept = """
from essparse_lib import load_model, prunable_weights
pruned, whole = (prunable_weights(load_model(name)) for name in ("pruned", "tiny-bert"))
largest_left = max(float(weight.abs().max()) for weight in pruned.values())
print(largest_left < max(float(weight.abs().max()) for weight in whole.values()))
"""
    assert python(checkout, kept).strip() == "True"


@pytest.mark.notebook
def test_a_method_is_the_tutorials(checkout, tmp_path):
    follow(checkout, "A pruning method")
    out = tmp_path / "out.ipynb"
    parameters = {"method": "largest", "model": "tiny-bert", "task": "tiny-sentiment", "scale": "tiny"}
    flags = [flag for name, value in parameters.items() for flag in ("-p", name, value)]
    command = ("-m", "papermill", "notebooks/use-your-own-model.ipynb", str(out), *flags, "--no-progress-bar")
    python(checkout, "", *command)
    assert '\\"method\\": \\"largest\\"' in out.read_text(encoding="utf-8")  # as the checkpoint says


def test_a_task_is_trained_and_evaluated(checkout):
    follow(checkout, "A task")
    code = """
from essparse_lib import Training, Trial, execute
training = Training(epochs=1, batch_size=16, learning_rate=1e-3, max_length=32, max_train=32)
record = execute(Trial(model="tiny-bert", task="tiny-swapped", seed=0, training=training))
print(record.status, *record.metrics)
"""
    status, *metrics = python(checkout, code).split()
    assert status == "ok" and "accuracy" in metrics


def test_a_likelihood_task_is_asked(checkout):
    follow(checkout, "A likelihood task")
    table = python(checkout, "", "-m", "essparse_lib.cli", "evaluate", "tiny-llama", "--tasks", "tiny-goals")
    assert re.search(r"^ *tiny-goals +32 ", table, flags=re.MULTILINE)


def test_a_model_is_loaded_by_its_name(checkout):
    follow(checkout, "A model")
    code = """
from essparse_lib import load_model, prunable_matrices
print(type(load_model("another-bert")).__name__, len(prunable_matrices(load_model("another-bert"))))
"""
    name, matrices = python(checkout, code).split()
    assert name.startswith("Bert") and int(matrices) == 12


@pytest.mark.notebook
def test_a_figure_is_run_and_drawn(checkout, tmp_path):
    follow(checkout, "A figure")
    python(checkout, "", "-m", "jupytext", "--quiet", "--to", "ipynb", "notebooks/fig12.py")
    python(checkout, "", "-m", "essparse_lib.cli", "run", "fig12", "--scale", "tiny")
    out = tmp_path / "out.ipynb"
    command = ("notebooks/fig12.ipynb", str(out), "-p", "scale", "tiny", "--no-progress-bar")
    python(checkout, "", "-m", "papermill", *command)
    assert "image/png" in out.read_text(encoding="utf-8")
    assert "fig12" in python(checkout, "", "-m", "essparse_lib.cli", "status")
    assert "notebooks/fig12" in (checkout / "_toc.yml").read_text(encoding="utf-8")


def test_a_claim_is_judged_from_records(checkout):
    follow(checkout, "A claim")
    code = f"""
import os
os.environ["ESSPARSE_RESULTS"] = {str(ROOT / "results")!r}
from essparse_lib.figures.verdicts import verdict
from essparse_lib.records.store import results
print(verdict("C13", "lab", results("lab").records()).text)
"""
    assert python(checkout, code).startswith("**C13: ")
