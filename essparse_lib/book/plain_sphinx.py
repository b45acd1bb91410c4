"""The book on plain Sphinx, without jupyter-book: the same stage, with a ``conf.py`` made of ``_config.yml``.

jupyter-book 1.0.4, the last version that builds without a network, holds Sphinx below 8. This is the way out. The two
cannot be in one environment, so that ``make book-sphinx`` has a second one: it holds Sphinx and its extensions, and
reads all else from the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: What jupyter-book would load, but for itself and for what it has only to be told not to use.
_EXTENSIONS = (
    "myst_nb",
    "sphinx_external_toc",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinx_togglebutton",
    "sphinx_book_theme",
)
#: Where the page lies that the root's ``index.html`` leads to.
_REDIRECT = '<meta http-equiv="Refresh" content="0; url={page}.html" />\n'


def settings(config: Mapping[str, Any], toc: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of Sphinx that say what ``_config.yml`` says to jupyter-book.

    Args:
        config: what ``_config.yml`` holds.
        toc: what ``_toc.yml`` holds.
    """
    sphinx, html, repository = config["sphinx"], config["html"], config["repository"]
    options = dict(sphinx["config"])
    theme = {
        "repository_url": repository["url"],
        "repository_branch": repository["branch"],
        "path_to_docs": repository["path_to_book"],
        "extra_footer": html["extra_footer"],
        "launch_buttons": {name: value for name, value in config["launch_buttons"].items() if value},
        "home_page_in_toc": True,
        **{name: value for name, value in html.items() if name.startswith("use_") and name.endswith("_button")},
        **options.pop("html_theme_options", {}),
    }
    return {
        "project": config["title"],
        "html_title": config["title"],
        "author": config["author"],
        "copyright": f"{config['copyright']}, {config['author']}",
        "root_doc": toc["root"],
        "extensions": [*_EXTENSIONS, *sphinx["extra_extensions"], *sphinx["local_extensions"]],
        "exclude_patterns": list(config["exclude_patterns"]),
        "external_toc_path": "_toc.yml",
        "external_toc_exclude_missing": config["only_build_toc_files"],
        "myst_enable_extensions": list(config["parse"]["myst_enable_extensions"]),
        "nb_execution_mode": config["execute"]["execute_notebooks"],
        "autodoc_use_legacy_class_based": True,  # the new one states the values of module data, whatever it is told
        "bibtex_bibfiles": list(config["bibtex_bibfiles"]),
        "html_theme": "sphinx_book_theme",
        "html_theme_options": theme,
        "html_favicon": html["favicon"],
        "html_sourcelink_suffix": "",
        "numfig": True,
        **options,
    }


def configuration(config: Mapping[str, Any], toc: Mapping[str, Any]) -> str:
    """Return the ``conf.py`` of a stage; arguments as of ``settings``."""
    folders = dict.fromkeys(config["sphinx"]["local_extensions"].values())
    lines = ["import sys", "from pathlib import Path", "", "_stage = Path(__file__).parent"]
    lines += [f"sys.path.insert(0, str(_stage / {folder!r}))" for folder in folders]
    lines += [f"{name} = {value!r}" for name, value in settings(config, toc).items()]
    return "\n".join(lines) + "\n"


def prepare(stage: Path) -> None:
    """Write the ``conf.py`` of a filled stage."""
    import yaml

    config, toc = (yaml.safe_load((stage / name).read_text(encoding="utf-8")) for name in ("_config.yml", "_toc.yml"))
    (stage / "conf.py").write_text(configuration(config, toc), encoding="utf-8")
    front = stage / "_build" / "html" / "index.html"
    front.parent.mkdir(parents=True)
    front.write_text(_REDIRECT.format(page=toc["root"]), encoding="utf-8")


def command(python: str) -> list[str]:
    """Return the command that builds a stage, to be run in it: every warning is an error.

    Args:
        python: the interpreter of an environment with Sphinx 9.
    """
    return [
        python,
        "-m",
        "sphinx",
        "-b",
        "html",
        "-d",
        "_build/doctrees",
        "-W",
        "-n",
        "--keep-going",
        ".",
        "_build/html",
    ]
