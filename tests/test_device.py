"""Devices: each worker computes on the GPU that the fewest other workers use."""

import torch

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
