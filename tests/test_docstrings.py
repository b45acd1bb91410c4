"""Every public name says what it takes and returns, and its example runs."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import essparse_lib

PACKAGE = Path(essparse_lib.__file__).parent
EXAMPLES = sorted(
    ".".join(("essparse_lib", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)
#: The public names of the pruning core; the names of studies come with the notebooks that use them.
CORE = [n for n, home in essparse_lib._HOME.items() if home.startswith("pruning.") or home == "training.lottery"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(name):
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.attempted and not results.failed


@pytest.mark.parametrize("name", CORE)
def test_every_public_name_has_an_example(name):
    public = getattr(essparse_lib, name)
    document = inspect.getdoc(public)
    assert document
    parts = [public, *(vars(public).values() if inspect.isclass(public) else [])]
    assert any(">>>" in (inspect.getdoc(part) or "") for part in parts), f"{name} has no example"
    if inspect.isfunction(public):
        for argument in inspect.signature(public).parameters:
            assert argument in document or "arguments and errors as of" in document.lower().replace(",", ""), (
                f"{name} does not say what {argument} is"
            )
