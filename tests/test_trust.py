"""What the package may call: nothing in it unpickles, and no code that comes with a model is run."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "essparse_lib"
#: Modules that unpickle or run what they read, and calls that do; by the names that they have in code.
MODULES = {"cloudpickle", "dill", "marshal", "pickle", "shelve"}
CALLS = {"eval", "exec", "torch.load", "np.load", "numpy.load", "pandas.read_pickle", "joblib.load", "yaml.load"}
#: Options that must be off wherever they are named.
OFF = {"trust_remote_code", "allow_pickle"}


def faults(code):
    """Return what a module's code does that it must not: a module, a call, or an option that is not off."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [name for name in imported if node.module.split(".")[0] in MODULES or name in CALLS]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in CALLS:
            found.append(ast.unparse(node.func))
        elif isinstance(node, ast.keyword) and node.arg in OFF and ast.unparse(node.value) != "False":
            found.append(node.arg)
        elif isinstance(node, ast.Dict):
            options = zip(node.keys, node.values, strict=True)
            found += [
                key.value
                for key, value in options
                if isinstance(key, ast.Constant) and key.value in OFF and ast.unparse(value) != "False"
            ]
    return found


def test_nothing_is_unpickled_and_no_code_of_others_is_run():
    by_file = {path.relative_to(PACKAGE).as_posix(): faults(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
    assert len(by_file) > 100
    # it starts the package's own programs, as ``python -c`` does, in processes that end with this one
    assert {name: found for name, found in by_file.items() if found} == {"stopping.py": ["exec"]}


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "from torch import load",
        "torch.load(path, weights_only=True)",
        "np.load(path)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "options = {'trust_remote_code': flag}",
        "np.lib.npyio.NpzFile(path, allow_pickle=1)",
        "eval(text)",
    ],
)
def test_each_of_these_is_seen(code):
    assert faults(code)
