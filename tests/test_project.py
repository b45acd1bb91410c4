"""The project holds together: what is declared is what is used, files that belong together are in step."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import IPython
import jupytext
import papermill.cli
import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from essparse_lib import figures
from essparse_lib.errors import InputError
from essparse_lib.figures import fig2, parameters
from essparse_lib.specs.trial import Pruning

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "essparse_lib"
MODULES = sorted(PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BASE = [Requirement(r) for r in PROJECT["dependencies"]]
EXTRAS = {name: [Requirement(r) for r in listed] for name, listed in PROJECT["optional-dependencies"].items()}
#: What the package and its tests need; what only a benchmark compares with is not pinned.
DECLARED = BASE + [r for name, listed in EXTRAS.items() for r in listed if name != "harness"]
REPOSITORY = PROJECT["urls"]["Repository"]

#: The rooms from the ground up: none imports a room above its own, nor, of those on one floor, another.
FLOORS = [
    {"openmp", "stopping", "temporaries", "texts"},
    {"errors"},
    {"paths"},
    {"environment"},
    {"files", "wording"},
    {"sources", "specs"},
    {"records", "tasks", "pruning"},
    {"models", "corpora", "analysis"},
    {"likelihood"},
    {"training", "claims"},
    {"figures"},
    {"plans"},
    {"book", "runner"},
    {"packs", "recipe"},
    {"outcome"},
    {"sparsify"},
    {"language_evaluation", "model_statistics", "sweeps", "widgets"},
    {"options"},
    {"cluster_commands", "model_commands", "plan_commands", "record_commands"},
    {"cli", "__init__"},
    {"__main__"},
]
BENCH = {"pruning", "sources", "tasks", "corpora", "models", "likelihood", "training"}
NOTEBOOK_WING = {"analysis", "claims", "figures", "plans", "book"}
#: What neither wing may reach by its own imports, nor by those of what it imports.
NOT_IN_NOTEBOOK_WING = {"torch", "transformers", "accelerate", "safetensors"}
NOT_ON_BENCH = {"altair", "IPython", "ipywidgets", "matplotlib", "papermill", "seaborn"}


def named(path):
    """Return a module's dotted name without the package: ``records.store``."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports(path):
    """Return all that a module imports, also within functions: ``essparse_lib.records.store.Store``, ``torch.nn``."""
    parents = ("essparse_lib", *path.relative_to(PACKAGE).parts[:-1])
    targets = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            targets |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = parents[: len(parents) - node.level + 1] if node.level else ()
            targets |= {".".join([*start, *filter(None, [node.module]), alias.name]) for alias in node.names}
    return targets


def modules_imported(path):
    """Return the package's modules that a module imports, as ``named`` gives them (a folder: ``records``)."""
    modules = set()
    for target in imports(path):
        parts = target.split(".")
        if parts[0] != "essparse_lib" or len(parts) == 1:
            continue
        while parts[1:] and not (
            PACKAGE.joinpath(*parts[1:]).is_dir() or PACKAGE.joinpath(*parts[1:]).with_suffix(".py").exists()
        ):
            parts.pop()
        modules.add(".".join(parts[1:]) or "__init__")
    return modules


def room(module):
    """Return the folder that a module is in, or the module's own name if it is in none."""
    return module.split(".")[0]


def reached(start, graph):
    """Return all modules that one imports, those that these import, and so on."""
    seen, waiting = set(), [start]
    while waiting:
        for target in graph[waiting.pop()] - seen:
            seen.add(target)
            waiting.append(target)
    return seen


@pytest.fixture(scope="module")
def graph():
    """Return the package's modules that each module imports; a folder stands for its ``__init__``."""
    paths = {named(path).removesuffix(".__init__"): path for path in MODULES}
    graph = {}
    for name, path in paths.items():
        parents = {".".join(name.split(".")[:i]) for i in range(1, name.count(".") + 1)}
        graph[name] = (modules_imported(path) & paths.keys()) - parents - {name}
    return graph


def test_no_import_points_upwards(graph):
    floors = {name: i for i, rooms in enumerate(FLOORS) for name in rooms}
    wrong = {
        (module, target)
        for module, targets in graph.items()
        for target in targets
        if room(module) != room(target) and floors[room(module)] <= floors[room(target)]
    }
    assert not wrong


def test_there_is_no_cycle(graph):
    cyclic = {module for module in graph if module in reached(module, graph)}
    assert not cyclic


def test_the_wings_do_not_know_each_other(graph):
    crossing = {
        (module, target)
        for module in graph
        for wing, other_wing in ((BENCH, NOTEBOOK_WING), (NOTEBOOK_WING, BENCH))
        if room(module) in wing
        for target in reached(module, graph)
        if room(target) in other_wing
    }
    assert not crossing


def test_neither_wing_reaches_what_the_other_needs(graph):
    paths = {named(path).removesuffix(".__init__"): path for path in MODULES}
    outside = {module: {target.split(".")[0] for target in imports(path)} for module, path in paths.items()}
    wrong = {
        (module, target, package)
        for module in graph
        for rooms, banned in ((NOTEBOOK_WING, NOT_IN_NOTEBOOK_WING), (BENCH, NOT_ON_BENCH))
        if room(module) in rooms
        for target in {module, *reached(module, graph)}
        for package in outside[target] & banned
    }
    assert not wrong


def test_no_file_is_long():
    lengths = {named(path): len(path.read_text().splitlines()) for path in MODULES}
    assert not {name: length for name, length in lengths.items() if length > 300}


def test_no_test_file_imports_another():
    pattern = re.compile(r"^\s*(?:from|import) (test_\w+)", re.MULTILINE)
    imported = {path.name: pattern.findall(path.read_text()) for path in sorted((ROOT / "tests").glob("*.py"))}
    assert not {name: modules for name, modules in imported.items() if modules}, "builders belong in tests/helpers.py"


def test_every_import_is_declared():
    declared = {canonicalize_name(r.name) for r in DECLARED}
    distributions = metadata.packages_distributions()
    undeclared = set()
    for path in MODULES:
        for target in {t.split(".")[0] for t in imports(path)} - set(sys.stdlib_module_names) - {"essparse_lib"}:
            names = {canonicalize_name(name) for name in distributions.get(target, [target])}
            if not names & declared:
                undeclared.add((named(path), target))
    assert not undeclared, "pyproject.toml does not name them"


def blocked(*names):
    """Python code after which importing any of these fails."""
    return (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {set(names)!r}:\n"
        "            raise ImportError('blocked: ' + name)\n"
        "sys.meta_path.insert(0, Block())\n"
    )


JUPYTER = ("IPython", "ipykernel", "ipywidgets", "jupyter_book", "jupytext", "myst_nb", "papermill", "sphinx")
DRAWING = ("altair", "datasets", "matplotlib", "pandas", "seaborn")
TORCH = ("accelerate", "torch", "transformers")


@pytest.mark.parametrize(
    ("without", "code"),
    [
        ((*JUPYTER, *DRAWING, *TORCH), "import essparse_lib, essparse_lib.cli"),
        (
            (*JUPYTER, *DRAWING),
            "import essparse_lib.runner.scheduler, essparse_lib.models.loading; essparse_lib.save_pruned",
        ),
        (
            TORCH,
            "from essparse_lib.figures import curve_plots, style, verdicts; from essparse_lib.records import summary",
        ),
    ],
    ids=["the package", "the bench", "the notebook wing"],
)
def test_imports_need_no_more_than_their_wing(without, code):
    done = subprocess.run([sys.executable, "-c", blocked(*without) + code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_requirements_pin_what_pyproject_names():
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    pins = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    assert set(pins) == {canonicalize_name(r.name) for r in DECLARED}
    for requirement in DECLARED:
        version = pins[canonicalize_name(requirement.name)]
        assert "+" not in version, "a build of one machine"
        assert version in requirement.specifier, f"{requirement} does not allow {version}"


def test_conda_environment_installs_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["-r requirements.txt", "-e ."]
    python = next(entry for entry in environment["dependencies"] if str(entry).startswith("python="))
    assert python.removeprefix("python=") in PROJECT["requires-python"].replace(">=3.11", "3.11 3.12 3.13")


def test_workflows_call_the_makefile():
    test, book = (yaml.safe_load((ROOT / ".github/workflows" / f"{name}.yml").read_text()) for name in ("test", "book"))
    assert test["jobs"]["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    for target in ("test", "test-slow"):
        assert {"run": f"make {target}"} in test["jobs"]["test"]["steps"]
    assert {"run": "make book"} in book["jobs"]["build"]["steps"]
    script = (ROOT / ".ci/run").read_text()
    targets = re.findall(r"^step (?:env FUZZ_SHARE=\S+ )?make ([\w-]+)$", script, re.MULTILINE)
    assert targets == ["test", "test-slow", "book"]
    upload = next(s for s in book["jobs"]["build"]["steps"] if s.get("uses", "").startswith("actions/upload-pages"))
    assert upload["with"]["path"] == "_build/html"
    assert any(s["uses"].startswith("actions/deploy-pages") for s in book["jobs"]["publish"]["steps"])


def test_citation_names_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] and citation["authors"] and citation["title"]
    assert citation["repository-code"] == REPOSITORY and citation["version"] == PROJECT["version"]
    assert [r["url"] for r in citation["references"]] == ["https://arxiv.org/abs/2306.03805"]


#: Repositories of others whose releases and changes the pages cite.
CITED = {
    f"https://github.com/{name}"
    for name in (
        "huggingface/transformers",
        "neuralmagic/sparseml",
        "openvinotoolkit/nncf",
        "pytorch/ao",
        "vllm-project/llm-compressor",
        "vllm-project/vllm",
    )
}


def test_the_repository_has_one_address():
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    assert config["repository"]["url"] == REPOSITORY
    texts = [ROOT / "README.md", *(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.py")]
    others = {
        (path.name, address)
        for path in texts
        for address in re.findall(r"https://github\.com/[\w.-]+/[\w-]+", path.read_text())
        if address not in {REPOSITORY, *CITED}
    }
    assert not others


def test_notebook_and_script_are_in_step():
    def cells(path):
        kept = ("tags", "name", "mystnb")
        cells = jupytext.read(path).cells
        return [(c.cell_type, c.source, {k: v for k, v in c.metadata.items() if k in kept}) for c in cells]

    differing = [path.stem for path in NOTEBOOKS if cells(path) != cells(path.with_suffix(".py"))]
    assert not differing, "run: jupytext --sync notebooks/NAME.ipynb"


def test_every_script_has_its_notebook():
    assert {p.stem for p in NOTEBOOKS} == {p.stem for p in (ROOT / "notebooks").glob("*.py")}


def code_cells(path):
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def test_notebooks_are_stripped():
    assert not [path.stem for path in NOTEBOOKS if any(c["outputs"] or c["execution_count"] for c in code_cells(path))]


def test_notebooks_have_one_cell_of_annotated_parameters():
    wrong = []
    for path in NOTEBOOKS:
        cells = ["".join(c["source"]) for c in code_cells(path) if "parameters" in c["metadata"].get("tags", [])]
        if len(cells) != 1:
            wrong.append(f"{path.stem} has {len(cells)} cells of parameters")
        for statement in (statement for cell in cells for statement in ast.parse(cell).body):
            if not (isinstance(statement, ast.AnnAssign) and statement.value):
                wrong.append(f"{path.stem}: {ast.unparse(statement)}")
    assert not wrong


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_help_of_each_notebook_lists_all_parameters_with_types_and_meanings(path):
    (cell,) = (c for c in code_cells(path) if "parameters" in c["metadata"].get("tags", []))
    declared = {line.partition(":")[0] for line in "".join(cell["source"]).splitlines()}
    done = CliRunner().invoke(papermill.cli.papermill, ["--help-notebook", str(path)])
    help_text = done.output.partition("Parameters inferred")[2]
    listed = dict(re.findall(r"^  (\w+): (\w+) \(default .*\)", help_text, re.MULTILINE))
    assert listed.keys() == declared and set(listed.values()) <= {"str", "float", "int", "bool"}, help_text
    assert "Unknown type" not in done.output
    assert not [name for name, each in papermill.inspect_notebook(str(path)).items() if not each["help"].strip()]


def test_every_notebook_refuses_a_parameter_that_it_does_not_have(monkeypatch):
    wrong = []
    for path in NOTEBOOKS:
        for name, refused in (("sparsty", True), ("scale", False)):
            notebook = parameterize_notebook(load_notebook_node(str(path)), {name: "tiny"})
            sources = [cell["source"] for cell in notebook.cells if cell["cell_type"] == "code"]
            injected = next(number for number, source in enumerate(sources) if source.startswith("# Parameters"))
            first = "parameters.check(globals())"
            statements = [ast.unparse(each) for each in ast.parse(sources[injected + 1]).body]
            work = [each for each in statements if not each.startswith(("from ", "import "))]
            if work[0] != first:
                wrong.append(f"{path.stem} does {work[0]} before {first}")
            shell = SimpleNamespace(user_ns={"In": ["", *sources[: injected + 2]]})
            monkeypatch.setattr(IPython, "get_ipython", lambda shell=shell: shell)
            try:
                parameters.check_names()
                done = "takes"
            except InputError as error:
                done = "refuses"
                assert re.match("unknown parameter 'sparsty': choose from .*scale", str(error))
            if (done == "refuses") != refused:
                wrong.append(f"{path.stem} {done} {name}")
    assert not wrong


@pytest.mark.parametrize(
    "cells",
    [
        [],
        ["sparsty = 0.2"],
        ["x: int = 1", "sparsty = 0.2", "%matplotlib inline"],
        ["# Parameters\nsparsty = 0.2"],  # the notebook's own parameters were not run
        ["sparsity: float = 0.4", "# Parameters\nsparsty = 0.2", "# Parameters\nsparsity = 0.2"],  # mended since
    ],
)
def test_without_papermill_nothing_is_refused(cells, monkeypatch):
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(user_ns={"In": ["", *cells]}))
    parameters.check_names()
    monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    parameters.check_names()


def test_the_methods_page_states_the_settings():
    text = " ".join((ROOT / "book/methods.md").read_text().split())
    lab = figures.study("fig2", "lab")
    main = {Pruning(), *lab.variants[lab.main]}
    runs = [t for t in lab.trials() if t.model == lab.models[0] and t.pruning in main]
    assert f"a study of {len(runs)} runs" in text and "| seeds | 6; 12 for BBC news, 10 for SST-2, 3 for RTE |" in text
    texts = [task for task in lab.tasks if task != fig2.SQUAD]
    seeds = {task: len(lab.task_seeds[task]) for task in texts}
    assert seeds == {**dict.fromkeys(texts, 6), "bbc-news": 12, "sst2": 10, "rte": 3}
    held_out = {task: lab.trial(lab.models[0], task, Pruning(), 0).training.held_out for task in lab.tasks}
    assert {n for task, n in held_out.items() if n} == {5000, 4000} and held_out["cola"] == 4000
    trainings = {t.training for t in lab.trials() if t.model not in lab.pretrained}
    assert {f"{t.max_train:,}" for t in trainings} == {"1,500"} and "| training examples | 1,500 a task" in text
    assert {(t.epochs, t.batch_size, t.learning_rate) for t in trainings} == {(3, 16, 1e-4)}
    assert "| epochs | 3 |" in text and "| batch | 16 |" in text and "| learning rate | 1e-4 |" in text
    lengths = {task: lab.trial(lab.models[0], task, Pruning(), 0).training.max_length for task in texts}
    assert {task for task, length in lengths.items() if length == 32} == {"bbc-news", "wiki-topics"}
    assert set(lengths.values()) == {32, 64} and "| tokens | 64; 32 for BBC news and Wikipedia topics |" in text


def test_what_other_machines_reach_is_seen():
    import socket

    from listening import Watch, is_loopback

    own = {"127.0.0.1", "127.0.1.1", "::1", "::ffff:127.0.0.1"}
    assert {address for address in (*own, "0.0.0.0", "::", "192.168.0.7", "fe80::1") if is_loopback(address)} == own
    with socket.create_server(("127.0.0.1", 0)) as server:
        watch = Watch(allowed=lambda _: False)
        watch.look()
        port = server.getsockname()[1]
    assert any(f"127.0.0.1 port {port}:" in seen for seen in watch.reachable)
