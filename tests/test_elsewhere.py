"""Where readers run the book without installing it, and plain Sphinx: in step with what the project declares."""

import json
import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
import yaml
from helpers import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from essparse_lib.book import build, plain_sphinx

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BASE = [Requirement(each) for each in PROJECT["dependencies"]]
EXTRAS = {name: [Requirement(each) for each in extra] for name, extra in PROJECT["optional-dependencies"].items()}
REPOSITORY = PROJECT["urls"]["Repository"]
ALLOWED = ("3.11", "3.12", "3.13")
CONFIG, TOC = (yaml.safe_load((ROOT / name).read_text()) for name in ("_config.yml", "_toc.yml"))


def allowed(name, extra=None):
    """The versions of a package that the project allows."""
    listed = BASE if extra is None else EXTRAS[extra]
    return next(r.specifier for r in listed if canonicalize_name(r.name) == name)


def test_binder_installs_what_the_notebooks_import():
    environment = yaml.safe_load((ROOT / ".binder/environment.yml").read_text())
    python, pip, torch = environment["dependencies"]
    assert python.removeprefix("python=") in ALLOWED and pip == "pip"
    assert torch.removeprefix("pytorch-cpu") == str(allowed("torch")).replace("<2.14,>=2.4", ">=2.4,<2.14")
    script = ROOT / ".binder/postBuild"
    assert os.access(script, os.X_OK) and script.read_text().startswith("#!/usr/bin/env bash\n")
    (install,) = re.findall(r"pip install .*", script.read_text())
    extras = re.search(r'-e "\.\[([\w,]+)\]"', install)[1].split(",")
    colab = {
        e for path in (ROOT / "notebooks").glob("*.py") for e in re.findall(r"essparse\[([\w,]+)\]", path.read_text())
    }
    assert {extra for each in colab for extra in each.split(",")} <= set(extras) <= EXTRAS.keys()
    for requirement in map(Requirement, re.findall(r'"(ipy[^"]+)"', install)):
        assert requirement.specifier == allowed(requirement.name, "book")


def test_each_notebook_page_opens_in_colab_and_binder(built):
    launch = CONFIG["launch_buttons"]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        page = (built / f"notebooks/{path.stem}.html").read_text(encoding="utf-8")
        repository = REPOSITORY.removeprefix("https://github.com/")
        assert f"{launch['colab_url']}/github/{repository}/blob/main/notebooks/{path.stem}.ipynb" in page
        assert f"{launch['binderhub_url']}/v2/gh/{repository}/main?" in page


def test_the_dev_container_does_what_the_readme_says():
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    version = re.fullmatch(r"python:(3\.\d+)\.\d+-\w+", container["image"])
    assert version and version[1] in ALLOWED and PROJECT["requires-python"] == ">=3.11"
    assert re.search(rf"^{container['postCreateCommand']}\b", (ROOT / "README.md").read_text(), re.MULTILINE)
    interpreter = container["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    assert interpreter == "${containerWorkspaceFolder}/.venv/bin/python"


def test_plain_sphinx_is_told_what_jupyter_book_is_told():
    options = plain_sphinx.settings(CONFIG, TOC)
    told = dict(CONFIG["sphinx"]["config"])
    theme = told.pop("html_theme_options")
    assert told.items() <= options.items() and theme.items() <= options["html_theme_options"].items()
    assert options["html_theme_options"]["launch_buttons"]["binderhub_url"] == CONFIG["launch_buttons"]["binderhub_url"]
    assert {*CONFIG["sphinx"]["extra_extensions"], *CONFIG["sphinx"]["local_extensions"]} <= set(options["extensions"])
    written = {}
    exec(compile(plain_sphinx.configuration(CONFIG, TOC), "conf.py", "exec"), {"__file__": "conf.py"}, written)
    assert {name: written[name] for name in options} == options


def test_the_second_environment_has_what_plain_sphinx_loads_and_no_jupyter_book():
    lines = (ROOT / "requirements-sphinx.txt").read_text().splitlines()
    pins = {r.name: r for r in map(Requirement, (line for line in lines if not line.startswith("#")))}
    loaded = {canonicalize_name(name) for name in plain_sphinx._EXTENSIONS} | {"sphinx", "sphinxcontrib-bibtex"}
    assert loaded <= pins.keys() and "jupyter-book" not in pins
    assert all(str(r.specifier).startswith("==") for r in pins.values())
    assert str(pins["sphinx"].specifier).startswith("==9.")
    shared = (ROOT / "requirements.txt").read_text().splitlines()
    for name in ("myst-nb", "pyyaml", "sphinxcontrib-bibtex"):
        assert f"{name}{pins[name].specifier}" in shared


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The interpreter of an environment with plain Sphinx, which reads all else from this one."""
    folder = tmp_path_factory.mktemp("sphinx")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    command = [python, "-m", "pip", "install", "--quiet", "-r", ROOT / "requirements-sphinx.txt"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"plain Sphinx cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip())
    (packages / "zz-first-environment.pth").write_text("\n".join(path for path in sys.path if "site-packages" in path))
    return python


@pytest.mark.slow
def test_plain_sphinx_makes_the_same_pages_without_a_warning(built, plain, tmp_path, monkeypatch):
    """The notebooks are those that were executed for the book: their pages alone are made anew."""
    executed = {f"{path.stem.rpartition('-')[0]}.ipynb": path for path in (built.parent / "notebooks").glob("*.ipynb")}
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(build, "_executed", lambda root, folder: executed)
    html = build.build(tmp_path / "out", sphinx=str(plain)).parent
    pages, others = ({path.relative_to(folder) for path in folder.rglob("*.html")} for folder in (html, built))
    assert others - pages <= {Path("py-modindex.html"), Path("genindex.html")} and len(pages) > 20

    def shown(folder, page):
        text = (folder / page).read_text(encoding="utf-8")
        title = re.search(r"<h1>(.*?)<", text, re.DOTALL)
        files = sorted(Path(link).name for link in re.findall(r'href="[^"]*_downloads/([^"]+)"', text))
        return title and title[1], text.count("<figure"), text.count('class="panel"'), files

    different = [str(page) for page in pages & others if shown(html, page) != shown(built, page)]
    assert not different
    assert "book/index.html" in (html / "index.html").read_text()
