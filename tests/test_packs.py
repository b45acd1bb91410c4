"""Packs: what figures need is gathered here, runs on a machine without a network, and what comes back is checked."""

import ast
import hashlib
import json
import shutil
import subprocess
import sys
import venv
from importlib import metadata

import pytest
from helpers import ROOT
from packaging.utils import canonicalize_name

from essparse_lib import cli, figures
from essparse_lib.errors import InputError
from essparse_lib.files import cache_folder
from essparse_lib.packs import contents, libraries
from essparse_lib.packs.pack import pack
from essparse_lib.packs.sums import SUMS, check_sums, write_sums
from essparse_lib.records.lines import read_records
from essparse_lib.records.store import Record, Store
from essparse_lib.runner import scheduler
from essparse_lib.sources import archives, code_host, gathering, hub
from essparse_lib.sources.sealed import sealed

REVISION = "0123456789abcdef0123456789abcdef01234567"


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def edited(path):
    path.write_bytes(path.read_bytes()[:-1] + b"?")


# What is read elsewhere comes into the cache that is gathered


@pytest.fixture
def caches(tmp_path, monkeypatch, empty_cache):
    """``caches(name)`` makes a folder the cache from now on: the usual one, or the one that is gathered."""

    def use(name):
        monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / name))
        return tmp_path / name

    return use


def test_files_of_a_mirror_come_along_and_serve_without_it(caches, tmp_path, monkeypatch):
    mirrored = tmp_path / "mirror" / "owner" / "name"
    (mirrored / "rte").mkdir(parents=True)
    for name in ("README.md", "rte/train-0.parquet", "rte/test-0.parquet", "other.bin"):
        (mirrored / name).write_text(name)
    repository = hub.Repository("owner/name", REVISION, "dataset")
    monkeypatch.setenv("ESSPARSE_MIRROR", str(tmp_path / "mirror"))
    usual, gathered = cache_folder(), caches("gathered")
    with gathering.gathering(usual):
        folder, origin = hub.repository_folder(repository, ("rte/train-*.parquet",), ("*.md",))
        assert folder.is_relative_to(gathered) and files(folder) == {"README.md", "rte/train-0.parquet"}
        hub.repository_folder(repository, ("rte/test-*.parquet",))
    monkeypatch.delenv("ESSPARSE_MIRROR")
    assert hub.repository_folder(repository, ("rte/test-*.parquet",)) == (folder, origin)
    assert files(folder) == {"README.md", "rte/train-0.parquet", "rte/test-0.parquet"}


def test_files_of_the_hubs_cache_come_along_at_their_revision(caches, tmp_path, monkeypatch):
    import huggingface_hub

    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    (tmp_path / "blob").write_text("weights")
    (snapshot / "model.safetensors").symlink_to(tmp_path / "blob")
    (snapshot / "config.json").write_text("{}")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(snapshot))
    repository = hub.Repository("owner/name", REVISION)
    usual, gathered = cache_folder(), caches("gathered")
    with gathering.gathering(usual):
        folder, origin = hub.model_folder(repository)
    assert files(gathered) == {
        f"hub/model/owner/name/{REVISION}/{name}" for name in ("model.safetensors", "config.json")
    }
    assert not (folder / "model.safetensors").is_symlink()
    shutil.rmtree(snapshot)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("the hub was asked"))
    assert hub.model_folder(repository) == (folder, origin) == (folder, f"hub owner/name@{REVISION}")


def test_archives_and_what_was_made_of_them_are_taken_from_the_usual_cache(caches, cached):
    archive = cached("some.whl", {"a/b.txt": b"text"})
    made = sealed(cache_folder() / "corpora" / "blocks", lambda folder: (folder / "blocks").write_text("blocks"))
    damaged = sealed(cache_folder() / "corpora" / "damaged", lambda folder: (folder / "one").write_text("one"))
    (damaged / "one").write_text("two")
    usual, gathered = cache_folder(), caches("gathered")
    with gathering.gathering(usual):
        assert archives.read(archive, "a/b.txt") == b"text"
        copied = sealed(gathered / "corpora" / "blocks", lambda _: pytest.fail("it was made anew"))
        anew = sealed(gathered / "corpora" / "damaged", lambda folder: (folder / "one").write_text("anew"))
    assert archive.path.is_relative_to(gathered) and archive.path.is_file()
    assert (copied / "blocks").read_text() == (made / "blocks").read_text()
    assert (anew / "one").read_text() == "anew"


def test_pinned_files_of_a_mirror_come_along(caches, tmp_path, monkeypatch):
    data = b"question,answer\n"
    (tmp_path / "mirror" / "owner" / "name" / "fold").mkdir(parents=True)
    (tmp_path / "mirror" / "owner" / "name" / "fold" / "dev.csv").write_bytes(data)
    monkeypatch.setenv("ESSPARSE_MIRROR", str(tmp_path / "mirror"))
    file = code_host.PinnedFile(path="fold/dev.csv", sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    repository = code_host.CodeRepository(id="owner/name", commit=REVISION)
    usual, gathered = cache_folder(), caches("gathered")
    with gathering.gathering(usual):
        code_host.pinned_files(repository, [file])
    monkeypatch.delenv("ESSPARSE_MIRROR")
    (path,), origin = code_host.pinned_files(repository, [file])
    assert path.is_relative_to(gathered) and path.read_bytes() == data and origin == "mirror of owner/name"


def test_nothing_is_copied_unless_a_cache_is_gathered(tmp_path, monkeypatch, empty_cache):
    mirrored = tmp_path / "mirror" / "owner" / "name"
    mirrored.mkdir(parents=True)
    (mirrored / "README.md").write_text("a card")
    monkeypatch.setenv("ESSPARSE_MIRROR", str(tmp_path / "mirror"))
    assert hub.repository_folder(hub.Repository("owner/name", REVISION), ("*.md",))[0] == mirrored
    assert not empty_cache.exists()


# Libraries


def test_libraries_are_those_that_a_bare_node_lacks():
    chosen = libraries.needed(images=False, endings=[".parquet", ".json"])
    assert {"accelerate", "joblib", "msgspec", "pyarrow"} <= chosen.versions.keys()
    assert not {"torch", "transformers", "numpy", "kornia", "gguf"} & chosen.versions.keys()
    assert {"kornia", "scikit-learn"} <= libraries.needed(images=True, endings=[]).versions.keys()


#: What the rooms below import and no run on a node does: to fetch, to find the usual cache, to tabulate records for
#: drawing, to merge people's own adapters, to read people's own data, and to have other machines run specs.
NOT_ON_NODE = {"datasets", "distributed", "pandas", "peft", "platformdirs", "pypi-simple", "requests", "urllib3"}
RUN = ("specs", "records", "sources", "tasks", "corpora", "models", "pruning", "likelihood", "training", "runner")


def test_every_import_of_a_run_is_on_the_node_or_in_the_pack():
    tables = (libraries.ON_NODE, libraries.ALWAYS, libraries.OF_IMAGES, libraries.READERS.values())
    there = set().union(*map(libraries._with_requirements, tables))
    distributions = metadata.packages_distributions()
    lacking = set()
    for path in (path for room in RUN for path in (ROOT / "essparse_lib" / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for top in {name.split(".")[0] for name in names} - set(sys.stdlib_module_names):
                owners = {canonicalize_name(name) for name in distributions.get(top, [top])}
                if not owners & (there | NOT_ON_NODE):
                    lacking.add((path.relative_to(ROOT).as_posix(), top))
    assert not lacking, "packs/libraries.py does not name them"


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(libraries, "READERS", {".odd": "a-package-that-nobody-has"})
    assert libraries.needed(images=False, endings=[".odd"]).absent == ["a-package-that-nobody-has"]


def test_a_library_is_copied_without_its_programs(tmp_path):
    libraries.copy(["joblib"], tmp_path)
    assert {"joblib", f"joblib-{metadata.version('joblib')}.dist-info"} == {path.name for path in tmp_path.iterdir()}
    assert not list(tmp_path.rglob("*.pyc"))


# Hashes


@pytest.fixture
def summed(tmp_path):
    folder = tmp_path / "pack"
    (folder / "cache").mkdir(parents=True)
    (folder / "cache" / "one").write_text("one")
    (folder / "two words").write_text("two")
    write_sums(folder)
    return folder


def test_a_whole_pack_passes_also_after_a_run_has_added_files(summed):
    (summed / "cache" / "new").write_text("new")
    assert check_sums(summed) == 2
    done = subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=summed)
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["package/sitecustomize.py", "libraries/joblib/parallel.so", "libraries/torch.pyc"])
def test_code_that_was_added_to_a_pack_is_named(summed, name):
    (summed / "package" / "__pycache__").mkdir(parents=True)
    (summed / "package" / "__pycache__" / "cli.cpython-311.pyc").write_text("compiled by a run")
    (summed / "package" / "notes.txt").write_text("no code")
    assert check_sums(summed) == 2
    (summed / name).parent.mkdir(parents=True, exist_ok=True)
    (summed / name).write_text("")
    with pytest.raises(InputError, match=f"{name} was not packed, and Python would run it"):
        check_sums(summed)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda pack: edited(pack / "cache" / "one"),
            r"/cache/one is damaged \(its sha256 is \w{64}, and was \w{64}\)",
        ),
        (lambda pack: (pack / "two words").unlink(), "/two words is missing: copy it anew"),
        (lambda pack: shutil.rmtree(pack / "cache"), "/cache/one is missing"),
        (lambda pack: (pack / SUMS).unlink(), "is no pack"),
        (lambda pack: (pack / SUMS).write_text(""), "SHA256SUMS is empty"),
        (lambda pack: (pack / SUMS).write_text("0" * 64 + "  ../one\n"), "SHA256SUMS, line 1, is damaged"),
        (lambda pack: (pack / SUMS).write_text("nothing\n"), "SHA256SUMS, line 1, is damaged"),
    ],
)
def test_what_was_damaged_on_the_way_is_named_in_a_line(summed, damage, message):
    damage(summed)
    with pytest.raises(InputError, match=message) as refusal:
        check_sums(summed)
    assert "\n" not in str(refusal.value)


# The whole way: packed here, run on a machine without a network, brought back


def test_a_folder_that_is_there_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "gather", lambda *_: pytest.fail("it was gathered"))
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "mine").write_text("mine")
    with pytest.raises(InputError, match="is there already and not empty"):
        pack(["fig4"], "tiny", tmp_path / "pack")
    assert files(tmp_path) == {"pack/mine"}


def test_nothing_is_written_where_nothing_can_be_had(tmp_path, empty_cache, monkeypatch):
    monkeypatch.setattr(figures, "studies", lambda *_: [figures.study("fig7", "paper")])
    with pytest.raises(InputError, match="cannot get model"):
        pack(["fig7"], "paper", tmp_path / "pack")
    assert not files(tmp_path)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A Python that has PyTorch, transformers and what these need, and nothing else."""
    folder = tmp_path_factory.mktemp("node")
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in libraries._with_requirements(libraries.ON_NODE):
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        for top in {file.parts[0] for file in distribution.files if ".." not in file.parts} - {"__pycache__"}:
            if not (site / top).is_symlink():
                (site / top).symlink_to(distribution.locate_file(top))
    return folder / "bin" / "python"


def isolated():
    """The command that runs another one without a network; None where the system does not allow that."""
    command = ["unshare", "--map-root-user", "--net"]
    if not shutil.which(command[0]):
        return None
    return command if subprocess.run([*command, "true"], capture_output=True).returncode == 0 else None


#: Where no network can be taken away: connections fail in Python, which all downloads here are made with.
BLOCKED = """\
import socket
def refuse(*_, **__):
    raise OSError("no network")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""


@pytest.mark.slow
def test_a_pack_made_here_runs_without_a_network_and_its_records_come_back(node, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    lines = []
    assert pack(["fig4"], "tiny", tmp_path / "pack", tell=lines.append) == []
    about = json.loads((tmp_path / "pack" / "pack.json").read_text())
    assert (about["figures"], about["left_out"], about["absent"]) == (["fig4"], {}, [])
    assert [line.split(":")[0] for line in lines][-1] == str(tmp_path / "pack")

    away = tmp_path / "elsewhere" / "pack"
    away.parent.mkdir()
    shutil.move(tmp_path / "pack", away)
    paths = [away / "package", away / "libraries"]
    prefix = isolated()
    if prefix is None:
        (away.parent / "blocked").mkdir()
        (away.parent / "blocked" / "sitecustomize.py").write_text(BLOCKED)
        paths.append(away.parent / "blocked")

    def on_node(*arguments, path=paths):
        folders = {"ESSPARSE_CACHE": str(away / "cache"), "ESSPARSE_RESULTS": str(away.parent / "results")}
        variables = {**folders, "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(map(str, path)), "OMP_NUM_THREADS": "1"}
        command = [*(prefix or []), node, "-m", "essparse_lib", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=variables, cwd=away.parent, timeout=600)

    without = on_node("run", "fig4", "--scale", "tiny", path=paths[:1])
    assert without.returncode == 2 and without.stderr.count("\n") == 1
    assert without.stderr.startswith("essparse: this Python has no package msgspec")
    checked = on_node("check-pack", "pack")
    assert checked.returncode == 0, checked.stderr
    run = on_node("run", "fig4", "--scale", "tiny", "--budget", "90s")
    assert run.returncode == 0, run.stderr
    assert on_node("check-pack", "pack").stdout == checked.stdout
    edited(away / "README.txt")
    damaged = on_node("check-pack", "pack")
    assert damaged.returncode == 2 and damaged.stderr.startswith("essparse: pack/README.txt is damaged")

    results = tmp_path / "elsewhere" / "results"
    made = Store(results / "tiny").records()
    assert made and {record.provenance["code"] for record in made.values()} == {about["commit"]}

    def merge():
        monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "here"))
        monkeypatch.setattr(sys, "argv", ["essparse", "merge", str(results), "--scale", "tiny"])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code, capfd.readouterr()

    path = next(path for path in sorted(results.rglob("*.jsonl")))
    whole = path.read_text()
    record = next(iter(read_records([path]).values()))
    path.write_text(whole.replace('"zeros": ', '"zeros": 1', 1))
    code, printed = merge()
    assert code == 2 and "line 1: damaged record (its checksum is" in printed.err
    higher = {**record.metrics, "value_accuracy": record.metrics["value_accuracy"] / 2}
    path.write_text(Record(spec=record.spec, status="ok", metrics=higher, predictions=record.predictions,
                           labels=record.labels, values=record.values).line() + "\n")  # fmt: skip
    code, printed = merge()
    assert code == 2 and "damaged record" in printed.err and not (tmp_path / "here").exists()
    path.write_text(whole)
    assert merge()[0] in (None, 0)
    assert Store(tmp_path / "here" / "tiny").records() == made
    spec = next(iter(made.values())).spec
    scheduler.run([spec], Store(tmp_path / "again"))
    again = Store(tmp_path / "again").records()[spec.id]
    assert again.outcome() == made[spec.id].outcome()
    for name in ("weights", "weights_from", "data", "data_from"):
        assert again.provenance[name] == made[spec.id].provenance[name]
