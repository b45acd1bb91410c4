"""Masks hold in models that several processes share: DDP, FSDP2, tensor parallelism, ZeRO; FSDP1 is refused."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

#: Trains a model in every way, and compares the whole weights with the mask.
SCRIPT = """
import copy, os, sys, warnings
warnings.simplefilter("ignore")
import torch, torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from essparse_lib.errors import InputError
from essparse_lib.pruning.absent import check_complete
from essparse_lib.pruning.masks import Mask

torch.set_num_threads(1)
# over a file: the store that is found by an address and a port listens on every address
rank, processes = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE"))
dist.init_process_group("gloo", init_method=f"file://{os.environ['STORE']}", rank=rank, world_size=processes)
mesh = init_device_mesh("cpu", (dist.get_world_size(),))
SIZE = 7

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(SIZE, SIZE), nn.Tanh()) for _ in range(2))
        self.head = nn.Linear(SIZE, 1)
    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x)

def sharded(model):
    for layer in model.layers:
        fully_shard(layer, mesh=mesh)
    return fully_shard(model, mesh=mesh)

def by_tensors(model):
    return parallelize_module(model, mesh, {"layers.0.0": ColwiseParallel(), "layers.1.0": RowwiseParallel()})

WAYS = {
    "DDP": nn.parallel.DistributedDataParallel,
    "FSDP2": sharded,
    "FSDP2 of a compiled model": lambda model: sharded(model) and torch.compile(model, backend="eager"),
    "ZeRO": nn.parallel.DistributedDataParallel,
    "tensors": by_tensors,
}

def whole(tensor):
    return tensor.detach().full_tensor() if isinstance(tensor, DTensor) else tensor.detach()

for name, wrap in WAYS.items():
    SIZE = 8 if name == "tensors" else 7  # 7: uneven shards
    torch.manual_seed(0)
    plain = Net()
    mask = Mask({f"layers.{i}.0.weight": torch.rand(SIZE, SIZE) > 0.5 for i in range(2)})
    reference = copy.deepcopy(plain)
    model = wrap(plain)
    settings = {"lr": 0.05, "weight_decay": 0.1}
    plain_optimizer = torch.optim.AdamW(reference.parameters(), **settings)
    if name == "ZeRO":
        optimizer = ZeroRedundancyOptimizer(model.parameters(), torch.optim.AdamW, **settings)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), **settings)
    x = torch.randn(4, SIZE)
    with torch.no_grad():
        model(x)  # FSDP2 leaves whole copies of the root's weights behind
    removed = sum(int((~kept).sum()) for kept in mask.keep.values())
    assert mask.drift(model) == removed, name
    mask.apply(model)
    assert mask.drift(model) == 0, name
    for trained, its in ((model, optimizer), (reference, plain_optimizer)):
        with mask.held(trained, its):
            for _ in range(3):
                trained(x).square().mean().backward()
                its.step()
                its.zero_grad()
                assert mask.drift(trained) == 0, name
    for i in range(2):
        weight, kept = whole(plain.layers[i][0].weight), mask.keep[f"layers.{i}.0.weight"]
        assert not weight[~kept].any() and weight[kept].all(), name
        torch.testing.assert_close(weight, reference.layers[i][0].weight.detach(), msg=name)
    with torch.no_grad():
        for parameter in plain.layers[1].parameters():
            whole_before = whole(parameter)
            parameter += 1
    assert mask.drift(model) == int((~mask.keep["layers.1.0.weight"]).sum()), name
    if "FSDP2" in name:
        try:
            check_complete("layers.0.0.weight", plain.layers[0][0].weight)
        except InputError as error:
            assert "is sharded over processes" in str(error)
        else:
            raise AssertionError(name)
    print(name, flush=True)

mask = Mask({"layers.0.0.weight": torch.eye(SIZE) > 0})
for use_orig_params in (False, True):
    model = FullyShardedDataParallel(Net(), device_id=torch.device("cpu"), use_orig_params=use_orig_params)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    try:
        with mask.held(model, optimizer):  # one process has whole weights, if under their names
            model(torch.randn(4, SIZE)).sum().backward()
            optimizer.step()
    except InputError as error:
        print(error, flush=True)
    else:
        with FullyShardedDataParallel.summon_full_params(model):
            assert mask.drift(model) == 0
    with FullyShardedDataParallel.summon_full_params(model):  # what the message says to do
        mask.apply(model)
    with FullyShardedDataParallel.summon_full_params(model):
        assert mask.drift(model) == 0
dist.destroy_process_group()
"""


def launch(processes):
    """Return what the script prints in each of so many processes."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.py"
        script.write_text(SCRIPT)
        shared = {
            "STORE": f"{folder}/store",
            "GLOO_SOCKET_IFNAME": "lo",
            "WORLD_SIZE": str(processes),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }
        started = [
            subprocess.Popen(
                [sys.executable, str(script)],
                env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(processes)
        ]
        results = [process.communicate(timeout=300) for process in started]
    for process, (_, errors) in zip(started, results, strict=True):
        assert process.returncode == 0, errors[-2000:]
    return [printed.splitlines() for printed, _ in results]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_masks_hold_in_models_that_processes_share(processes):
    ways = ["DDP", "FSDP2", "FSDP2 of a compiled model", "ZeRO", "tensors"]
    for lines in launch(processes):
        assert lines[: len(ways)] == ways
        assert len(lines) == len(ways) + 2 - (processes == 1)  # one process has whole weights, if under their names
        assert all(
            "layers.0.0.weight is flattened by FullyShardedDataParallel (FSDP1): shard with" in line
            for line in lines[len(ways) :]
        )
