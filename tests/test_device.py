"""Devices: each worker computes on the GPU that the fewest other workers use; precision is set once a process."""

from types import SimpleNamespace

import pytest
import torch

from essparse_lib.errors import InputError
from essparse_lib.training import device


def test_workers_spread_over_the_gpus(empty_cache, monkeypatch):
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    locks_of_workers = [[] for _ in range(5)]  # all in this process, in which a lock is still taken only once
    for locks in locks_of_workers:
        monkeypatch.setattr(device, "_gpu_locks", locks)
        device.take_gpu()
        device.take_gpu()  # a worker chooses once
    assert chosen == [0, 1, 0, 1, 0]
    locks_of_workers[1][0].release()
    monkeypatch.setattr(device, "_gpu_locks", [])
    device.take_gpu()
    assert chosen[-1] == 1


def test_another_precision_that_accelerate_was_set_up_for_is_said_in_a_line(monkeypatch):
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()
    monkeypatch.setattr(device, "has_bf16", lambda: True)  # as on many a processor
    try:
        Accelerator(mixed_precision="no", cpu=True)
        with pytest.raises(InputError, match="another precision than 'bf16'"):
            device.accelerator()
    finally:
        AcceleratorState._reset_state()


def test_a_training_steps_after_a_loop_that_ended_amid_accumulation():
    from accelerate.state import GradientState

    from essparse_lib.training.loop import Schedule, train

    class Model(torch.nn.Linear):
        def forward(self, inputs):
            return SimpleNamespace(loss=super().forward(inputs).square().mean())

    model, devices = Model(4, 1), device.accelerator()
    before = model.weight.detach().clone()
    GradientState().sync_gradients = False
    train(model, [{"inputs": torch.ones(2, 4)}], Schedule(steps=2, learning_rate=0.1), devices)
    assert not torch.equal(model.weight, before)
