"""Files and folders are written whole or not at all, and nothing else is touched: not by a race, a kill or a group."""

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from helpers import answered, pretraining_study

from essparse_lib import files, temporaries
from essparse_lib.errors import InputError
from essparse_lib.files import MADE, built, check_new_folder, locked, writing, writing_folder
from essparse_lib.records.store import Store
from essparse_lib.specs.trial import Pruning
from essparse_lib.temporaries import make_folder, temporary_folder


def tree(folder):
    """Every path in a folder, with the bytes of files and the targets of links."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
        for path in folder.rglob("*")
    }


def write(folder, text="new", **options):
    with writing_folder(folder, **options) as made:
        (made / "inner").mkdir()
        (made / "inner" / "file").write_text(text)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to write in, with a folder of somebody's; the current folder is an empty one beside it."""
    (tmp_path / "current").mkdir()
    monkeypatch.chdir(tmp_path / "current")
    folder = tmp_path / "place"
    (folder / "full").mkdir(parents=True)
    (folder / "full" / "mine").write_text("mine")
    (folder / "empty").mkdir()
    (folder / "file").write_text("mine")
    (folder / "link").symlink_to("empty")
    (folder / "nowhere").symlink_to("missing")
    return folder


REFUSED = {
    "full": "is there already and not empty: name a new folder",
    "file": "is there already and no folder: name a new folder",
    "link": "is a link: name the folder itself, or a new one",
    "nowhere": "is a link: name the folder itself, or a new one",
    "file/new": "Not a directory",
    "x" * 300: "File name too long",
    "": "is there already and not empty: name a new folder",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_not_be_written_is_refused_before_the_work(place, name):
    before = tree(place)
    for work in (check_new_folder, write, lambda folder: write(folder, replaces=True)):
        with pytest.raises(InputError) as error:
            work(place / name)
        assert REFUSED[name] in str(error.value) or "not made by this version" in str(error.value)
        assert "\n" not in str(error.value)
    assert tree(place) == before


@pytest.mark.parametrize("name", [".", "", "../current", ".."])
def test_the_current_folder_is_never_written(place, name):
    with pytest.raises(InputError, match="is the current folder, or one above it: name a new folder"):
        check_new_folder(Path(name))


@pytest.mark.parametrize("name", ["new", "empty", "new/and/deeper"])
def test_a_new_or_an_empty_folder_is_written(place, name):
    check_new_folder(place / name)
    write(place / name)
    assert tree(place / name) == {"inner": False, "inner/file": b"new"}


def test_a_folder_that_fails_leaves_nothing(place):
    before = tree(place)
    with pytest.raises(ZeroDivisionError), writing_folder(place / "new") as made:
        (made / "file").write_text(str(1 / 0))
    assert tree(place) == before


@pytest.mark.parametrize("takes", ["file", "link", "full", "empty"])
@pytest.mark.parametrize("replaces", [False, True])
def test_what_takes_the_name_meanwhile_stays(place, takes, replaces):
    target = place / "new"

    def take():
        if takes == "link":
            target.symlink_to("empty")
        elif takes == "file":
            target.write_text("mine")
        else:
            target.mkdir()
            if takes == "full":
                (target / "mine").write_text("mine")

    def work():
        with writing_folder(target, replaces) as made:
            (made / "file").write_text("new")
            take()

    if takes == "empty":
        work()
        assert (target / "file").read_text() == "new"
        return
    take()
    before = tree(place)
    shutil.rmtree(target) if takes == "full" else target.unlink()
    with pytest.raises(InputError, match=str(target)):
        work()
    assert tree(place) == before


def test_a_folder_that_it_made_may_be_replaced(place):
    write(place / "new", replaces=True)
    write(place / "new", "newer", replaces=True)
    assert (place / "new/inner/file").read_text() == "newer"
    assert set(tree(place / "new")) == {"inner", "inner/file", MADE}
    with pytest.raises(InputError, match="not empty"):
        write(place / "new")


@pytest.mark.parametrize("name", [".DS_Store", "inner/Thumbs.db"])
def test_a_folder_that_somebody_looked_at_may_be_replaced(place, name):
    write(place / "new", replaces=True)
    (place / "new" / name).write_bytes(b"of the system")
    write(place / "new", "newer", replaces=True)
    assert (place / "new/inner/file").read_text() == "newer"


CHANGES = {
    "file changed": lambda folder: (folder / "inner/file").write_text("mine"),
    "file added": lambda folder: (folder / "mine").write_text("mine"),
    "hidden file added": lambda folder: (folder / "inner/.mine").write_text("mine"),
    "link added": lambda folder: (folder / "mine").symlink_to("inner"),
    "file made a link": lambda folder: [(folder / "inner/file").rename(folder / "x"),
                                        (folder / "inner/file").symlink_to("../x")],
    "fifo added": lambda folder: os.mkfifo(folder / "mine"),
    "list gone": lambda folder: (folder / MADE).unlink(),
    "list garbled": lambda folder: (folder / MADE).write_text("["),
    "list of a list": lambda folder: (folder / MADE).write_text("[1, 2]"),
    "list nested": lambda folder: (folder / MADE).write_text("[" * 100_000),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_folder_that_was_changed_is_not_replaced(place, change):
    folder = place / "new"
    write(folder, replaces=True)
    CHANGES[change](folder)
    before = tree(place)
    with pytest.raises(InputError, match="move it away"):
        check_new_folder(folder, replaces=True)
    with pytest.raises(InputError, match="move it away"):
        write(folder, "newer", replaces=True)
    assert tree(place) == before


def test_a_file_where_a_folder_of_the_cache_goes_is_one_line(place):
    for name in ("file", "nowhere", "file/below"):
        with pytest.raises(InputError, match=str(place)):
            built(place / name, lambda made: None)


def test_only_a_file_is_written_over(place):
    (place / "pipe").parent.mkdir(exist_ok=True)
    os.mkfifo(place / "pipe")
    for name in ("empty", "full", "pipe", "link"):
        with pytest.raises(InputError, match="it is there already, and no file"), writing(place / name) as file:
            file.write(b"new")
    assert stat.S_ISFIFO((place / "pipe").stat().st_mode)


def test_a_link_stays_and_its_file_is_written(place):
    (place / "alias").symlink_to("full/mine")
    for name in ("alias", "nowhere"):
        with writing(place / name) as file:
            file.write(b"new")
        assert (place / name).is_symlink() and (place / name).read_bytes() == b"new"
    assert (place / "full/mine").read_bytes() == (place / "missing").read_bytes() == b"new"


# Leftovers

HOLDERS = {
    "file": "from essparse_lib.files import writing\n"
    "with writing(place / 'it') as file:\n    file.write(b'half'); file.flush(); wait()",
    "folder": "from essparse_lib.files import writing_folder\n"
    "with writing_folder(place / 'it') as made:\n    (made / 'half').write_text('half'); wait()",
    "several": "from essparse_lib.files import writing, writing_folder\n"
    "with writing_folder(place / 'it') as made, writing(made / 'half') as file:\n    file.write(b'half'); wait()",
}


@pytest.fixture
def writer(tmp_path):
    """``writer(kind)`` starts a process that is in the middle of writing ``it``; none outlives the test."""
    started = []

    def start(kind):
        code = f"import time, pathlib\nplace = pathlib.Path({str(tmp_path)!r})\n"
        code += "def wait():\n    print('writing', flush=True)\n    time.sleep(600)\n" + HOLDERS[kind]
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "writing\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("kind", HOLDERS)
def test_what_a_killed_process_leaves_is_cleared_by_the_next_and_a_living_ones_is_not(writer, tmp_path, kind):
    process = writer(kind)
    during = tree(tmp_path)
    assert len(during) > 0
    with writing(tmp_path / "other") as file:
        file.write(b"other")
    assert tree(tmp_path) == during | {"other": b"other"}
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert tree(tmp_path) == during | {"other": b"other"}
    write(tmp_path / "next")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["next", "other"]


def test_only_our_own_leftovers_are_cleared(tmp_path):
    machine = temporaries._machine()
    names = {
        "of another machine": f".essparse-tmp-{'0' * 8}-1.tmp",
        "old, of another machine": f".essparse-tmp-{'0' * 8}-2.tmp",
        "of here": f".essparse-tmp-{machine}-3.tmp",
        "other ending": f".essparse-tmp-{machine}-4",
        "other name": ".file.abc.tmp",
    }
    for name in names.values():
        (tmp_path / name).write_text("x")
    (tmp_path / f".essparse-tmp-{machine}-5.tmp").symlink_to(names["other name"])
    os.mkfifo(tmp_path / f".essparse-tmp-{machine}-6.tmp")
    old = time.time() - 2 * 86_400
    os.utime(tmp_path / names["old, of another machine"], (old, old))
    outside = tmp_path / "mine"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    (tmp_path / f".essparse-tmp-{machine}-7.tmp").write_text("")
    (tmp_path / f".essparse-tmp-{machine}-7").symlink_to(outside)
    with writing(tmp_path / "file") as file:
        file.write(b"x")
    assert {path.name for path in tmp_path.iterdir()} == {
        "file",
        "mine",
        names["of another machine"],
        names["other ending"],
        names["other name"],
        *(f".essparse-tmp-{machine}-{rest}" for rest in ("5.tmp", "6.tmp", "7.tmp", "7")),
    }
    assert (outside / "mine").read_text() == "mine"


def test_writers_that_clear_do_not_disturb_each_other(tmp_path):
    """Four processes write in one folder, each clearing at each write; every write succeeds."""
    code = f"""
import pathlib, sys
from essparse_lib.files import writing, writing_folder
place = pathlib.Path({str(tmp_path)!r})
for number in range(150):
    with writing(place / sys.argv[1]) as file:
        file.write(str(number).encode())
    with writing_folder(place / f"{{sys.argv[1]}}-{{number}}") as made:
        (made / "file").write_text("x")
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "abcd"]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    assert {path.read_text() for path in tmp_path.iterdir() if path.is_file()} == {"149"}
    assert len(list(tmp_path.iterdir())) == 4 * 151


# Who may read and write

STUDY = pretraining_study((1.0, 0))


def record(seed):
    return answered(STUDY.trial("m-100-0", "t", Pruning(sparsity=0.3), seed), 70.0)


@pytest.fixture
def shared(request):
    """A folder that a group shares, and ``as_user(number, umask, work)``, which does work in a process of a user's."""
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root may act for other users")
    group = 54_321
    top = Path(tempfile.mkdtemp())
    top.chmod(0o755)
    folder = top / "results"
    folder.mkdir()
    os.chown(folder, 0, group)
    folder.chmod(0o2775)

    def as_user(number, umask, work):
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([group])
                os.setresgid(*[60_000 + number] * 3)
                os.setresuid(*[60_000 + number] * 3)
                os.umask(umask)
                work()
                os._exit(0)
            except BaseException as error:
                os.write(2, f"user {number}: {type(error).__name__}: {error}\n".encode())
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    yield folder, as_user
    shutil.rmtree(top)


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
def test_two_users_of_a_group_share_a_folder(shared, umask, tmp_path):
    folder, as_user = shared
    Store(tmp_path).append(record(0))  # all modules that are needed are loaded, as other users may not read them
    Store(tmp_path).records()

    def work(number):
        def inner():
            store = Store(folder / "lab")
            store.check_writable()
            with store.claimed(record(number).spec) as mine:
                assert mine
                store.append(record(number))
            assert len(store.records()) == number + 1
            write(store.pretrained("m"), str(number), replaces=number < 2)
            with store.claimed(record(0).spec) as mine, locked(folder / "lab" / "a new lock"):
                assert mine

        return inner

    as_user(0, umask, work(0))
    as_user(1, umask, work(1))
    (folder / "lab/m/model").rename(folder / "away")
    as_user(0, umask, work(2))
    assert (folder / "away/inner/file").read_text() == "1"
    modes = {path.stat().st_mode & 0o7777 for path in folder.rglob("*") if path.is_file()}
    assert all(mode & 0o060 == 0o060 for mode in modes)
    if umask == 0o077:
        assert not any(path.stat().st_mode & 0o007 for path in folder.rglob("*"))


def test_elsewhere_the_umask_decides(tmp_path):
    for umask, mode in ((0o022, 0o644), (0o002, 0o664), (0o077, 0o600)):
        place = tmp_path / str(umask)
        before = os.umask(umask)
        try:
            with writing(place / "new folder" / "file") as file:
                file.write(b"x")
            with writing_folder(place / "folder") as made:
                (made / "inner").mkdir(mode=0o700)
                (made / "inner/file").touch(mode=0o600)
            with locked(place / "lock"):
                pass
        finally:
            os.umask(before)
        for name in ("new folder/file", "folder/inner/file", "lock"):
            assert (place / name).stat().st_mode & 0o777 == mode, (umask, name)
        for name in ("", "new folder", "folder", "folder/inner"):
            assert (place / name).stat().st_mode & 0o777 == mode | (mode & 0o444) >> 2, (umask, name)


def test_a_temporary_folder_is_for_its_user_alone(tmp_path):
    with temporary_folder(tmp_path) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not list(tmp_path.iterdir())


def test_a_folder_that_another_makes_meanwhile_will_do(tmp_path, monkeypatch):
    mkdir = Path.mkdir
    monkeypatch.setattr(Path, "mkdir", lambda self, *rest: (mkdir(self), mkdir(self)))
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_disk_that_refuses_is_told_from_other_errors():
    full = OSError(errno.ENOSPC, "No space left on device")
    assert files.disk_refuses(full)
    assert files.disk_refuses(Exception("Error while serializing: No space left on device (os error 28)"))
    assert files.disk_refuses(shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")]))
    assert not files.disk_refuses(FileNotFoundError(errno.ENOENT, "x"))
    assert not files.disk_refuses(Exception("No such file (os error 2)")) and not files.disk_refuses(Exception("x"))
    with pytest.raises(InputError, match="^cannot write x: No space left on device; free"), files.writable(Path("x")):
        raise shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")])
