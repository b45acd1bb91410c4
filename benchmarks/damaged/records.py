"""Records that are damaged, or signed with something wrong in them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from essparse_lib.figures import study
from essparse_lib.records.integrity import checksum
from essparse_lib.records.store import results_folder

from .attempt import Attempt, End, Work, command

_Plain = dict[str, Any]
_NAN, _INFINITY = float("nan"), float("inf")
_DEEP = "[" * 10_000 + "]" * 10_000


@cache
def _base(kind: str) -> bytes:
    """Return a committed line: of a ``trial``, a ``pruned-share`` or a ``pretraining``."""
    spec = next(spec for spec in study("fig2", "lab").specs() if spec.model == "minilm-l6")
    file = {"trial": "rte", "pruned-share": "pruned-share", "pretraining": "pretraining"}[kind]
    model = "bert-2x128-100-0" if kind == "pretraining" else spec.model
    return (results_folder("lab") / model / f"{file}.jsonl").read_bytes().partition(b"\n")[0]


def _place(kind: str) -> Path:
    """Return where the line of ``_base`` belongs, under the folder of results."""
    model = "bert-2x128-100-0" if kind == "pretraining" else "minilm-l6"
    return Path("results", "lab", model, f"{'rte' if kind == 'trial' else kind}.jsonl")


def _signed(plain: _Plain) -> bytes:
    """Return plain data as a line with a right checksum, whatever the data are."""
    plain.pop("checksum", None)
    line = json.dumps(plain, ensure_ascii=False).encode(errors="surrogatepass")
    return line[:-1] + f', "checksum": "{checksum(line)}"}}'.encode()


def _set(*path: str, to: Any) -> Callable[[_Plain], None]:
    """Return a change that gives a field, named by the way to it, another value."""

    def change(plain: _Plain) -> None:
        *above, last = path
        for name in above:
            plain = plain[name]
        plain[last] = to

    return change


def _without(*path: str) -> Callable[[_Plain], None]:
    def change(plain: _Plain) -> None:
        *above, last = path
        for name in above:
            plain = plain[name]
        del plain[last]

    return change


#: What is changed in a trial's record before it is signed anew.
_TRIAL: dict[str, Callable[[_Plain], None]] = {
    "a metric that is NaN": _set("metrics", "final_loss", to=_NAN),
    "a metric that is infinite": _set("metrics", "final_loss", to=_INFINITY),
    "a metric that is text": _set("metrics", "final_loss", to="0.3"),
    "a metric that is true": _set("metrics", "zeros", to=True),
    "a metric that is none": _set("metrics", "accuracy", to=None),
    "a metric of 10^400": _set("metrics", "zeros", to=10**400),
    "a metric that is a list": _set("metrics", "zeros", to=[1]),
    "an accuracy of 250": lambda plain: (plain.pop("predictions"), _set("metrics", "accuracy", to=250.0)(plain)),
    "an accuracy below 0": lambda plain: (plain.pop("predictions"), _set("metrics", "accuracy", to=-1.0)(plain)),
    "an accuracy that its predictions deny": _set("metrics", "accuracy", to=99.0),
    "zeros below 0": _set("metrics", "zeros", to=-5),
    "more zeros than weights": _set("metrics", "zeros", to=10**12),
    "metrics that are a list": _set("metrics", to=[1, 2]),
    "metrics that are text": _set("metrics", to="accuracy"),
    "predictions of another length": _set("predictions", to="01"),
    "predictions that are a list": _set("predictions", to=[0, 1]),
    "predictions that are a number": _set("predictions", to=7),
    "predictions that are no digits": lambda plain: _set("predictions", to="é" * len(plain["labels"]))(plain),
    "labels of another length": _set("labels", to="01"),
    "labels that are an object": _set("labels", to={"0": 1}),
    "half a surrogate pair in predictions": lambda plain: _set("predictions", to="\ud800" * len(plain["labels"]))(
        plain
    ),
    "provenance that is text": _set("provenance", to="here"),
    "provenance that is a list": _set("provenance", to=["here"]),
    "seconds that are text": _set("provenance", "seconds", to="9.4 s"),
    "seconds that are below 0": _set("provenance", "seconds", to=-9.4),
    "seconds that are NaN": _set("provenance", "seconds", to=_NAN),
    "a device that is a number": _set("provenance", "device", to=3),
    "versions that are a list": _set("provenance", "versions", to=["torch"]),
    "a time of finishing that is a number": _set("provenance", "finished", to=5),
    "a seed below 0": _set("trial", "seed", to=-1),
    "a seed that is text": _set("trial", "seed", to="1"),
    "a seed of 30 digits": _set("trial", "seed", to=10**29),
    "a model that is a number": _set("trial", "model", to=7),
    "a model that leaves the folder": _set("trial", "model", to="../.."),
    "a model with NUL": _set("trial", "model", to="a\x00b"),
    "a task that is none": _set("trial", "task", to=None),
    "a task that leaves the folder": _set("trial", "task", to="../../x"),
    "a task of another file": _set("trial", "task", to="sst2"),
    "a trial that is a list": _set("trial", to=[]),
    "a trial without a model": _without("trial", "model"),
    "a training that is text": _set("trial", "training", to="long"),
    "a training of −3 epochs": _set("trial", "training", "epochs", to=-3),
    "a batch of 0": _set("trial", "training", "batch_size", to=0),
    "a learning rate that is NaN": _set("trial", "training", "learning_rate", to=_NAN),
    "a sparsity of 1.5": _set("trial", "pruning", "sparsity", to=1.5),
    "a sparsity that is text": _set("trial", "pruning", "sparsity", to="0.2"),
    "a sparsity that is NaN": _set("trial", "pruning", "sparsity", to=_NAN),
    "no status": _without("status"),
    "a status that is a list": _set("status", to=["ok"]),
    "a status that is unknown": _set("status", to="splendid"),
    "an id that is a number": _set("id", to=5),
    "another id": _set("id", to="0" * 16),
    "no id": _without("id"),
    "an unknown field": _set("surprise", to=1),
    "two kinds of spec": lambda plain: _set("measurement", to=plain["trial"])(plain),
    "a reason that is an object": _set("reason", to={"x": 1}),
    "values that are text": _set("values", to="many"),
    "no metrics, but ok": _without("metrics"),
}

#: What is changed in the record of a measurement, whose values are its result.
_MEASUREMENT: dict[str, Callable[[_Plain], None]] = {
    "no values": _without("values"),
    "values that are a list": _set("values", to=[1]),
    "values without their matrices": _without("values", "matrices"),
    "matrices that are text": _set("values", "matrices", to="all"),
    "matrices that are numbers": _set("values", "matrices", to=[1, 2]),
    "a size that is text": lambda plain: _set("size", to="large")(plain["values"]["matrices"][0]),
    "a depth that is none": lambda plain: _set("depth", to=None)(plain["values"]["matrices"][0]),
    "a count that is NaN": lambda plain: _set("pruned", to=_NAN)(plain["values"]["matrices"][0]),
    "more pruned than there are": lambda plain: _set("pruned", to=10**12)(plain["values"]["matrices"][0]),
    "a sparsity that is a list": _set("measurement", "sparsity", to=[0.2]),
    "a kind that is unknown": lambda plain: _set("measurement", "kind", to="beauty")(plain),
}

#: What is changed in the record of a pre-training.
_PRETRAINING: dict[str, Callable[[_Plain], None]] = {
    "a loss that is text": _set("metrics", "held_out_loss", to="low"),
    "a million layers": _set("pretraining", "layers", to=10**6),
    "layers that are text": _set("pretraining", "layers", to="two"),
    "dynamics that are a list": _set("values", "dynamics", to=[]),
    "dynamics without places": _without("values", "dynamics", "places"),
    "places that are numbers": _set("values", "dynamics", "places", to=[1, 2, 3]),
}

_CHANGES = {"trial": _TRIAL, "pruned-share": _MEASUREMENT, "pretraining": _PRETRAINING}

#: What is done to a line of bytes.
_BYTES: dict[str, Callable[[bytes], bytes]] = {
    "half a line": lambda line: line[: len(line) // 2],
    "a byte flipped": lambda line: line[:60] + bytes([line[60] ^ 1]) + line[61:],
    "no UTF-8": lambda line: line[:60] + b"\xff\xfe" + line[60:],
    "NUL bytes": lambda line: bytes(200),
    "random bytes": lambda line: bytes(range(1, 256)).replace(b"\n", b""),
    "10,000 nested lists": lambda line: _DEEP.encode(),
    "10,000 nested lists as a value": lambda line: line[:-1] + b', "x": ' + _DEEP.encode() + b"}",
    "10,000 nested lists, signed": lambda line: _signed_text(line, ', "values": ' + _DEEP),
    "a list": lambda line: b"[1, 2]",
    "a number": lambda line: b"5",
    "a number of 10,000 digits": lambda line: b"9" * 10_000,
    "none": lambda line: b"null",
    "an empty object": lambda line: b"{}",
    "a name twice": lambda line: _signed_text(line, ', "status": "ok"'),
    "a second record of one id with other metrics": lambda line: line + b"\n" + _signed(_other_loss(line)),
}


def _signed_text(line: bytes, more: str) -> bytes:
    """Return a line with more text before its end, signed anew."""
    content = line[: line.index(b', "checksum"')] + more.encode() + b"}"
    return content[:-1] + f', "checksum": "{checksum(content)}"}}'.encode()


def _other_loss(line: bytes) -> _Plain:
    plain: _Plain = json.loads(line)
    plain["metrics"]["final_loss"] = 9.0
    return plain


#: What may lie where a file of records should be.
_FILES: dict[str, Callable[[Path], object]] = {
    "a folder with a file's name": lambda path: path.mkdir(),
    "a named pipe": lambda path: os.mkfifo(path),
    "300 MB": lambda path: path.write_bytes(b"x" * 300_000_000),
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
}


def _write(kind: str, content: bytes) -> Work:
    def prepare(folder: Path) -> None:
        path = folder / _place(kind)
        path.parent.mkdir(parents=True)
        path.write_bytes(content + b"\n")

    return prepare


def _changed(kind: str, change: Callable[[_Plain], None]) -> bytes:
    plain = json.loads(_base(kind))
    change(plain)
    return _signed(plain)


def _put(make: Callable[[Path], object]) -> Work:
    def prepare(folder: Path) -> None:
        path = folder / _place("trial")
        path.parent.mkdir(parents=True)
        make(path)

    return prepare


def _mended(folder: Path) -> None:
    """Mend the records, and read them."""
    from essparse_lib.records.store import Store

    store = Store(folder / "results" / "lab")
    if not store.mend():
        raise AssertionError("nothing was mended")
    store.records()


def _elsewhere(prepare: Work) -> Work:
    """Return a preparation that puts the records where ``merge`` is to take them from."""

    def moved(folder: Path) -> None:
        prepare(folder)
        (folder / "results").rename(folder / "other")

    return moved


def attempts() -> Iterator[Attempt]:
    """Yield every damage to records, each with every reader."""
    signed = {
        f"{kind}: {name}": _changed(kind, change)
        for kind, changes in _CHANGES.items()
        for name, change in changes.items()
    }
    kinds = {name: name.partition(":")[0] for name in signed}
    spoilt = {name: change(_base("trial")) for name, change in _BYTES.items()}
    prepared = {name: _write(kinds.get(name, "trial"), content) for name, content in {**signed, **spoilt}.items()}
    for name, prepare in prepared.items():
        yield _attempt("essparse status", name, prepare, command("status"))
        yield _attempt("essparse merge", name, _elsewhere(prepare), command("merge", "other"))
        yield _attempt("essparse mend, and reading", name, prepare, _mended, End.READ)
    for name, make in _FILES.items():
        for reader, arguments in (("essparse status", ("status",)), ("essparse mend", ("mend", "results/lab"))):
            yield _attempt(reader, name, _put(make), command(*arguments))
        yield _attempt("essparse merge", name, _elsewhere(_put(make)), command("merge", "other"))


def _attempt(reader: str, damage: str, prepare: Work, read: Work, expected: End = End.REFUSED) -> Attempt:
    return Attempt(kind="records", reader=reader, damage=damage, prepare=prepare, read=read, expected=expected)
