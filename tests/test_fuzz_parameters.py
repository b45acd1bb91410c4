"""Any value of any parameter is taken rightly or refused in one line before work begins.

Tried are all options of the command line, all parameters of notebooks, all environment variables that are read, and
paths. Options and parameters are found by looking at the commands and at the notebooks: a new one is tried, too.
"""

import ast
import io
import json
import os
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import typer
from fuzzing import ODD_VALUES, fuzzed, read_or_refused
from hypothesis import given
from hypothesis import strategies as st

from essparse_lib import cli, environment, figures, options, paths, tasks
from essparse_lib.errors import InputError
from essparse_lib.figures import parameters
from essparse_lib.models import loading
from essparse_lib.records.pretrained import SCALE_OF
from essparse_lib.specs.likelihood import LIKELIHOOD_TASKS
from essparse_lib.specs.methods import METHODS, Scope
from essparse_lib.specs.models import MODELS
from essparse_lib.specs.study import Scale

ROOT = Path(__file__).parents[1]
FUZZ = fuzzed()

#: What the command line and the environment hand over: texts. Arabic digits and 1_0 are numbers for Python.
ODD_TEXTS = list(
    dict.fromkeys(
        [str(value) for value in ODD_VALUES]
        + ["1_0", "\u0661", "1e3", "inf", "1:" + "9" * 24, "2:4", "9" * 22, "0x10", " 1", "-1", "1.0", "\x1b[2J", "8h"]
        + ["\udcff", "a\u202eb", "~", ".", __file__, "x" * 300, "y/" * 3000, "all", "None", "none", "True", "lab"]
    )
)
TEXTS = st.sampled_from(ODD_TEXTS) | st.text(max_size=30) | st.from_regex(r"[-+0-9.eE:_smh,~/x]{1,12}", fullmatch=True)
PLAIN = st.sampled_from(ODD_VALUES) | TEXTS | st.integers() | st.floats() | st.booleans()
VALUES = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(st.text(max_size=3), PLAIN, max_size=2)


class Accepted(Exception):
    """Stands for the work that follows the checks."""


# ── the command line ──

#: What each command needs besides the option that is tried.
BASE = {
    "run": ["fig2"],
    "pretrain": ["tiny-scratch-60-1"],
    "prune": ["tiny-bert", "--out", "fuzzed", "--sparsity", "0.5"],
    "decompress": [".", "--out", "fuzzed"],
    "stats": ["tiny-bert"],
    "evaluate": ["tiny-llama", "--tasks", "tiny-arc"],
    "sweep": ["tiny-bert", "--data", "reviews.csv", "--out", "fuzzed"],
    "mend": ["."],
    "merge": ["."],
    "pack": ["fig4", "--out", "fuzzed"],
    "check-pack": ["."],
    "check-records": ["."],
    "cluster worker": ["tcp://127.0.0.1:1"],
    "plan": ["fig2", "--scale", "paper"],
}
#: Arguments that make an option meaningful.
WITH = {"--windows": ["--method", "wanda", "--text", __file__], "--length": ["--method", "wanda", "--text", __file__],
        "--text": ["--method", "wanda"], "--images": ["--method", "wanda"],
        "--recover-steps": ["--recover", __file__], "--recover-rate": ["--recover", __file__]}  # fmt: skip


def _options():
    """Yield each command with each of its options that take a value, and each of its arguments (an empty name)."""
    for command, described in COMMANDS_BY_NAME.items():
        for parameter in described.params:
            if parameter.param_type_name == "argument":
                yield command, ""
            elif not parameter.is_flag and parameter.name != "help":
                yield command, parameter.opts[0]


def _by_name(group, before=""):
    """Return the commands of a group and of the groups in it, by the words that call them."""
    commands = {}
    for name, described in group.commands.items():
        if hasattr(described, "commands"):
            commands |= _by_name(described, f"{before}{name} ")
        else:
            commands[before + name] = described
    return commands


COMMANDS = typer.main.get_command(cli.app)
COMMANDS_BY_NAME = _by_name(COMMANDS)
OPTIONS = list(_options())


def _arguments(command, option, value):
    base = list(BASE.get(command, []))
    if not option:
        return [*command.split(), value, *base[1:]]
    if option in base:
        at = base.index(option)
        base[at : at + 2] = []
    if option in ("--pattern", "--sparsities"):
        base = [each for each in base if each not in ("--sparsity", "0.5")]
    return [*command.split(), *base, *(WITH.get(option, []) if command == "prune" else []), f"{option}={value}"]


@pytest.fixture
def command_line(tmp_path, monkeypatch):
    """Call the command line in this process; what would work after the checks raises ``Accepted``."""
    from essparse_lib import cluster_commands
    from essparse_lib.book import build, status
    from essparse_lib.packs import contents, received, sums
    from essparse_lib.plans import printed
    from essparse_lib.records import store
    from essparse_lib.runner import evaluation, pretraining, verify
    from essparse_lib.sweeps import preparation

    loading.load_model("tiny-llama")  # made now: it is asked what its tokenizer knows

    def work(*_, **__):
        raise Accepted

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    for module, name in [(store, "results"), (figures, "results"), (verify, "results"), (status, "print_table"),
                         (pretraining, "store_of"), (loading, "load_and_report"), (build, "build"),
                         (evaluation, "answers_to"), (preparation, "prepared_data"), (contents, "copy_package"),
                         (received, "check_records"), (sums, "check_sums"), (cluster_commands, "_become"),
                         (printed, "results")]:  # fmt: skip
        monkeypatch.setattr(module, name, work)
    monkeypatch.setattr(store.Store, "mend", work)
    monkeypatch.setattr(typer.main, "get_command", lambda _: COMMANDS)  # which are made anew in each call otherwise

    def call(*arguments):
        """Return whether the arguments are accepted; a refusal is one line and exit code 2."""
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "argv", ["essparse", *arguments])
        try:
            with redirect_stdout(out), redirect_stderr(err):
                cli.main()
        except Accepted:
            return True
        except SystemExit as end:
            printed = err.getvalue()
            assert (end.code, out.getvalue()) == (2, ""), arguments
            assert printed.startswith("essparse: ") and printed.count("\n") == 1 and len(printed) < 1000, printed[:2000]
            assert printed[:-1].isprintable(), printed
        assert not list(tmp_path.iterdir()), "something was written"
        return False

    return call


def _is_path(value):
    return bool(value.strip()) and "\0" not in value and all(len(part.encode()) < 256 for part in value.split("/"))


def _is_number(value):
    return bool(re.fullmatch(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", value))


def _is_whole(value):
    return value.isascii() and value.isdigit()


def _is_tolerance(value):
    number = value.removesuffix("%").strip()
    return _is_number(number) and 0 < float(number) <= 100


def _is_pattern(value):
    return (
        bool(re.fullmatch("[0-9]+:[0-9]+", value)) and 1 <= int(value.split(":")[0]) <= int(value.split(":")[1]) <= 1024
    )


#: What each option may take, said another way than by the package's own checks.
RIGHTLY = {
    "jobs": lambda value: value.isascii() and value.isdigit() and 1 <= int(value) <= 4 * os.cpu_count(),
    "seed": lambda value: value.isascii() and value.isdigit() and int(value) < 2**64,
    **dict.fromkeys(
        ("sample", "windows", "length", "recover_steps"),
        lambda value: value.isascii() and value.isdigit() and int(value),
    ),
    **dict.fromkeys(
        ("budget", "within"), lambda value: _is_number(value.rstrip("smh")) and 0 < float(value.rstrip("smh")) < 4e7
    ),
    "sparsity": lambda value: _is_number(value) and 0 <= round(float(value), 12) < 1,
    "sparsities": lambda value: False,  # none of the texts names a file of them
    "recover_rate": lambda value: _is_number(value) and 0 < float(value) <= 1,
    "pattern": _is_pattern,
    "scale": lambda value: value in list(Scale),
    "method": lambda value: value in METHODS,
    "scope": lambda value: value in list(Scope),
    "checkpoints": lambda value: value in figures.CHECKPOINTS,
    **dict.fromkeys(("names", "figure"), lambda value: value in [*figures.STUDIES, "all"]),
    # a model that is on the hub, or a folder, is looked for first of all when it is loaded
    "model": lambda value: bool(value.strip()),
    **dict.fromkeys(("include", "exclude"), lambda value: bool(value.strip())),
    **dict.fromkeys(("out", "text", "images", "folder", "recover"), _is_path),
    "tasks": lambda value: all(name.strip() in LIKELIHOOD_TASKS for name in value.split(",")),
    "against": lambda value: bool(value.strip()) and value != "tiny-llama",
    **dict.fromkeys(
        ((command, "against") for command in ("verify", "check-records")),
        lambda value: _is_path(value) and Path(value).expanduser().is_dir(),
    ),
    "questions": lambda value: value.isascii() and value.isdigit() and int(value),
    "shots": lambda value: value.isascii() and value.isdigit() and int(value) <= 100,
    "data": lambda value: bool(value.strip()),  # which is looked for first of all
    **dict.fromkeys(
        (("sweep", name) for name in ("text", "text2", "image", "label", "test")), lambda value: bool(value)
    ),
    "timing": lambda value: value in ("before", "after"),
    "epsilon": lambda value: _is_tolerance(value.strip()),
    "precision": lambda value: _is_number(value) and 1 <= float(value) <= 50,
    "learning_rate": lambda value: _is_number(value) and float(value) > 0,
    "seeds": lambda value: _is_whole(value) and 2 <= int(value) <= 10,
    "most_seeds": lambda value: _is_whole(value) and 3 <= int(value) <= 100,
    **dict.fromkeys(
        ("epochs", "batch_size", "max_length", "max_train"), lambda value: _is_whole(value) and int(value) >= 1
    ),
    **dict.fromkeys(("cluster", "host", "address"), lambda value: bool(value.strip())),
    "port": lambda value: _is_whole(value) and int(value) <= 65535,
    "gpus": lambda value: _is_whole(value) and 1 <= int(value) <= 10_000,
    "failures": lambda value: (
        value == "none" or (_is_number(value.rstrip("smh")) and 3600 <= options.seconds(value) < 4e7)
    ),
    **{name: lambda value: _is_number(value) and float(value) >= 0 for name in ("spread", "overhead")},
    "prefix": lambda value: value in loading.tokenizer_of("tiny-llama").get_vocab(),
}


def _named(command, option):
    parameters = COMMANDS_BY_NAME[command].params
    return next(
        each.name for each in parameters if (option in each.opts if option else each.param_type_name == "argument")
    )


def _try(command_line, command, option, value):
    if not option and value.startswith("-"):
        return
    if command_line(*_arguments(command, option, value)):
        assert _rightly(command, option)(value), f"{command} {option} takes {value!r}"


def _rightly(command, option):
    """Return what says whether a value is allowed: that of the command's own option, or of all of its name."""
    name = _named(command, option)
    return RIGHTLY.get((command, name)) or RIGHTLY[name]


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=lambda name: name or "argument")
def test_an_odd_value_of_an_option_is_taken_rightly_or_refused_in_a_line(command_line, command, option):
    assert _rightly(command, option)
    for value in ODD_TEXTS:
        _try(command_line, command, option, value)


@pytest.mark.slow
@FUZZ
@given(option=st.sampled_from(OPTIONS), value=TEXTS)
def test_any_value_of_any_option(command_line, option, value):
    _try(command_line, *option, value)


@pytest.mark.slow
@FUZZ
@given(arguments=st.lists(st.sampled_from([*BASE, "--jobs", "--scale", "--help2", "-", "--", "-p", "=", ""]) | TEXTS))
def test_any_arguments(command_line, arguments):
    if not arguments or arguments[0] == "--" or {"--help", "--version"} & set(arguments):
        return
    command_line(*arguments)


# ── notebooks ──


def _notebook(path):
    """Return a notebook's declared parameters, and its next cell, in which they are checked."""
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    at = next(number for number, cell in enumerate(cells) if "parameters" in cell["metadata"].get("tags", []))
    names = {}
    exec("".join(cells[at]["source"]), names)
    return names, compile("".join(cells[at + 1]["source"]), path.stem, "exec")


NOTEBOOKS = {path.stem: _notebook(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
PARAMETERS = [(notebook, name) for notebook, (names, _) in NOTEBOOKS.items() for name in names["__annotations__"]]


def _check(notebook, **values):
    """Run the cell of a notebook that checks its parameters."""
    names, cell = NOTEBOOKS[notebook]
    exec(cell, {**names, **values})


@pytest.fixture
def in_a_folder(tmp_path, monkeypatch):
    import matplotlib as mpl

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(environment.os, "environ", {**os.environ, "ESSPARSE_RESULTS": str(tmp_path / "results")})
    with mpl.rc_context():
        yield tmp_path
    assert not list(tmp_path.iterdir()), "something was written"


def _texts(value):
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else [value]
    return [str(part).strip() for part in parts if not isinstance(part, bool)]


def _known(*names):
    return lambda value: value == "all" or all(part in names for part in filter(None, _texts(value)))


def _is_real(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


#: What each parameter of a notebook may be.
PARAMETERS_RIGHTLY = {
    "sparsity": lambda value: (_is_real(value) or _is_number(value)) and 0 <= round(float(value), 12) < 1,
    "epsilon": lambda value: _is_real(value) and 0 < value <= 100,
    "block": lambda value: not isinstance(value, (bool, float)) and str(value).isascii() and int(value) >= 1,
    "pattern": lambda value: _is_pattern(value if isinstance(value, str) else ":".join(map(str, value))),
    "scale": _known(*Scale),
    "figure": _known(*figures.STUDIES),
    # models are known by name, as an id on the hub, or as a folder
    **dict.fromkeys(
        ("model", "models"),
        lambda value: (
            value == "all"
            or all(
                part in MODELS
                or part in SCALE_OF
                or Path(part).expanduser().is_dir()
                or re.fullmatch("[\\w.-]+/.+", part)
                for part in filter(None, _texts(value))
            )
        ),
    ),
    "tasks": _known(*tasks.TASKS),
    "task": _known(*tasks.TASKS),
    "seeds": lambda value: value == "all" or all(re.fullmatch("[0-9]+", part) for part in filter(None, _texts(value))),
    "live_tasks": _known(*tasks.TASKS, "first", "none"),
    "checkpoints": _known(*figures.CHECKPOINTS),
    "method": _known(*METHODS),
    "text": lambda value: value == "",  # magnitude takes none
    "data": lambda value: isinstance(value, str),  # looked for when it is read
    "out": lambda value: value == "" or _is_path(value),
}


def _try_parameter(notebook, name, value):
    if not isinstance(read_or_refused(lambda: _check(notebook, **{name: value})), InputError):
        assert PARAMETERS_RIGHTLY[name](value), f"{notebook} takes {name}={value!r}"


def test_every_parameter_of_a_notebook_has_its_check():
    assert {name for _, name in PARAMETERS} <= set(parameters.CHECKS)


#: For each type that a notebook declares, values of other types, some of which say a number that would be right.
OTHER_TYPES = {
    float: ("0.4", "", True, None, [0.4], {"a": 0.4}),
    int: ("2", 2.5, 2.0, True, None, [2], {"a": 2}),
    str: (0.4, True, None, {"a": "all"}),
}


@pytest.mark.parametrize(("notebook", "name"), PARAMETERS, ids=lambda name: name or "argument")
def test_a_value_of_another_type_is_refused_by_name(in_a_folder, notebook, name):
    declared = NOTEBOOKS[notebook][0]["__annotations__"][name]
    for value in OTHER_TYPES[declared]:
        with pytest.raises(InputError, match=rf"^{name} .* is not allowed: .*\({declared.__name__}\)") as error:
            _check(notebook, **{name: value})
        assert "\n" not in str(error.value)


def test_every_notebook_checks_its_parameters_before_any_work(in_a_folder):
    for notebook in NOTEBOOKS:
        _check(notebook)
    unchecked = []
    for notebook, name in PARAMETERS:
        try:
            _check(notebook, **{name: {"odd": 1}})
            unchecked.append((notebook, name))
        except InputError:
            pass
    assert not unchecked


@pytest.mark.parametrize(("notebook", "name"), PARAMETERS, ids=lambda name: name or "argument")
def test_an_odd_value_of_a_notebooks_parameter_is_taken_rightly_or_refused(in_a_folder, notebook, name):
    for value in (*ODD_VALUES, *ODD_TEXTS, [1, 2], (2, 4), ["rte"], b"0.4", True, {1}, object()):
        _try_parameter(notebook, name, value)


@pytest.mark.slow
@FUZZ
@given(parameter=st.sampled_from(PARAMETERS), value=VALUES)
def test_any_value_of_any_notebooks_parameter(in_a_folder, parameter, value):
    _try_parameter(*parameter, value)


# ── environment variables ──

VARIABLES = ["ESSPARSE_CACHE", "ESSPARSE_RESULTS", "ESSPARSE_MIRROR", "ESSPARSE_DENSE_GB", "ESSPARSE_REVISION",
             "OMP_NUM_THREADS", "WORLD_SIZE", "RANK", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_ETAG_TIMEOUT",
             "XDG_CACHE_HOME"]  # fmt: skip
#: Read elsewhere, since any value of them will do.
ANY_VALUE = {"PYTHONPATH", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}


def _rightly_set(name, value):
    if name in ("ESSPARSE_CACHE", "ESSPARSE_RESULTS", "ESSPARSE_MIRROR"):
        return value == "" or all(map(_is_path, filter(None, value.split(":"))))
    if name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        return _is_path(value)
    if name == "ESSPARSE_DENSE_GB":
        return value == "" or (_is_number(value) and float(value) >= 0)
    if name == "ESSPARSE_REVISION":
        return value.isascii() and (value.isprintable() and len(value) <= 100)
    whole = [part.strip() for part in value.split(",")] if name == "OMP_NUM_THREADS" else [value]
    return (name == "OMP_NUM_THREADS" and value == "") or all(each.isascii() and each.isdigit() for each in whole)


@pytest.mark.slow
@FUZZ
@given(name=st.sampled_from(VARIABLES), value=TEXTS)
def test_any_value_of_any_variable(monkeypatch, name, value):
    _try_variable(monkeypatch, name, value)


@pytest.mark.parametrize("name", VARIABLES)
def test_an_odd_value_of_a_variable_is_taken_rightly_or_refused(monkeypatch, name):
    for value in ODD_TEXTS:
        _try_variable(monkeypatch, name, value)


def _try_variable(monkeypatch, name, value):
    with monkeypatch.context() as patch:
        patch.setattr(environment.os, "environ", {name: value})  # some texts can be in no real environment
        outcome = read_or_refused(environment.check)
    if isinstance(outcome, InputError):
        assert name in str(outcome)
    else:
        assert _rightly_set(name, value), f"{name} may be {value!r}"


def test_every_variable_is_read_where_it_is_checked():
    elsewhere = set()
    for path in (ROOT / "essparse_lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            reads = isinstance(node, ast.Call) or (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load))
            text = ast.unparse(node) if reads else ""
            for read in re.findall(r"^os\.(?:environ\.get\(|environ\[|getenv\()'?(\w+)", text):
                elsewhere |= {f"{path.stem}: {read}"} if path.stem != "environment" and read not in ANY_VALUE else set()
    assert not elsewhere


# ── paths ──


@pytest.mark.slow
@FUZZ
@given(value=VALUES, check=st.sampled_from([paths.check_path, paths.check_file, paths.check_folder]))
def test_any_path(in_a_folder, value, check):
    path = read_or_refused(lambda: check("path", value))
    if not isinstance(path, InputError):
        assert _is_path(value)
        assert isinstance(path, Path)
