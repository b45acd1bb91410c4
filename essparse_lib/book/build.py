"""The book: notebooks executed on copies, pages and notebooks staged into one folder, and built there.

The checkout is only read. Everything that is made lies in the folder asked for: the book in ``html``, the
executed notebooks in ``notebooks``, and while it is being built, the stage.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from ..errors import InputError
from ..figures import panels
from ..files import locked, sha256, writable, writing
from ..records.store import results_folder
from . import fragments

_NEEDED = ("_config.yml", "_toc.yml", "book", "notebooks")
_TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def build(out: Path) -> Path:
    """Execute the notebooks and build the book.

    A notebook whose source, records, package code and installed packages are as at the last build into ``out``
    is not executed again.

    Args:
        out: folder for everything that is made; it may exist.

    Returns:
        The built book's ``index.html``.

    Raises:
        InputError: this is no checkout, the book's tools are missing, ``out`` cannot be written, a notebook
            fails, or a page has a warning (the message names it).
    """
    root = checkout()
    for name in ("ESSPARSE_RESULTS", "ESSPARSE_CACHE"):
        if os.environ.get(name):  # the notebooks run in another folder
            os.environ[name] = str(Path(os.environ[name]).expanduser().absolute())
    math, vega = _mathjax(), _vega()
    out = out.absolute()
    with writable(out), locked(out / ".locks" / "book"), tempfile.TemporaryDirectory(prefix="stage-", dir=out) as made:
        stage = Path(made)
        executed = _executed(root, out / "notebooks")
        for name in ("_config.yml", "_toc.yml"):
            shutil.copyfile(root / name, stage / name)
        shutil.copytree(root / "book", stage / "book", ignore=shutil.ignore_patterns("__pycache__"))
        static = stage / "book" / "_static"
        static.mkdir(exist_ok=True)
        shutil.copyfile(math, static / math.name)
        (static / "vega.js").write_text(vega, encoding="utf-8")
        fragments.write(stage / "book" / "generated")
        (stage / "notebooks").mkdir()
        for name, notebook in executed.items():
            shutil.copyfile(notebook, stage / "notebooks" / name)
        _sphinx(stage)
        html = out / "html"
        if html.exists():
            html.rename(stage / "before")  # goes with the stage
        (stage / "_build" / "html").rename(html)
    return html / "index.html"


def checkout() -> Path:
    """The checkout that this is called in, or else that the package lies in.

    Raises:
        InputError: neither is one.
    """
    places = [*(Path.cwd() / "here").parents, Path(__file__).resolve().parents[2]]
    for place in places:
        if all((place / name).exists() for name in _NEEDED):
            return place
    raise InputError(
        f"{Path.cwd()} is in no checkout of the companion (a folder with {', '.join(_NEEDED)}), and the installed "
        "package is in none: clone the repository and call this in it"
    )


def _mathjax() -> Path:
    """The one file of MathJax that shows mathematics without a network, from its installed package."""
    try:
        files = metadata.files("sphinx-mathjax-offline") or []
        metadata.distribution("jupyter-book")
        metadata.distribution("papermill")
        return next(Path(str(f.locate())) for f in files if f.name == "tex-svg.js")
    except (metadata.PackageNotFoundError, StopIteration) as error:
        raise InputError(f"the book's tools are missing ({error}): pip install 'essparse[book]'") from error


def _vega() -> str:
    """What draws the panels, from its installed package; in a scope of its own, for it has names of one letter."""
    try:
        import vl_convert
    except ImportError as error:
        raise InputError(f"the book's tools are missing ({error}): pip install 'essparse[book]'") from error
    libraries = vl_convert.javascript_bundle()  # type: ignore[call-arg]
    return f"(() => {{{libraries}}})();\n"


def _executed(root: Path, kept: Path) -> dict[str, Path]:
    """Every notebook of the checkout, executed, by its name; those that are kept from before are taken as they are."""
    kept.mkdir(parents=True, exist_ok=True)
    common = _state(root)
    sources = sorted((root / "notebooks").glob("*.ipynb"))
    targets = [kept / f"{p.stem}-{_digest(common, sha256(p))}.ipynb" for p in sources]
    todo = [(s, t) for s, t in zip(sources, targets, strict=True) if not t.exists()]
    if todo:
        import joblib

        workers = min(len(todo), os.cpu_count() or 1)
        calls = [joblib.delayed(_execute)(source, target, root) for source, target in todo]
        failures = [message for message in joblib.Parallel(n_jobs=workers)(calls) if message]
        if failures:
            raise InputError("; ".join(failures))
    for old in set(kept.glob("*.ipynb")) - set(targets):
        old.unlink()
    return {source.name: target for source, target in zip(sources, targets, strict=True)}


def _execute(source: Path, target: Path, root: Path) -> str:
    """Execute a copy of a notebook into ``target``; returns what went wrong, or nothing.

    Points that have no record are not run: the book shows records alone.
    """
    import papermill
    from papermill.exceptions import PapermillException
    from traitlets.config import Config

    os.environ["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    parameters = {"live_tasks": "none"} if "live_tasks" in papermill.inspect_notebook(str(source)) else {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / source.name
        shutil.copyfile(source, copy)
        # Kernels that start at the same time may be given the same port, and one then fails; files are each one's own.
        sockets = {"transport": "ipc", "connection_file": f"{folder}/kernel.json"} if os.name == "posix" else {}
        try:
            papermill.execute_notebook(
                str(copy),
                str(copy),
                parameters,
                cwd=str(source.parent),
                kernel_name="python3",
                progress_bar=False,
                config=Config(KernelManager=sockets),
                extra_arguments=["--log-level=CRITICAL"],  # a kernel told to end reports that as an error
            )
        except PapermillException as error:
            return f"notebook {source.relative_to(root)} fails: {_last_line(str(error))}"
        notebook = json.loads(copy.read_text(encoding="utf-8"))
    # What papermill adds is not for the reader: its own cell, and when and where each cell ran.
    notebook["cells"] = [c for c in notebook["cells"] if "injected-parameters" not in c["metadata"].get("tags", [])]
    for part in (notebook, *notebook["cells"]):
        part["metadata"].pop("papermill", None)
    notebook["metadata"].pop("widgets", None)  # state of live panels: with it a page fetches scripts from the network
    for output in (output for cell in notebook["cells"] for output in cell.get("outputs", ())):
        if panels.MIME in output.get("data", {}):  # here the book's controls stand in for those of a live notebook
            output["data"] = {"text/html": panels.book_html(output["data"][panels.MIME])}
    with writing(target) as file:
        file.write(json.dumps(notebook).encode())
    return ""


def _state(root: Path) -> str:
    """A hash of all that a notebook's outputs depend on besides its source: code, records, installed packages."""
    package = Path(__file__).parents[1]
    files = sorted(package.rglob("*.py"))
    for folder in {results_folder(scale) for scale in ("lab", "paper")}:
        files += sorted(folder.glob("*/*.jsonl"))
    versions = sorted({f"{d.name} {d.version}" for d in metadata.distributions()})
    return _digest(sys.version, *versions, *(f"{path} {sha256(path)}" for path in files))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _sphinx(stage: Path) -> None:
    """Build the stage with Jupyter Book, every warning an error."""
    command = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
    options = ("build", ".", "-W", "-n", "--keep-going")
    done = subprocess.run(
        [sys.executable, "-c", command, *options], cwd=stage, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode or not (stage / "_build" / "html" / "index.html").exists():
        raise InputError(f"the book has warnings: {_complaints(stage, (done.stdout + done.stderr).splitlines())}")


def _complaints(stage: Path, lines: Sequence[str]) -> str:
    """The warnings and errors of Sphinx's output in one line, with paths as in the checkout."""
    plain = [_TERMINAL_COLOURS.sub("", line).replace(f"{stage.resolve()}{os.sep}", "").strip() for line in lines]
    found = [line for line in plain if re.search(r"\b(WARNING|ERROR|CRITICAL)\b", line)]
    return "; ".join(dict.fromkeys(found)) or next((line for line in reversed(plain) if line), "no output")


def _last_line(text: str) -> str:
    lines = [_TERMINAL_COLOURS.sub("", line).strip() for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "no message")
