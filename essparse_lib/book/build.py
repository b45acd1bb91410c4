"""Building the book: copies of the notebooks are executed, put into one folder with the pages, and built there.

The checkout is only read. Everything that is made lies in the output folder: the book in ``html``, the executed
notebooks in ``notebooks``, and during the build a temporary folder, the stage. The output folder is a new one, or one
that bears the book's mark. What else lies in it is left alone: only what bears the signs of an earlier build, as that
left it, is replaced or deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import environment
from ..errors import InputError
from ..figures import panel_chart
from ..files import check_new_folder, locked, sha256, writable, writing, writing_folder
from ..records.store import results_folder
from ..stopping import bound, in_workers
from ..temporaries import TEMPORARY, make_folder, temporary_folder
from . import downloads, plain_sphinx
from . import stage as stages

_NEEDED = ("_config.yml", "_toc.yml", "CITATION.cff", "book", "notebooks")
#: The file that marks an output folder as the book's.
MARK = ".essparse-book"
_MARK_TEXT = "essparse book replaces html and the notebooks that it executed here; anything else is left alone.\n"
_OF_EARLIER = {"html", "notebooks", ".locks"}
#: What a notebook's metadata call the hash by which its name and content are known as the build's.
_SIGNATURE = "essparse"
#: Bytes that the path of a socket may have on macOS; 107 on Linux.
_LONGEST_SOCKET = 103
_TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def build(out: Path, sphinx: str = "") -> Path:
    """Execute the notebooks and build the book.

    A notebook is executed again only if its source, the records, the package's code or the installed packages have
    changed since the last build into ``out``.

    Args:
        out: folder for everything that is made: a new or an empty one, or that of an earlier build.
        sphinx: the interpreter of an environment with plain Sphinx, which then makes the pages (``plain_sphinx``);
            empty for Jupyter Book.

    Returns:
        The built book's ``index.html``.

    Raises:
        InputError: there is no checkout, the book's tools are missing, ``out`` is another folder or cannot be
            written, a notebook fails, or a page has a warning (the message names it).
    """
    root = checkout()
    for name in ("ESSPARSE_RESULTS", "ESSPARSE_CACHE"):
        if folder := environment.folder(name):  # the notebooks run in another folder
            os.environ[name] = str(folder.absolute())
    _check_out(out, root)
    scripts = stages.scripts(("papermill",) if sphinx else ("papermill", "jupyter-book"))
    out = out.absolute()
    html = out / "html"
    if not (out / MARK).exists():
        with writing(out / MARK) as file:
            file.write(_MARK_TEXT.encode())
    with writable(out), locked(out / ".locks" / "book"), temporary_folder(out) as stage:
        executed = _executed(root, out / "notebooks")
        stages.fill(stage, root, executed, scripts)
        _make_pages(stage, sphinx)
        stages.tidy(stage / "_build" / "html", root, executed)
        with writing_folder(html, replaces=True) as made:
            made.rmdir()
            (stage / "_build" / "html").rename(made)
    return html / "index.html"


def _check_out(out: Path, root: Path) -> None:
    """Check that the output folder is a new or empty one outside the sources, or bears the mark of an earlier build.

    A folder of a version without marks is refused: nothing tells it from somebody's own ``html`` and ``notebooks``.
    """
    refused = f"the book cannot be built in {str(out)!r}"
    sources = [root / name for name in ("book", "notebooks", "essparse_lib", "results")]
    if any(out.resolve().is_relative_to(folder.resolve()) for folder in sources):
        raise InputError(f"{refused}, among its sources: name a folder elsewhere")
    with writable(out):
        entries = {path.name for path in out.iterdir()} if out.is_dir() and not out.is_symlink() else set()
    others = {name for name in entries if not name.startswith(TEMPORARY)}
    if MARK in others:
        for folder in (out / "notebooks", out / ".locks"):
            if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
                raise InputError(f"{refused}: {folder} is no folder of the book; move it away")
        check_new_folder(out / "html", replaces=True)
    elif others:
        earlier = "; if an earlier version of the book made it, delete it" if others <= _OF_EARLIER else ""
        raise InputError(f"{refused}, which is not empty and not a book's: name a new folder{earlier}")
    elif not entries:  # else a build was killed before it wrote the mark
        check_new_folder(out)


def checkout() -> Path:
    """Return the checkout that holds the current folder, or else the one that holds the package.

    Raises:
        InputError: there is neither.
    """
    folder = Path.cwd()
    for candidate in (folder, *folder.parents, Path(__file__).resolve().parents[2]):
        if all((candidate / name).exists() for name in _NEEDED):
            return candidate
    raise InputError(
        f"{Path.cwd()} is in no checkout of the companion (a folder with {', '.join(_NEEDED)}), and the installed "
        "package is in none: clone the repository and call this in it"
    )


def _executed(root: Path, folder: Path) -> dict[str, Path]:
    """Execute the notebooks of a checkout that have changed; return all executed notebooks, by name.

    Args:
        root: the checkout.
        folder: where executed notebooks are kept. The name of each holds a hash of all that its outputs depend on.
    """
    make_folder(folder)
    state = _state()
    targets = {}
    for source in sorted((root / "notebooks").glob("*.ipynb")):
        targets[source] = folder / f"{source.stem}-{_digest(state, sha256(source))}.ipynb"
    changed = {source: target for source, target in targets.items() if not target.exists()}
    if changed:
        import joblib

        # A worker of its own also for one notebook: this process must be free for Ctrl-C, which nbclient would take.
        workers = max(2, min(len(changed), os.cpu_count() or 1))
        # The folder is this process's, since workers may end at any moment. Paths in it name sockets, and are short.
        with temporary_folder(Path(tempfile.gettempdir())) as temporary:
            calls = [
                joblib.delayed(_execute)(*pair, root, temporary / str(number))
                for number, pair in enumerate(changed.items())
            ]
            failures = sorted(message for message in in_workers(calls, workers) if message)
        if failures:
            raise InputError("; ".join(failures))
    for path in set(folder.glob("*.ipynb")) - set(targets.values()):
        if _is_executed(path):
            path.unlink()
    return {source.name: target for source, target in targets.items()}


def _execute(source: Path, target: Path, root: Path, folder: Path) -> str:
    """Execute a copy of a notebook and write it to ``target``; return a message if it fails, else an empty text.

    Points that have no record are not run: the book shows records alone. The copy is made in ``folder``, which is new.
    """
    import papermill
    from jupyter_client.manager import AsyncKernelManager
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillException
    from traitlets.config import Config

    class BoundKernel(AsyncKernelManager):
        """Starts a kernel that ends with this process, and whose own messages are kept for the case that it dies."""

        def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
            return bound(super().format_kernel_cmd(extra_arguments))

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            with messages.open("ab") as file:
                await super().start_kernel(stderr=file, **options)

    os.environ["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    parameters = {"live_tasks": "none"} if "live_tasks" in papermill.inspect_notebook(str(source)) else {}
    folder.mkdir()
    copy, messages = folder / source.name, folder / "messages"
    notebook = json.loads(source.read_text(encoding="utf-8"))
    downloads.add_cells(notebook)
    copy.write_text(json.dumps(notebook), encoding="utf-8")
    # Two kernels that start at the same time may get the same port, and one then fails. So each gets a socket file,
    # unless its path would be longer than systems allow.
    has_sockets = os.name == "posix" and len(os.fsencode(folder / "kernel-ipc-5")) <= _LONGEST_SOCKET
    sockets = {"transport": "ipc", "connection_file": f"{folder}/kernel.json"} if has_sockets else {}
    try:
        papermill.execute_notebook(
            str(copy),
            str(copy),
            parameters,
            cwd=str(source.parent),
            kernel_name="python3",
            progress_bar=False,
            config=Config(KernelManager=sockets),
            kernel_manager_class=BoundKernel,
        )
    except DeadKernelError as error:
        said = messages.read_text(encoding="utf-8", errors="replace")
        return f"notebook {source.relative_to(root)} fails: {error}; its last message: {_last_line(said)}"
    except PapermillException as error:
        return f"notebook {source.relative_to(root)} fails: {_last_line(str(error))}"
    notebook = json.loads(copy.read_text(encoding="utf-8"))
    # The reader need not see what papermill adds: its own cell, and when and where each cell ran.
    notebook["cells"] = [c for c in notebook["cells"] if "injected-parameters" not in c["metadata"].get("tags", [])]
    downloads.take_cells(notebook)
    downloads.say_time(notebook, notebook["metadata"]["papermill"]["duration"])
    for part in (notebook, *notebook["cells"]):
        part["metadata"].pop("papermill", None)
    notebook["metadata"].pop("widgets", None)  # state of live panels: with it a page fetches scripts from the network
    for output in (output for cell in notebook["cells"] for output in cell.get("outputs", ())):
        if panel_chart.MIME in output.get("data", {}):  # the book has controls of its own, which need no kernel
            output["data"] = {"text/html": panel_chart.book_html(output["data"][panel_chart.MIME])}
    notebook["metadata"][_SIGNATURE] = _digest(target.name, json.dumps(notebook))
    with writing(target) as file:
        file.write(json.dumps(notebook).encode())
    return ""


def _is_executed(path: Path) -> bool:
    """Return whether a notebook is one that was executed for the book, under this name and unchanged since."""
    try:
        notebook = json.loads(path.read_bytes())
        signature = notebook["metadata"].pop(_SIGNATURE)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False  # somebody else's
    return not path.is_symlink() and signature == _digest(path.name, json.dumps(notebook))


def _state() -> str:
    """Return a hash of all that a notebook's outputs depend on besides its source: code, records, packages."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    for folder in {results_folder(scale) for scale in ("lab", "paper")}:
        files += sorted((*folder.glob("*/*.jsonl"), *folder.parent.glob("*.json")))
    versions = sorted({f"{package.name} {package.version}" for package in metadata.distributions()})
    return _digest(sys.version, *versions, *(f"{path} {sha256(path)}" for path in files))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _make_pages(stage: Path, sphinx: str) -> None:
    """Make the pages of a stage with Jupyter Book, or with plain Sphinx; every warning is an error."""
    if sphinx:
        plain_sphinx.prepare(stage)
        command = plain_sphinx.command(sphinx)
    else:
        code = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
        command = [sys.executable, "-c", code, "build", ".", "-W", "-n", "--keep-going"]
    done = subprocess.run(bound(command), cwd=stage, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode or not (stage / "_build" / "html" / "index.html").exists():
        raise InputError(f"the book has warnings: {_complaints(stage, (done.stdout + done.stderr).splitlines())}")


def _complaints(stage: Path, lines: Sequence[str]) -> str:
    """Return the warnings and errors of Sphinx's output in one line, with paths as in the checkout."""
    plain = [_TERMINAL_COLOURS.sub("", line).replace(f"{stage.resolve()}{os.sep}", "").strip() for line in lines]
    warnings = [line for line in plain if re.search(r"\b(WARNING|ERROR|CRITICAL)\b", line)]
    return "; ".join(dict.fromkeys(warnings)) or next((line for line in reversed(plain) if line), "no output")


def _last_line(text: str) -> str:
    lines = [_TERMINAL_COLOURS.sub("", line).strip() for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "no message")
