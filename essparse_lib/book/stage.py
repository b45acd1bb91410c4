"""The stage: a folder with all that Sphinx makes pages of, the same for both ways to build the book.

It holds the pages, the executed notebooks, the parts of pages that are made from records, the scripts that readers
need, taken from installed packages, and the files of each plot that can be downloaded.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from ..errors import InputError
from . import citation, downloads, fragments


def scripts(tools: Iterable[str] = ()) -> dict[str, str]:
    """Return the scripts that the pages load, by the names of their files.

    These are the one file of MathJax that shows mathematics without a network, and what draws the panels, wrapped in a
    function because its global names have one letter.

    Args:
        tools: further packages that must be installed, so that a lack is seen before notebooks are executed.

    Raises:
        InputError: the book's tools are not installed.
    """
    try:
        files = metadata.files("sphinx-mathjax-offline") or []
        for tool in tools:
            metadata.distribution(tool)
        mathjax = next(Path(str(file.locate())) for file in files if file.name == "tex-svg.js")
        import vl_convert
    except (metadata.PackageNotFoundError, StopIteration, ImportError) as error:
        raise InputError(f"the book's tools are missing ({error}): pip install 'essparse[book]'") from error
    libraries = vl_convert.javascript_bundle()  # type: ignore[call-arg]
    return {mathjax.name: mathjax.read_text(encoding="utf-8"), "vega.js": f"(() => {{{libraries}}})();\n"}


def fill(stage: Path, root: Path, executed: Mapping[str, Path], scripts: Mapping[str, str]) -> None:
    """Fill an empty folder with all that Sphinx needs.

    Args:
        stage: the folder.
        root: the checkout.
        executed: the executed notebooks by the names that they have on the stage.
        scripts: as ``scripts`` returns them.

    Raises:
        InputError: a record is damaged (the message names it).
    """
    for name in ("_config.yml", "_toc.yml"):
        shutil.copyfile(root / name, stage / name)
    shutil.copytree(root / "book", stage / "book", ignore=shutil.ignore_patterns("__pycache__"))
    static = stage / "book" / "_static"
    static.mkdir(exist_ok=True)
    for name, script in scripts.items():
        (static / name).write_text(script, encoding="utf-8")
    fragments.write(stage / "book" / "generated", executed.values())
    cited = citation.read(root)
    (stage / "book" / "generated" / "citation.md").write_text(citation.fragment(cited), encoding="utf-8")
    notes = {"licence": citation.LICENCE, "cite": citation.sentence(cited)}
    (stage / "notebooks").mkdir()
    for name, path in executed.items():
        notebook = json.loads(path.read_text(encoding="utf-8"))
        downloads.unpack(notebook, stage / downloads.FOLDER, notes)
        (stage / "notebooks" / name).write_text(json.dumps(notebook), encoding="utf-8")


def tidy(html: Path, root: Path, names: Mapping[str, Path]) -> None:
    """Take out of built pages what no reader needs, which is a third of their size.

    The theme's own sources go. A plot's PNG is there once, as the page shows it. In the place of an executed notebook,
    whose outputs stand on its page, lies the notebook as it is committed: that is what a reader downloads to run it.

    Args:
        html: the folder of the built pages.
        root: the checkout.
        names: the names of the notebooks.
    """
    for path in html.rglob("*.map"):
        path.unlink()
    downloads.share_pictures(html)
    for name in names:
        source = html / "_sources" / "notebooks" / name
        if source.exists():
            shutil.copyfile(root / "notebooks" / name, source)
