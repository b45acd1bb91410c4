"""Two processes of one launch train as one does, hold the mask, and write each record once."""

import re

import pytest
import torch
from helpers import launch
from safetensors.torch import load_file

from essparse_lib.records.store import Record
from essparse_lib.sources import tiny
from essparse_lib.training.loop import _share

#: Fine-tunes tiny-bert without dropout on 50 examples in batches of 16, so that the last batch of an epoch has 2 for
#: two processes, and (batches of 7) of 1, so that one process is left without any. Then the same on questions.
TRAIN = """
import sys
import torch
from accelerate import Accelerator
from safetensors.torch import save_file
from essparse_lib import tasks
from essparse_lib.models import loading
from essparse_lib.pruning.magnitude import global_magnitude
from essparse_lib.pruning.prunable import prunable_weights
from essparse_lib.runner.workbench import Workbench
from essparse_lib.specs.trial import Training
from essparse_lib.training.fine_tune import fine_tune

torch.set_num_threads(1)
devices = Accelerator(mixed_precision="no")
for task, batch_size in (("tiny-sentiment", 16), ("tiny-sentiment", 7), ("tiny-questions", 16)):
    data = Workbench().encoded(task, "tiny-bert", 32, 50, 0)
    head = tasks.get(task).head
    model = loading.load_with_head("tiny-bert", head, 2, 0).double()  # so that rounding is no difference
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    mask = global_magnitude(prunable_weights(model), 0.5)
    training = Training(epochs=3, batch_size=batch_size, learning_rate=1e-3, max_length=32)
    losses = fine_tune(model, data, training, 0, devices, mask)
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    state["losses"] = torch.tensor(losses)
    state["drift"] = torch.tensor(mask.drift(model))
    state["zeros"] = torch.tensor(sum(int((w == 0).sum()) for w in prunable_weights(model).values()))
    state["windows"] = torch.tensor(len(data))
    name = f"{task}-{batch_size}-{devices.num_processes}-{devices.process_index}"
    save_file(state, f"{sys.argv[1]}/{name}.safetensors")
"""

#: The runner on four trials, one of which diverges, as a script of a user would call it.
RUN = """
import sys
from dataclasses import replace
from pathlib import Path
from essparse_lib.errors import InputError
from essparse_lib.runner.scheduler import run
from essparse_lib.records.store import Store
from essparse_lib.specs.trial import Pruning, Training, Trial

store = Store(Path(sys.argv[1]) / "results")
training = Training(epochs=2, batch_size=16, learning_rate=1e-2, max_length=32, max_train=60)
dense = Trial(model="tiny-bert", task="tiny-sentiment", seed=0, training=training)
pruned = replace(dense, pruning=Pruning(sparsity=0.5))
diverging = replace(pruned, training=replace(training, epochs=1, learning_rate=1e30))
trials = [dense, pruned, diverging]
try:
    run(trials, store, workers=2)
except InputError as error:
    print("refused:", error, flush=True)
told = []
first = run(trials[:1], store, progress=told.append, budget=600)
rest = run(trials, store, progress=told.append)
print(f"left {len(first)} {len(rest)}, told {len(told)}", flush=True)
"""


#: The last process makes every tiny model, as it does where it is the first to need one.
MAKE = """
import os, sys
from pathlib import Path
import torch
from essparse_lib.sources import tiny, tiny_models

if os.environ["RANK"] == "1":
    for repository, make in tiny._MAKERS.items():
        if make.__module__ == tiny_models.__name__:
            folder = Path(sys.argv[1]) / repository
            folder.mkdir(parents=True)
            make(folder)
torch.distributed.barrier()
"""


@pytest.mark.slow
def test_a_tiny_model_is_whole_whichever_process_makes_it(tmp_path):
    launch(tmp_path, MAKE, 2)
    folders = sorted((tmp_path / "essparse").iterdir())
    assert len(folders) == 7
    for folder in folders:
        expected = tiny.folder(f"essparse/{folder.name}")
        assert {path.name for path in folder.iterdir()} == {path.name for path in expected.iterdir()}, folder.name
        made, here = (load_file(each / "model.safetensors") for each in (folder, expected))
        assert all(torch.equal(values, here[name]) for name, values in made.items()), folder.name


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the weights after training by one process, and in each of two."""
    folder = tmp_path_factory.mktemp("trained")
    for processes in (1, 2):
        launch(folder, TRAIN, processes)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "batch_size"), [("tiny-sentiment", 16), ("tiny-sentiment", 7), ("tiny-questions", 16)]
)
def test_two_processes_train_as_one(trained, task, batch_size):
    one, first, second = (load_file(trained / f"{task}-{batch_size}-{n}.safetensors") for n in ("1-0", "2-0", "2-1"))
    assert first.keys() == second.keys() == one.keys()
    for name in one:
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], one[name], rtol=1e-6, atol=1e-8, msg=lambda m, n=name: f"{n}: {m}")
    assert int(first["drift"]) == int(second["drift"]) == 0
    assert int(first["zeros"]) == 8192
    assert len(one["losses"]) == 3 * -(-int(one["windows"]) // batch_size)
    assert int(one["windows"]) == 50 if task == "tiny-sentiment" else int(one["windows"]) > 50


@pytest.mark.slow
def test_processes_share_each_trial_and_the_main_one_writes(tmp_path):
    printed = launch(tmp_path, RUN, 2)
    refusal = "refused: 2 jobs are not allowed under accelerate launch, which shares each trial: give 1"
    assert printed.count(refusal) == 2
    # found wherever they stand: the two processes may write on one line
    assert sorted(re.findall(r"left \d+ \d+, told \d", printed)) == ["left 0 0, told 0", "left 0 0, told 3"]
    (file,) = (tmp_path / "results").glob("*/*.jsonl")
    records = [Record.from_line(line) for line in file.read_bytes().splitlines()]
    assert [(r.status, r.spec.pruning.sparsity) for r in records] == [("ok", 0.0), ("ok", 0.5), ("diverged", 0.5)]
    assert [r.metrics.get("zeros") for r in records] == [0, 8192, None]
    assert {r.provenance["processes"] for r in records} == {2}


@pytest.mark.parametrize(("size", "ranks"), [(16, 2), (7, 2), (5, 4), (1, 2), (1, 3)])
def test_weighed_means_of_shares_are_the_mean_of_the_batch(size, ranks):
    batch = {"input_ids": torch.arange(3 * size).view(size, 3), "labels": torch.randn(size, dtype=torch.float64)}
    shares = [_share(batch, rank, ranks) for rank in range(ranks)]
    assert all(len(share["labels"]) == len(share["input_ids"]) >= 1 for share, _ in shares)
    mean = sum(weight * share["labels"].mean() for share, weight in shares) / ranks
    torch.testing.assert_close(mean, batch["labels"].mean())
    seen = torch.cat([share["input_ids"] for share, weight in shares if weight])
    assert sorted(seen[:, 0].tolist()) == batch["input_ids"][:, 0].tolist()


def test_a_share_needs_no_labels():
    batch = {"input_ids": torch.arange(10).view(5, 2), "start_positions": torch.arange(5)}
    shares = [_share(batch, rank, 2) for rank in range(2)]
    assert [share["start_positions"].tolist() for share, _ in shares] == [[0, 2, 4], [1, 3]]
    assert [weight for _, weight in shares] == [6 / 5, 4 / 5]


def test_one_process_gets_the_batch_itself():
    batch = {"labels": torch.zeros(3)}
    share, weight = _share(batch, 0, 1)
    assert share is batch
    assert weight == 1
