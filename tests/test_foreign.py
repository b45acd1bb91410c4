"""Files of others that are well-formed enough to be opened and wrong inside: one line, soon, in little memory."""

import io
import os
import zlib
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from fuzzing import read_or_refused
from PIL import Image
from pyarrow import parquet

from essparse_lib import tasks
from essparse_lib.errors import InputError
from essparse_lib.models import calibration_data, loading
from essparse_lib.models.preprocessing import read_preprocessing
from essparse_lib.sources.foreign import decode, entry, read_bytes, read_text, reading, regular_file
from essparse_lib.sources.sealed import sealed
from essparse_lib.tasks import images

PAIRS = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "label": [0, 1]}


@pytest.fixture
def rte(tmp_path, monkeypatch, empty_cache):
    """``rte(table)``: what the task ``rte`` says of a mirror whose training examples are this table."""
    place = tmp_path / "mirror/nyu-mll/glue/rte"
    place.mkdir(parents=True)
    monkeypatch.setenv("ESSPARSE_MIRROR", str(tmp_path / "mirror"))
    parquet.write_table(pa.table(PAIRS), place / "validation-0.parquet")

    def refusal(table):
        parquet.write_table(table, place / "train-0.parquet")
        return str(read_or_refused(tasks.get("rte").splits))

    return refusal


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"label": [0, None]}, r"column 'label' of .*train-0\.parquet has a null in row 1"),
        ({"sentence2": [None, "d"]}, "column 'sentence2' .* has a null in row 0"),
        ({"label": [0.0, 1.0]}, "column 'label' .* holds double, but must hold whole numbers"),
        ({"label": [[0], [1]]}, "column 'label' .* holds list"),
        ({"label": ["0", "1"]}, "column 'label' .* holds string"),
        ({"label": [False, True]}, "column 'label' .* holds bool"),
        ({"sentence1": [1, 2]}, "column 'sentence1' .* holds int64, but must hold texts"),
        ({"label": [0, 7]}, r"from mirror of nyu-mll/glue has 2 training"),
        ({name: pa.array([], pa.string()) for name in PAIRS}, r"train-0\.parquet has no rows"),
        ({"sentence1": ["a", "x" * (2**24 + 1)]}, "has a value of 16,777,217 bytes"),
    ],
)
def test_tables_with_wrong_values_are_refused(changed, reason, rte):
    import re

    assert re.search(reason, rte(pa.table({**PAIRS, **changed})))


def test_missing_and_repeated_columns_are_named(rte):
    assert "column 'label' is missing; did you mean 'labels'?" in rte(
        pa.table({**PAIRS, "labels": [0, 1]}).drop("label")
    )
    columns = pa.table(PAIRS).columns
    twice = pa.table([*columns, columns[0]], names=[*PAIRS, "label"])
    assert "column 'label' is several times" in rte(twice)


def test_a_table_that_unpacks_to_gigabytes_is_refused_while_it_is_read(rte, tmp_path):
    rows = 4000  # a text of 1 MB, which is stored once
    table = {"sentence1": pa.DictionaryArray.from_arrays([0] * rows, ["x" * 10**6])}
    table = pa.table(table | {"sentence2": ["c"] * rows, "label": [0] * rows})
    assert "holds dictionary" in rte(table)
    parquet.write_table(table, tmp_path / "mirror/nyu-mll/glue/rte/train-0.parquet", store_schema=False)
    assert (tmp_path / "mirror/nyu-mll/glue/rte/train-0.parquet").stat().st_size < 10**6
    assert "unpacks to more than 300 MB" in str(read_or_refused(tasks.get("rte").splits))


def black_png(side):
    """Return a black picture of ``side`` × ``side`` pixels without ever holding them: a PNG of a bit a pixel."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    packer, row = zlib.compressobj(9), bytes(1 + -(-side // 8))
    rows = b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("side", [1025, 10_000, 14_000, 25_000])
def test_a_picture_that_decodes_to_gigabytes_is_refused_before_it_is_decoded(side):
    outcome = read_or_refused(lambda: images.decode_images([black_png(side)], "L", "image {}".format, "1"))
    assert "pixels" in str(outcome) or "decompression bomb" in str(outcome)


def test_of_many_pictures_in_a_file_the_first_is_read():
    frames = [Image.new("L", (2, 2), grey % 250) for grey in range(300)]
    for kind in ("GIF", "TIFF"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        pixels = read_or_refused(lambda data=data: images.decode_images([data], "L", "image {}".format, "P"))
        assert pixels.shape == (1, 1, 2, 2) and pixels.max() == 0


def test_formats_that_start_programs_are_not_read():
    with pytest.raises(InputError, match="it is none of BMP, GIF, JPEG, PNG, TIFF, WEBP, or damaged"):
        images.decode_images([b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"], "L", "image {}".format)


def test_folders_of_images_are_read_with_what_else_is_in_them(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match="has 0 images, fewer than 2"):
        calibration_data.images("tiny-vit", tmp_path, count=2)
    for number, mode in enumerate(("RGB", "L", "P")):
        Image.new(mode, (20, 20), number).save(tmp_path / "folder.png" / f"{number}.png")
    inputs = read_or_refused(lambda: calibration_data.images("tiny-vit", tmp_path, count=3))
    assert inputs["pixel_values"].shape == (3, 3, 16, 16)
    (tmp_path / "large.png").write_bytes(black_png(25_000))
    outcome = read_or_refused(lambda: calibration_data.images("tiny-vit", tmp_path, count=4))
    assert "large.png cannot be decoded" in str(outcome) or "large.png is of 25000 × 25000 pixels" in str(outcome)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "has 0 tokens"),
        (b"\xff\xfea\0b\0", "no text in UTF-8"),
        (bytes(range(256)) * 9, "no text in UTF-8"),
        (b"a film\0" * 99, "characters NUL"),
        (b"PAR1\x15\x04\x15\xf2", "no text in UTF-8"),
        (b"x" * (2**24 + 1), "larger than 16 MB, the most that is read"),
    ],
)
def test_calibration_texts_that_are_none_are_named(data, reason, tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(data)
    model = loading.load_model("tiny-opt")
    with pytest.raises(InputError, match=reason) as caught:
        calibration_data.text_windows(model, "tiny-opt", path, count=2, length=4)
    assert "text.txt" in str(caught.value)


def test_pipes_devices_and_folders_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "a pipe"), ("/dev/zero", "a device"), (tmp_path, "a folder")):
        for read in (regular_file, lambda path: read_text(path, 9)):
            with pytest.raises(InputError, match=rf"cannot be read \(it is .*{kind.split()[1]}"):
                read(path)
    with pytest.raises(InputError, match=r"nowhere cannot be read \(No such file or directory\)"):
        read_bytes(tmp_path / "nowhere", 9)


@pytest.mark.parametrize(
    "content",
    [
        '{"size": 1000000000000}', '{"size": [16]}', '{"size": {"height": "16"}}', '{"size": true}',
        '{"resample": [2]}', '{"rescale_factor": null}', '{"rescale_factor": "1"}', '{"image_mean": ["x", 1, 2]}',
        '{"image_std": [NaN, 1, 1]}', '{"image_mean": {"a": 1}}', '{"image_std": 1e999}',
        '{"image_mean": 1' + "0" * 400 + "}", "[" * 10**5, "[]", "x",
    ],
)  # fmt: skip
def test_preprocessings_of_other_kinds_are_refused(content, tmp_path):
    path = tmp_path / "preprocessor_config.json"
    path.write_text(content)
    config = SimpleNamespace(image_size=None if "size" in content else 16)
    assert isinstance(read_or_refused(lambda: read_preprocessing(config, path)), InputError)


def test_half_a_pair_is_no_text_and_true_is_no_number():
    for value, kind in (("\ud800", str), (True, int), (1.0, int), (None, list)):
        with pytest.raises(InputError, match=r"^a\.json has .* for 'key', which must be a"):
            entry({"key": value}, "key", kind, "a.json")
    assert decode(b"\xef\xbb\xbfa", "a.txt") == "a"


def test_ctrl_c_passes_and_an_error_of_ours_stays():
    with pytest.raises(KeyboardInterrupt), reading("a"):
        raise KeyboardInterrupt
    with pytest.raises(InputError, match="^ours$"), reading("a"):
        raise InputError("ours")


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "no hashes", "hashes of another"])
def test_a_damaged_folder_is_made_anew_and_a_whole_one_is_kept(damage, tmp_path):
    made, folder = [], tmp_path / "made"

    def make(target):
        made.append(1)
        (target / "in").mkdir()
        np.save(target / "in" / "a.npy", np.arange(9))

    path, sums = folder / "in" / "a.npy", tmp_path / ".made.sha256"
    assert sealed(folder, make) == sealed(folder, make) == folder and len(made) == 1
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage in ("cut", "flip"):
        path.write_bytes(data[:-1] if damage == "cut" else data[:-1] + b"\1")
    elif damage == "no hashes":
        sums.unlink()
    else:
        sums.write_bytes(b"\xff nonsense")
    assert sealed(folder, make) == folder and len(made) == 2
    assert path.read_bytes() == data
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")) == [".made.sha256", "made"]
