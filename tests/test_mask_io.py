"""Masks on disk: exact there and back, refused where they do not belong."""

import json
import os
from collections.abc import Mapping

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.pruning import mask_io
from essparse_lib.pruning.magnitude import global_magnitude
from essparse_lib.pruning.mask_io import (
    load_mask,
    mask_from_zeros,
    save_mask,
    weights_fingerprint,
)
from essparse_lib.pruning.masks import Mask
from essparse_lib.pruning.prunable import prunable_weights

shapes = st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=4)


def same(one, other):
    return list(one.keep) == list(other.keep) and all(torch.equal(one.keep[n], other.keep[n]) for n in one.keep)


def drawn(shapes, seed, density=0.5):
    """Weights, and a mask of them, of any shapes."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {f"w{number}": torch.randn(shape, generator=generator) for number, shape in enumerate(shapes)}
    keep = {name: torch.rand(t.shape, generator=generator) < density for name, t in tensors.items()}
    return tensors, Mask(dict(reversed(keep.items())))  # in an order of its own


@pytest.fixture
def saved(tmp_path):
    tensors, mask = drawn([[3, 5], [7], [64, 32]], 0)
    path = tmp_path / "mask.safetensors"
    save_mask(mask, tensors, path)
    return path, tensors, mask


@pytest.fixture
def bert():
    return loading.classifier("tiny-bert", 2, 0)


# On disk


@given(shapes, st.integers(0, 2**32), st.sampled_from([0, 0.1, 0.5, 1]))
def test_there_and_back(tmp_path_factory, shapes, seed, density):
    tensors, mask = drawn(shapes, seed, density)
    path = tmp_path_factory.mktemp("masks") / "mask"
    save_mask(mask, tensors, path)
    for again in (load_mask(path), load_mask(path, tensors)):
        assert same(again, mask)


def test_a_model_there_and_back(bert, tmp_path):
    mask = global_magnitude(prunable_weights(bert), 0.37)
    save_mask(mask, prunable_weights(bert), tmp_path / "mask")
    again = load_mask(tmp_path / "mask", prunable_weights(bert))
    assert same(again, mask)
    again.apply(bert)
    assert mask.drift(bert) == 0


def test_a_weight_takes_a_bit(tmp_path):
    tensors, mask = drawn([[400, 200]], 0)
    save_mask(mask, tensors, tmp_path / "mask")
    assert 10_000 < (tmp_path / "mask").stat().st_size < 10_600


def test_any_reader_of_safetensors_can_unpack_it(saved):
    path, _, mask = saved
    packed = safetensors.torch.load_file(path)["w0"]
    bits = [byte >> place & 1 for byte in packed.tolist() for place in range(7, -1, -1)]
    assert bits == [*mask.keep["w0"].flatten().int().tolist(), 0]


def test_the_same_mask_gives_the_same_bytes(saved, tmp_path):
    path, tensors, mask = saved
    save_mask(mask, dict(reversed(tensors.items())), tmp_path / "new folder" / "again")
    assert (tmp_path / "new folder" / "again").read_bytes() == path.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mask.safetensors", "new folder"]  # nothing is left over


class Lazy(Mapping):
    """A mask made as it is read, and transposed in memory."""

    def __init__(self, keep):
        self.keep, self.read = keep, 0

    def __getitem__(self, name):
        self.read += 1
        return self.keep[name].T.contiguous().T

    def __iter__(self):
        return iter(self.keep)

    def __len__(self):
        return len(self.keep)


def test_a_mask_made_as_it_is_read_is_read_once(saved, tmp_path):
    _, tensors, mask = saved
    tensors, keep = ({n: t for n, t in mapping.items() if t.dim() == 2} for mapping in (tensors, mask.keep))
    lazy = Mask(Lazy(keep))
    lazy.keep.read = 0  # what making the mask took
    save_mask(lazy, tensors, tmp_path / "mask")
    assert lazy.keep.read == len(keep)
    assert same(load_mask(tmp_path / "mask", tensors), Mask(keep))


def test_weights_that_the_mask_does_not_cover_may_be_there(saved):
    path, tensors, mask = saved
    assert same(load_mask(path, {**tensors, "another": torch.ones(2)}), mask)


def test_a_mask_of_other_weights_is_refused(saved):
    path, tensors, mask = saved
    trained = {name: t.clone() for name, t in tensors.items()}
    trained["w1"][6] = torch.nextafter(trained["w1"][6], torch.tensor(9.0))
    with pytest.raises(InputError) as caught:
        load_mask(path, trained)
    assert str(caught.value).startswith(f"the mask in {path} was made for other weights: ")
    assert "\n" not in str(caught.value)
    assert same(load_mask(path), mask)  # trained since: asked for
    with pytest.raises(InputError, match=r"other weights: w1 has shape \(7,\) there, no such weight here$"):
        load_mask(path, {"w0": tensors["w0"], "w2": tensors["w2"]})
    with pytest.raises(InputError, match=r"other weights: w1 has shape \(7,\) there, shape \(1, 7\) here$"):
        load_mask(path, {**tensors, "w1": tensors["w1"][None]})
    with pytest.raises(InputError, match="values differ"):
        load_mask(path, {**tensors, "w1": tensors["w1"].half()})


def test_a_mask_is_not_saved_for_weights_it_does_not_fit(saved, tmp_path):
    with pytest.raises(InputError, match=r"^the mask is not of these weights: w2 has shape \(64, 32\) there, no such"):
        save_mask(saved[2], {}, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("length", [0, 5, 8, 100, -1])
def test_a_cut_file_is_refused(saved, length):
    path = saved[0]
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match="is no mask's file, or a damaged one") as caught:
        load_mask(path)
    assert "\n" not in str(caught.value)


def test_one_bit_that_flips_anywhere_is_noticed(saved):
    path, tensors, _ = saved
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(InputError):
            load_mask(path, tensors)


def rewritten(path, change, checked=True):
    """The file with its description changed; as one that means harm would, checksum and all."""
    with safetensors.safe_open(path, "pt") as file:
        about = json.loads(file.metadata()[mask_io._ENTRY])
    change(about)
    packed = safetensors.torch.load_file(path)
    if checked:
        about["mask_sha256"] = mask_io._checksum(about["shapes"], {n: packed[n] for n, _ in about["shapes"]})
    path.write_bytes(safetensors.torch.save(packed, {mask_io._ENTRY: json.dumps(about)}))


@pytest.mark.parametrize(
    "shape", [[300, 5], [3, 1], [-3, -5], [-1, -15], [1, 1, 1, 0], [-15], ["a"], [3.0, 5.0], [[3], 5], 15, None, {}]
)
def test_a_shape_that_does_not_fit_is_refused(saved, shape):
    rewritten(saved[0], lambda about: about.update(shapes=[["w0", shape]]))
    with pytest.raises(InputError, match=r"cannot be read \(.+\): it is no mask's file, or a damaged one; save"):
        load_mask(saved[0])


@pytest.mark.parametrize(
    "change",
    [
        lambda about: about.clear(),
        lambda about: about.pop("weights_sha256"),
        lambda about: about.pop("mask_sha256"),
        lambda about: about.update(shapes=[["missing", [1]]]),
        lambda about: about.update(shapes=7),
        lambda about: about["shapes"].pop(),  # a matrix that is in the file
        lambda about: about["shapes"][-1].__setitem__(1, [5, 3]),  # as many weights, otherwise
    ],
)
def test_a_changed_description_is_refused(saved, change):
    rewritten(saved[0], change, checked=False)
    with pytest.raises(InputError, match=r"cannot be read \(.+\): it is no mask's file, or a damaged one; save"):
        load_mask(saved[0])


def test_other_files_are_refused(tmp_path, saved):
    other = tmp_path / "model.safetensors"
    safetensors.torch.save_file(saved[1], other)
    with pytest.raises(InputError, match="is no mask's file"):
        load_mask(other)
    safetensors.torch.save_file({"w": torch.ones(1)}, other, {mask_io._ENTRY: '{"shapes": [["w", [2]]]}'})
    with pytest.raises(InputError, match="is no mask's file"):
        load_mask(other)
    other.write_text("not a tensor in sight, but longer than eight bytes")
    with pytest.raises(InputError, match="is no mask's file"):
        load_mask(other)
    with pytest.raises(InputError, match=r"nowhere cannot be read \(No such file or directory\)"):
        load_mask(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"cannot be read \(it is a folder\)"):
        load_mask(tmp_path)


def test_a_folder_that_cannot_be_written_is_one_line(saved):
    path, tensors, mask = saved
    with pytest.raises(InputError, match=r"^cannot write .*; free some space or choose another folder$"):
        save_mask(mask, tensors, path / "below a file")


def test_a_crash_while_writing_leaves_the_old_file(saved, monkeypatch):
    path, tensors, mask = saved

    def crash(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        save_mask(Mask({"w1": torch.ones(7, dtype=torch.bool)}), tensors, path)
    assert same(load_mask(path, tensors), mask)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


# Fingerprints


def test_a_fingerprint_is_of_names_types_shapes_and_bytes():
    w = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    base = weights_fingerprint({"a": w, "b": w})
    assert base == weights_fingerprint({"b": w.clone(), "a": nn.Parameter(w)})
    assert base == weights_fingerprint({"a": w.T.contiguous().T, "b": w})
    changed = w.clone()
    changed[3, 5] = torch.nextafter(changed[3, 5], torch.tensor(9.0))
    others = [
        {"a": w},
        {"a": w, "c": w},
        {"a": w, "b": changed},
        {"a": changed, "b": w},
        {"a": w, "b": w.view(6, 4)},
        {"a": w, "b": w.view(torch.int32)},
        {"a": torch.cat([w, w]), "b": w[:0]},
        {},
    ]
    assert len({base, *map(weights_fingerprint, others)}) == len(others) + 1
    assert weights_fingerprint({"a": torch.tensor(0.0)}) != weights_fingerprint({"a": torch.tensor(-0.0)})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int8])
def test_every_type_has_a_fingerprint(dtype):
    assert weights_fingerprint({"a": torch.ones(3, dtype=dtype)}) != weights_fingerprint(
        {"a": torch.zeros(3, dtype=dtype)}
    )


def test_zeros_of_a_checkpoint_are_its_mask():
    tensors = {"a": torch.tensor([[0.0, -0.0], [1e-45, float("nan")]]), "b": torch.zeros(0, 3), "c": torch.ones(2)}
    mask = mask_from_zeros({name: nn.Parameter(t) for name, t in tensors.items()})
    assert mask.keep["a"].tolist() == [[False, False], [True, True]]
    assert mask.keep["b"].shape == (0, 3)
    assert mask.pruned == 2
    assert not mask.keep["c"].requires_grad


def test_masks_of_experts_are_kept_in_their_shape(tmp_path):
    tensors = {"experts.up": torch.randn(4, 6, 5), "experts.down": torch.randn(4, 5, 6), "router": torch.randn(4, 5)}
    mask = global_magnitude(tensors, 0.3)
    save_mask(mask, tensors, str(tmp_path / "mask"))
    again = load_mask(str(tmp_path / "mask"), tensors)
    assert same(again, mask) and again.keep["experts.up"].shape == (4, 6, 5)
    turned = {**tensors, "experts.up": tensors["experts.up"].transpose(1, 2)}
    with pytest.raises(InputError, match=r"experts\.up has shape \(4, 6, 5\) there, shape \(4, 5, 6\) here$"):
        load_mask(tmp_path / "mask", turned)


def test_a_mask_of_another_model_names_the_nearest_weights(saved):
    path, tensors, mask = saved
    renamed = {f"model.{name}": tensor for name, tensor in tensors.items()}
    for call in (lambda: load_mask(path, renamed), lambda: save_mask(mask, renamed, path)):
        with pytest.raises(InputError, match=r"no such weight here; did you mean 'model\.w\d'"):
            call()
