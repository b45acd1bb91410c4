"""The public face: what is imported lazily, what type checkers see, and what the tutorial uses are one list."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import essparse_lib

ROOT = Path(__file__).parents[1]
STUB = ROOT / "essparse_lib/__init__.pyi"

#: What a user of the library writes; under ``mypy --strict`` every name must have its type.
SCRIPT = """
from pathlib import Path

from essparse_lib import (
    METHODS, TASK_HEADS, TENTHS, Choice, Curve, Estimate, Evaluation, EvaluationStudy, InputError, Levels, Mask,
    Prompting, Pruning, Recipe, Record, Store, Study, Training, Trial, Verdict, accelerator, at_sparsities, count_zeros,
    choose_sparsity, curves, essential_sparsity, evaluate, execute, figures, fine_tune, global_magnitude, load_model,
    magnitude_levels, mask_from_zeros, prunable_weights, prune, results, save_pruned, tasks, turning_point, verdict,
)

model = load_model("bert-2x128-100-0")
levels: Levels = magnitude_levels(prunable_weights(model), [0.1, 0.2, 0.3])
mask: Mask = levels.mask(0.3)
mask.apply(model)
sparsity: float = mask.sparsity
recipe = Recipe(sparsity=0.3, method="magnitude")
line: str = save_pruned("bert-2x128-100-0", recipe, Path("pruned"))
also: Mask = prune(model, "bert-2x128-100-0", recipe).mask
names: list[str] = [method.name for method in METHODS.values()]
study: Study = figures.study("fig2", "lab")
store: Store = results("lab")
records: dict[str, Record] = store.records_of_studies(study)
all_curves: list[Curve] = curves(study, records)
estimate: Estimate = essential_sparsity(all_curves[0])
turn: Estimate = turning_point(all_curves[0])
choice: Choice = choose_sparsity(all_curves[0], 1.0)
safe: float = choice.sparsity
judged: Verdict = verdict("C1", "lab", records)
training = Training(epochs=1, batch_size=8, learning_rate=1e-3, max_length=32)
trial = Trial(model="tiny-bert", task="tiny-sentiment", seed=0, training=training, pruning=Pruning(sparsity=0.5))
record: Record = execute(trial)
asked = EvaluationStudy(
    figure="mine", scale="tiny", models=("tiny-llama",), tasks=("tiny-arc",), prompting={"*": Prompting(shots=2)}
)
evaluation: Evaluation = asked.trial("tiny-llama", "tiny-arc", Pruning(), 0)
scores: list[Estimate] = [result.score for result in evaluate("tiny-llama", ["tiny-arc"], against="tiny-opt-lm")]
prunings: tuple[Pruning, ...] = at_sparsities(TENTHS)
head = TASK_HEADS[tasks.get("tiny-sentiment").head]
splits = tasks.get("tiny-sentiment").splits()
losses: list[float] = fine_tune(
    model, head.encode(splits.train, "tiny-bert", 32), training, seed=0, devices=accelerator(), mask=mask
)
zeros: int = sum(count.exact for count in count_zeros(prunable_weights(model)).values())
try:
    global_magnitude(prunable_weights(model), 2.0)
except InputError as error:
    print(error, mask_from_zeros(prunable_weights(model)))
"""


def stub_names():
    """By module, the names that the stub exports."""
    found = {}
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                assert alias.name == alias.asname, alias.name
                found[alias.name] = node.module
    return found


def test_type_checkers_see_what_is_imported():
    assert stub_names() == essparse_lib._HOME
    assert (ROOT / "essparse_lib/py.typed").exists()


def test_every_name_is_where_the_face_says():
    for name in essparse_lib.__all__:
        assert getattr(essparse_lib, name) is not None


def test_no_name_shadows_what_torch_users_write():
    import torch

    nouns = {"zeros", "weights", "thresholds", "calibration"}
    assert not set(essparse_lib.__all__) & (nouns | {"save", "load", "tensor", "device", "optim", "cat", "where"})
    shared = {name for name in essparse_lib.__all__ if hasattr(torch, name)}
    assert not shared - {"accelerator"}


def test_what_pages_import_is_there():
    pages = [ROOT / "README.md", *(ROOT / "book").glob("*.md")]
    blocks = [block for page in pages for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)]
    lines = re.findall(r"^from (essparse_lib[\w.]*) import ([\w, ]+)$", "\n".join(blocks), re.MULTILINE)
    assert lines
    for module, names in lines:
        for name in names.split(", "):
            assert hasattr(importlib.import_module(module), name), f"{module} has no {name}"


def test_the_tutorial_uses_the_face():
    tree = ast.parse((ROOT / "notebooks/use-your-own-model.py").read_text())
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    face = {alias.name for node in imported if node.module == "essparse_lib" for alias in node.names}
    assert face - {"figures", "tasks"} <= set(essparse_lib.__all__)
    bench = ("pruning", "models", "training", "specs", "sparsify", "analysis", "tasks", "runner.task_heads")
    deep = {node.module for node in imported if (node.module or "").startswith("essparse_lib.")}
    assert not {module for module in deep if module.removeprefix("essparse_lib.").startswith(bench)}


@pytest.mark.slow
def test_a_script_that_uses_the_face_type_checks(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--no-incremental", "script.py"]
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nmypy_path = {ROOT}\n")
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
