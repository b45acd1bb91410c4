"""People's own data become a task: the same whatever their format; each fault is one line and leaves nothing behind."""

import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from essparse_lib import corpora, tasks
from essparse_lib.errors import InputError
from essparse_lib.likelihood import tasks as likelihood_tasks
from essparse_lib.records.answers import check_answers
from essparse_lib.runner.task_heads import TASK_HEADS
from essparse_lib.sources import data_sets
from essparse_lib.specs.likelihood import LikelihoodKind
from essparse_lib.specs.spec import check_name
from essparse_lib.specs.tasks import Head
from essparse_lib.tasks import own_pictures, own_store, own_texts
from essparse_lib.tasks.own import OwnData, OwnKind, prepare
from essparse_lib.tasks.own_labels import Labels, classes_of

#: The folder laid out like the hub that is used outside of tests, if there is one.
MIRROR = Path(os.environ["ESSPARSE_TEST_REAL_MIRROR"] or "nowhere")


@pytest.fixture(autouse=True)
def nothing_left(empty_cache, tmp_path, monkeypatch):
    """After each test the cache has prepared data alone, and the system's folder for temporary files nothing new."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("ESSPARSE_CACHE", str(empty_cache))
    yield
    allowed = {"own-tasks"} if empty_cache.is_dir() else set()
    assert {path.name for path in empty_cache.glob("*")} <= allowed
    assert not list(temporary.iterdir())
    assert not (Path(os.environ["HF_HOME"]) / "datasets").exists()


def rows(count=120, labels=("bad", "good")):
    """Return made-up texts with their labels, all different."""
    return [
        (f"The film number {i} was, in a word, {labels[i % len(labels)]}", labels[i % len(labels)])
        for i in range(count)
    ]


def csv(data, header="text,label", end="\n"):
    return end.join([header, *(f'"{text}",{label}' for text, label in data)]) + end


def write(path, content, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def write_parquet(path, **columns):
    parquet.write_table(pa.table(columns), path)
    return path


def columns_of(data):
    return {"text": [text for text, _ in data], "label": [label for _, label in data]}


def suffix(prepared):
    return prepared.name.rpartition("-")[2]


def told(prepared):
    return " ".join(prepared.notes)


# What works


def test_a_table_becomes_a_task_that_every_process_finds(tmp_path, empty_cache):
    prepared = prepare(OwnData(data=write(tmp_path / "film reviews.csv", csv(rows()))))
    check_name("task", prepared.name)
    assert prepared.name.startswith("film-reviews-") and prepared.kind is OwnKind.CLASSES_OF_TEXTS
    assert (prepared.classes, prepared.train, prepared.test) == (("bad", "good"), 90, 30)
    code = (
        "import sys; from essparse_lib import tasks, corpora; task = tasks.get(sys.argv[1]); splits = task.splits(); "
        "print(task.metric, task.head, len(splits.train), len(splits.test), len(list(corpora.get(task.name).load())))"
    )
    done = subprocess.run([sys.executable, "-c", code, prepared.name], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["accuracy", "sequence-classification", "90", "30", "90"]
    splits = tasks.get(prepared.name).splits()
    assert sorted(
        zip(
            [t for (t,) in splits.train.texts + splits.test.texts],
            splits.train.labels + splits.test.labels,
            strict=True,
        )
    ) == sorted((text, ("bad", "good").index(label)) for text, label in rows())


def as_csv(folder, data):
    return write(folder / "a.csv", csv(data))


def as_windows_csv(folder, data):
    return write(folder / "b.csv", b"\xef\xbb\xbf" + csv(data, end="\r\n").encode())


def as_utf16_csv(folder, data):
    return write(folder / "c.csv", csv(data), "utf-16")


def as_semicolons(folder, data):
    return write(folder / "d.csv", "text;label\n" + "".join(f'"{text}";{label}\n' for text, label in data))


def as_tsv(folder, data):
    return write(folder / "e.tsv", "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in data))


def as_jsonl(folder, data):
    return write(folder / "f.jsonl", "".join(json.dumps({"text": t, "label": v}) + "\n" for t, v in data))


def as_json(folder, data):
    return write(folder / "g.json", json.dumps([{"text": t, "label": v} for t, v in data]))


def as_parquet(folder, data):
    return write_parquet(folder / "h.parquet", **columns_of(data))


def as_categories(folder, data):
    labels = pa.array([label for _, label in data]).dictionary_encode()
    return write_parquet(folder / "i.parquet", text=[text for text, _ in data], label=labels)


def as_saved(folder, data):
    import datasets

    datasets.Dataset.from_dict(columns_of(data)).save_to_disk(folder / "j")
    return folder / "j"


def as_saved_for_torch(folder, data):
    import datasets

    saved = datasets.Dataset.from_dict(columns_of(data))
    saved.set_format("torch")
    datasets.DatasetDict({"train": saved}).save_to_disk(folder / "k")
    return folder / "k"


def as_folder(folder, data):
    as_parquet_folder = folder / "l"
    as_parquet_folder.mkdir()
    return as_parquet(as_parquet_folder, data).parent


FORMATS = (
    *(as_csv, as_windows_csv, as_utf16_csv, as_semicolons, as_tsv, as_jsonl, as_json, as_parquet, as_categories),
    *(as_saved, as_saved_for_torch, as_folder),
)


@pytest.mark.parametrize("labels", [("bad", "good"), (0, 1), (-1, 0, 1), (0.0, 1.0), (1, 10, 9)], ids=str)
def test_the_same_data_in_any_format_are_the_same_task(labels, tmp_path):
    data = rows(100, labels)
    names = {}
    for form in FORMATS:
        with np.errstate(all="ignore"):
            prepared = prepare(OwnData(data=form(tmp_path, data)))
        names[form.__name__] = (suffix(prepared), prepared.classes)
    assert len(set(names.values())) == 1, names
    numbers = sorted(int(label) for label in labels) if not isinstance(labels[0], str) else sorted(labels)
    assert prepared.classes == tuple(map(str, numbers))


def test_booleans_and_named_classes_are_the_same_in_any_format(tmp_path):
    import datasets

    data = rows(100, (False, True))
    texts = columns_of(data)["text"]
    forms = [as_csv(tmp_path, data), as_jsonl(tmp_path, data), as_parquet(tmp_path, data)]
    assert len({(suffix(p), p.classes) for p in (prepare(OwnData(data=form)) for form in forms)}) == 1
    named = datasets.Dataset.from_dict({"text": texts, "label": [int(label) for _, label in data]})
    named = named.cast_column("label", datasets.ClassLabel(names=["no", "yes", "unused"]))
    named.save_to_disk(tmp_path / "named")
    prepared = prepare(OwnData(data=tmp_path / "named"))
    numbers = prepare(OwnData(data=as_csv(tmp_path, [(text, int(label)) for text, label in data])))
    assert suffix(prepared) == suffix(numbers) and prepared.classes == ("no", "yes")


def named_classes(path, names, start=0):
    """Write parquet whose labels are numbers of named classes."""
    import datasets

    data = rows(start + 100)[start:]
    numbers = [names.index(label) for _, label in data]
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=names)})
    columns = {"text": columns_of(data)["text"], "label": numbers}
    datasets.Dataset.from_dict(columns, features=features).to_parquet(path)
    return path


def labels_that_stand_in_the_texts(prepared):
    """Check that each example has the label that its text ends with."""
    splits = tasks.get(prepared.name).splits()
    for part in (splits.train, splits.test):
        for (text,), number in zip(part.texts, part.labels, strict=True):
            assert text.endswith(prepared.classes[number])


def test_classes_of_the_same_names_in_another_order_are_the_same_classes(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    train = named_classes(folder / "train.parquet", ["good", "bad"])
    test = named_classes(folder / "test.parquet", ["bad", "good"], start=100)
    labels_that_stand_in_the_texts(prepare(OwnData(data=train, test=test)))
    labels_that_stand_in_the_texts(prepare(OwnData(data=folder)))
    test.rename(folder / "train-2.parquet")
    with pytest.raises(InputError, match="names classes in another way than"):
        prepare(OwnData(data=folder))


def test_the_names_of_classes_are_those_of_these_data_whatever_was_kept_before(tmp_path):
    numbers = write(tmp_path / "numbers.csv", csv([(text, int(label == "good")) for text, label in rows(100)]))
    named = named_classes(tmp_path / "numbers.parquet", ["bad", "good"])
    for path, classes in ((numbers, ("0", "1")), (named, ("bad", "good")), (numbers, ("0", "1"))):
        assert prepare(OwnData(data=path)).classes == classes


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([2**53, 2**53 + 1], ("9007199254740992", "9007199254740993")),
        ([2**62, 2**62 + 1], ("4611686018427387904", "4611686018427387905")),
        ([0.5, float("inf")], ("0.5", "inf")),
        (["caf\u00e9", "cafe\u0301", "tea"], ("caf\u00e9", "tea")),
    ],
)
def test_labels_are_neither_joined_nor_parted_by_how_they_are_stored(values, classes, tmp_path):
    texts = columns_of(rows())["text"]
    labels = [values[i % len(values)] for i in range(120)]
    forms = [write_parquet(tmp_path / "a.parquet", text=texts, label=labels)]
    forms.append(as_csv(tmp_path, zip(texts, labels, strict=True)))
    assert {prepare(OwnData(data=form)).classes for form in forms} == {classes}


def test_classes_that_look_alike_are_told(tmp_path):
    data = rows(120, ("bad", "Bad", "good", "good\u200b", "odd"))
    assert "look alike and are taken as different ones: 'Bad' and 'bad'; 'good' and 'good\\u200b'." in told(
        prepare(OwnData(data=write(tmp_path / "alike.csv", csv(data))))
    )


def test_copies_in_another_form_of_unicode_are_left_out_of_training(tmp_path):
    composed = [(f"Caf\u00e9: {text}", label) for text, label in rows(120)]
    parted = [(text.replace("\u00e9", "e\u0301"), label) for text, label in composed[:30]]
    own = OwnData(data=write(tmp_path / "a.csv", csv(composed)), test=write(tmp_path / "b.csv", csv(parted)))
    assert prepare(own).train == 90


@pytest.mark.parametrize("name", ["[ab].csv", "*.csv", "?.csv", "{a,b}.csv", "#a%20b.csv", "[!x]/a.csv", "**/a.csv"])
def test_a_name_that_is_a_pattern_names_one_file(name, tmp_path):
    write(tmp_path / "a.csv", csv(rows(200, ("other", "another"))))
    write(tmp_path / "b.csv", csv(rows(200, ("other", "another"))))
    prepared = prepare(OwnData(data=write(tmp_path / name, csv(rows()))))
    assert (prepared.classes, prepared.train + prepared.test) == (("bad", "good"), 120)


def test_the_split_does_not_depend_on_the_order_and_keeps_copies_together(tmp_path):
    data = rows(120) + [(text.upper() + "  ", label) for text, label in rows(40)]
    parts = []
    for name, order in (("one", data), ("two", data[::-1])):
        splits = tasks.get(prepare(OwnData(data=write(tmp_path / f"{name}.csv", csv(order)))).name).splits()
        parts.append([{text for (text,) in part.texts} for part in (splits.train, splits.test)])
    assert parts[0] == parts[1]
    train, test = ({text.casefold().strip() for text in part} for part in parts[0])
    assert not train & test


def test_texts_in_both_parts_are_left_out_of_training(tmp_path):
    data = rows(100)
    test = [(f"  {data[i][0].upper()}\t", data[i][1]) for i in range(7)] + rows(160)[130:]
    own = OwnData(
        data=write(tmp_path / "train.csv", csv(data)),
        test=write_parquet(tmp_path / "test.parquet", **columns_of(test)),
    )
    prepared = prepare(own)
    assert (prepared.train, prepared.test) == (93, 37)
    assert "7 training examples stand in the test part, too" in told(prepared)


def test_pairs_are_recognised_and_named(tmp_path):
    pairs = [(f"a man number {i} sleeps", f"nobody {i % 30} is awake", i % 3) for i in range(150)]
    header = "premise,hypothesis,gold"
    path = write(tmp_path / "pairs.csv", "\n".join([header, *(f"{a},{b},{c}" for a, b, c in pairs)]))
    prepared = prepare(OwnData(data=path))
    assert tasks.get(prepared.name).splits().train.texts[0] in [pair[:2] for pair in pairs]
    assert "premise and hypothesis as text, gold as label" in told(prepared)
    turned = prepare(OwnData(data=path, text="hypothesis", text2="premise", label="gold"))
    assert suffix(turned) != suffix(prepared)
    alone = prepare(OwnData(data=path, text="premise"))
    assert len(tasks.get(alone.name).splits().train.texts[0]) == 1 and "Not read: hypothesis." in told(alone)


def test_what_is_left_out_is_told_in_numbers(tmp_path):
    data = [*rows(100), ("", "good"), ("   ", "bad"), ("A text without a label, alas", ""), (rows()[0][0], "good")]
    prepared = prepare(OwnData(data=write(tmp_path / "holes.csv", csv(data))))
    for note in (
        "2 rows with an empty text are left out",
        "1 rows without a label are left out",
        "1 of 101 texts are copies",
        "1 different texts stand with more than one label",
        "Columns: text as text, label as label (texts).",
    ):
        assert note in told(prepared)
    nulls = write_parquet(
        tmp_path / "nulls.parquet",
        text=[*columns_of(rows())["text"], None],
        label=[*[float(i % 2) for i in range(120)], 1.0],
    )
    assert "1 rows with an empty text" in told(prepare(OwnData(data=nulls)))
    missing = [float("nan") if i == 5 else float(i % 2) for i in range(120)]
    nan = write_parquet(tmp_path / "nan.parquet", text=columns_of(rows())["text"], label=missing)
    prepared = prepare(OwnData(data=nan))
    assert prepared.classes == ("0", "1") and "1 rows without a label" in told(prepared)


def test_columns_are_recognised_by_their_values(tmp_path):
    data = rows(100)
    lines = [f'{i},"{text}",{label}' for i, (text, label) in enumerate(data)]
    prepared = prepare(OwnData(data=write(tmp_path / "a.csv", "\n".join([",what they wrote,verdict", *lines]))))
    assert prepared.classes == ("bad", "good")
    assert "what they wrote as text, verdict as label" in told(prepared) and "Not read: column 1." in told(prepared)


def test_quoted_line_ends_and_texts_that_look_like_nothing_are_texts(tmp_path):
    data = [*rows(98), ("one\nline, then another", "good"), ("null", "bad"), ("NA", "good")]
    for end in ("\n", "\r\n"):
        text = csv(data).replace("\n", end)
        splits = tasks.get(prepare(OwnData(data=write(tmp_path / "quoted.csv", text))).name).splits()
        texts = {text for (text,) in (*splits.train.texts, *splits.test.texts)}
        assert {"one\nline, then another", "null", "NA"} <= texts and len(texts) == 101


def test_more_than_36_classes_are_judged_by_how_often_the_first_is_right(tmp_path):
    data = [(f"number {i} of topic t{i % 40}", f"t{i % 40}") for i in range(800)]
    prepared = prepare(OwnData(data=write(tmp_path / "many.csv", csv(data))))
    assert len(prepared.classes) == 40 and tasks.get(prepared.name).metric == "top1"
    with pytest.raises(InputError, match="has 1,300 classes|at most 1,296"):
        classes_of([Labels(values=[f"c{i % 1300}" for i in range(5200)])], "x")


def test_splits_of_a_folder_are_found_and_told(tmp_path):
    import datasets

    parts = {"test": rows(60)[30:], "train": rows(200)[60:], "validation": rows(30)}
    unlabelled = {"text": columns_of(parts["test"])["text"], "label": [-1] * 30}
    saved = {
        name: datasets.Dataset.from_dict(
            unlabelled if name == "test" else columns_of([(t, int(v == "good")) for t, v in part])
        )
        for name, part in parts.items()
    }
    datasets.DatasetDict(saved).save_to_disk(tmp_path / "all")
    prepared = prepare(OwnData(data=tmp_path / "all"))
    assert (prepared.train, prepared.test) == (140, 30)
    assert "Split train is trained on, validation is tested on. Not read: split test." in told(prepared)
    datasets.DatasetDict({n: p for n, p in saved.items() if n != "validation"}).save_to_disk(tmp_path / "two")
    prepared = prepare(OwnData(data=tmp_path / "two"))
    assert "Split train alone has labels." in told(prepared) and prepared.test == 35


# Plain text


def sentences(count, start=0):
    return [
        f"Sentence {i} says that {i * i} is the square of {i}, which nobody doubts."
        for i in range(start, start + count)
    ]


def test_a_plain_text_is_cut_into_documents_and_windows(tmp_path):
    text = "\n\n".join(" ".join(sentences(12, 12 * i)) for i in range(280))
    prepared = prepare(OwnData(data=write(tmp_path / "novel.txt", text.replace("\n", "\r\n"))))
    assert prepared.kind is OwnKind.PLAIN_TEXT and not prepared.classes
    assert suffix(prepared) == suffix(prepare(OwnData(data=write(tmp_path / "novel2.txt", text))))
    task = likelihood_tasks.get(prepared.name)
    questions = task.questions()
    assert task.kind is LikelihoodKind.TEXT and len(questions) == prepared.test >= 20
    assert all(len(question.choices) == 1 and len(question.choices[0]) <= 1500 for question in questions.items)
    documents = list(corpora.get(prepared.name).load())
    assert len(documents) == prepared.train
    assert len("".join("".join(documents).split())) + len(
        "".join("".join(q.choices[0].split()) for q in questions.items)
    ) == len("".join(text.split()))
    check_answers(
        prepared.name,
        {"log_probability": -1.0, "perplexity": 2.718281828},
        "",
        "",
        {"log_probabilities": [-1.0], "lengths": [1]},
    )
    with pytest.raises(InputError, match="is plain text and has no classes"):
        tasks.get(prepared.name)
    tested = prepare(
        OwnData(data=tmp_path / "novel.txt", test=write(tmp_path / "t.txt", "\n\n".join(sentences(600, 9000))))
    )
    assert "characters of paragraphs" not in told(tested) and tested.test >= 20
    shared = text.split("\n\n")[100]
    both = write(tmp_path / "both.txt", "\n\n".join([*sentences(600, 9000), shared]))
    assert "characters of paragraphs" in told(prepare(OwnData(data=tmp_path / "novel.txt", test=both)))


def test_a_table_of_one_column_of_texts_is_plain_text(tmp_path):
    texts = [" ".join(sentences(8, 8 * i)) for i in range(400)]
    prepared = prepare(OwnData(data=write_parquet(tmp_path / "t.parquet", text=texts)))
    assert prepared.kind is OwnKind.PLAIN_TEXT and "read as plain text, a document a row" in told(prepared)


# Images


def picture(number, size=(20, 16), mode="RGB", kind="PNG", **options):
    """Return the bytes of an image that is like no other."""
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    elif mode != "RGB":
        image = image.convert(mode)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def image_folder(folder, count=100, **options):
    for number in range(count):
        write(folder / ("cat", "dog")[number % 2] / f"{number:03}.png", picture(number, **options))
    return folder


def test_a_folder_of_images_is_a_task_as_a_table_of_them_is(tmp_path):
    folder = image_folder(tmp_path / "pets")
    write(folder / "cat" / "notes.txt", "no image")
    write(folder / "cat" / "._000.png", "hidden")
    prepared = prepare(OwnData(data=folder))
    assert prepared.kind is OwnKind.CLASSES_OF_IMAGES and prepared.classes == ("cat", "dog")
    assert (prepared.train, prepared.test) == (75, 25) and "1 files that are no images" in told(prepared)
    task = tasks.get(prepared.name)
    splits = task.splits()
    assert task.head is Head.IMAGE_CLASSIFICATION and splits.train.shape == (3, 16, 20) and task.head in TASK_HEADS
    with pytest.raises(InputError, match="has images and no texts"):
        corpora.get(prepared.name)
    files = sorted(folder.rglob("[0-9]*.png"))
    images = [{"bytes": path.read_bytes(), "path": path.name} for path in files]
    import datasets

    table = datasets.Dataset.from_dict(
        {"image": images, "label": [path.parent.name for path in files]},
        features=datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")}),
    )
    table.to_parquet(tmp_path / "pets.parquet")
    assert suffix(prepare(OwnData(data=tmp_path / "pets.parquet"))) == suffix(prepared)
    lines = [f"{path.relative_to(tmp_path).as_posix()},{path.parent.name}" for path in files]
    listed = write(tmp_path / "pets.csv", "\n".join(["file,kind", *lines]))
    assert suffix(prepare(OwnData(data=listed, image="file", label="kind"))) == suffix(prepared)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"mode": "L"}, (1, 16, 20)),
        ({"mode": "I;16"}, (1, 16, 20)),
        ({"mode": "1"}, (1, 16, 20)),
        ({"mode": "P"}, (3, 16, 20)),
        ({"mode": "RGBA"}, (3, 16, 20)),
        ({"mode": "LA"}, (3, 16, 20)),
        ({"mode": "CMYK", "kind": "TIFF"}, (3, 16, 20)),
        ({"size": (700, 300)}, (3, 256, 256)),
        ({"size": (300, 60)}, (3, 60, 60)),
    ],
    ids=str,
)
def test_images_of_any_mode_and_size_are_read(options, shape, tmp_path):
    prepared = prepare(OwnData(data=image_folder(tmp_path / "odd", count=80, **options)))
    images = tasks.get(prepared.name).splits().train
    assert images.shape == shape and images.pixels.std() > 20
    assert ("resized (bicubic)" in told(prepared)) == (shape[1:] != (16, 20))


def test_images_that_stand_in_both_parts_and_mixed_ones(tmp_path):
    folder = tmp_path / "pets"
    image_folder(folder / "train", count=60)
    image_folder(folder / "test", count=30)
    write(folder / "train" / "cat" / "grey.png", picture(500, mode="L", size=(40, 40)))
    prepared = prepare(OwnData(data=folder))
    assert (prepared.train, prepared.test) == (31, 30) and "30 training images stand in the test part" in told(prepared)
    assert "1 grey ones become so" in told(prepared) and "16 × 16 pixels" not in told(prepared)
    damaged = tmp_path / "damaged"
    image_folder(damaged, count=80)
    write(damaged / "dog" / "x.png", picture(1)[:150])
    write(damaged / "dog" / "y.jpg", b"no image")
    with pytest.raises(InputError, match=r"1 of 82 images .*y\.jpg cannot be decoded: it is none of BMP"):
        prepare(OwnData(data=damaged))
    (damaged / "dog" / "y.jpg").unlink()
    with pytest.raises(InputError, match=r"1 of 81 images .*x\.png cannot be decoded: image file is truncated"):
        prepare(OwnData(data=damaged))


def test_pixels_that_cannot_be_seen_are_white_and_a_camera_that_lay_is_turned():
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert np.asarray(own_pictures._in_mode(clear, "RGB")).min() == 255
    exif = Image.Exif()
    exif[0x0112] = 6
    assert own_pictures._head(picture(1, (20, 10), kind="JPEG", exif=exif), "x")[:2] == (10, 20)


# Faults: one line, exit 2 by way of InputError, nothing left


def saved_elsewhere(folder):
    import datasets

    datasets.Dataset.from_dict(columns_of(rows())).save_to_disk(folder / "saved")
    state = json.loads((folder / "saved" / "state.json").read_text())
    state["_data_files"] = [{"filename": "../other.arrow"}]
    (folder / "saved" / "state.json").write_text(json.dumps(state))
    return folder / "saved"


def linked_outside(folder):
    write(folder / "secret.png", picture(3))
    image_folder(folder / "linked")
    (folder / "linked" / "dog" / "link.png").symlink_to(folder / "secret.png")
    return folder / "linked"


def of(name, content, encoding="utf-8"):
    return lambda folder: write(folder / name, content, encoding)


def table(name="x.parquet", **columns):
    return lambda folder: write_parquet(folder / name, **columns)


TEXTS = columns_of(rows())["text"]
FAULTS = {
    "a missing file": (lambda folder: folder / "nothing.csv", {}, "no such file or folder"),
    "an unknown ending": (of("x.xlsx", b"PK\x03\x04"), {}, "is of a format that is not read: give a CSV"),
    "pickled objects": (of("x.pkl", b"\x80\x04"), {}, "is of a format that is not read"),
    "pickled objects by another name": (of("x.csv", b"\x80\x04\x95abc"), {}, "is pickled objects, which may run code"),
    "a spreadsheet by another name": (of("x.csv", b"PK\x03\x04abc"), {}, "is a ZIP archive"),
    "parquet by another name": (of("x.jsonl", b"PAR1abcPAR1"), {}, "is a parquet file"),
    "CSV named parquet": (of("x.parquet", csv(rows())), {}, "is no parquet file"),
    "damaged parquet": (of("x.parquet", b"PAR1" + b"x" * 50), {}, "cannot be read"),
    "JSON lines named CSV": (of("x.csv", '{"text": "a"}\n'), {}, "begins as JSON does"),
    "CSV named JSON lines": (of("x.jsonl", csv(rows())), {}, "cannot be read"),
    "damaged JSON lines": (of("x.jsonl", '{"text": "a", "label": 1}\n{"text": '), {}, "cannot be read"),
    "an empty file": (of("x.csv", b""), {}, "is empty"),
    "blank lines": (of("x.csv", "\n\n \n"), {}, "is empty"),
    "a header alone": (of("x.csv", "text,label\n"), {}, "has a header and no rows"),
    "no rows": (table(text=pa.array([], pa.string()), label=pa.array([], pa.int64())), {}, "has no rows"),
    "no header": (of("x.csv", csv(rows()).partition("\n")[2]), {}, "seems to have no header"),
    "latin-1": (of("x.csv", csv([*rows(), ("Café crème", "good")]), "latin-1"), {}, "is no text in UTF-8"),
    "UTF-16 without its mark": (of("x.csv", csv(rows()), "utf-16-le"), {}, "is no text in UTF-8"),
    "latin-1 in JSON lines": (of("x.jsonl", '{"text": "é"}\n'.encode("latin-1")), {}, "is no text in UTF-8"),
    "an empty list": (of("x.json", "[]"), {}, "cannot be read|has no rows"),
    "NUL": (of("x.csv", csv([*rows(), ("a\0b", "good")])), {}, "it has characters NUL"),
    "a long row": (of("x.csv", csv(rows()) + "a,b,c\n"), {}, "has 3 values in line 122, and 2 columns"),
    "a short row": (of("x.csv", csv(rows()) + "alone\n"), {}, "has 1 values in line 122"),
    "an open quotation mark": (of("x.csv", csv(rows()) + '"open,good\n'), {}, "cannot be read"),
    "columns of one name": (of("x.csv", csv(rows(), "text,text")), {}, "several columns of the name 'text'"),
    "a missing column": (of("x.csv", csv(rows())), {"label": "lable"}, "has no column 'lable'.*did you mean 'label'"),
    "no labels": (
        of("x.csv", "text,number\n" + "".join(f'"{text}",{i}\n' for i, text in enumerate(TEXTS))),
        {},
        "no column seems to hold the labels; name it \\(label\\): its columns are text \\(texts\\), number",
    ),
    "no texts": (
        of("x.csv", "id,label\n" + "".join(f"{i},{i % 2}\n" for i in range(100))),
        {},
        "no column seems to hold the texts",
    ),
    "two texts": (
        table(review=TEXTS, comment=TEXTS, label=[0, 1] * 60),
        {},
        "'review' or 'comment' may hold the texts",
    ),
    "two labels": (table(text=TEXTS, a=[0, 1] * 60, b=[1, 1, 0] * 40), {}, "'a' or 'b' may hold the labels"),
    "names that differ in case": (table(text=TEXTS, Label=[0, 1] * 60, label=[1, 0] * 60), {}, "may hold the label"),
    "a column twice": (of("x.csv", csv(rows())), {"text": "text", "label": "text"}, "name each column once"),
    "an empty name": (of("x.csv", csv(rows())), {"label": ""}, "label '' is not allowed"),
    "a column of lists": (table(text=[[t] for t in TEXTS], label=[0, 1] * 60), {"text": "text"}, "holds lists"),
    "labels in lists": (table(text=TEXTS, label=[[0], [1]] * 60), {"label": "label"}, "and must hold labels"),
    "texts that are numbers": (
        table(text=list(range(120)), label=[0, 1] * 60),
        {"text": "text"},
        "holds whole numbers, and must hold texts",
    ),
    "labels of several types": (
        of(
            "x.jsonl",
            "".join(json.dumps({"text": t, "label": i if i % 2 else str(i)}) + "\n" for i, t in enumerate(TEXTS)),
        ),
        {"label": "label"},
        "holds values of several types",
    ),
    "numbers to predict": (
        table(text=TEXTS, label=[i / 7 for i in range(120)]),
        {},
        "numbers to predict are not supported",
    ),
    "numbers to predict in CSV": (
        of("x.csv", csv([(t, i / 7) for i, t in enumerate(TEXTS)])),
        {},
        "numbers to predict",
    ),
    "one class": (of("x.csv", csv(rows(labels=("good",)))), {}, "have one class, 'good'"),
    "a class a row": (table(text=TEXTS, label=list(range(120))), {}, "120 classes of 120 examples, more than half"),
    "no known label": (table(text=TEXTS, label=[None] * 119 + [""]), {"label": "label"}, "have no labels"),
    "ten rows": (of("x.csv", csv(rows(10))), {}, "has 10 examples that can be used: give at least 80"),
    "copies alone": (of("x.csv", csv([("the same text", i % 2) for i in range(100)])), {}, "has 1 different examples"),
    "empty texts": (
        of("x.csv", csv([("", "good"), (" ", "bad")] * 60)),
        {"text": "text"},
        "have no labels|has 0 examples",
    ),
    "a rare class": (of("x.csv", csv([*rows(), ("once", "rare")])), {}, "too few training examples of class 'rare'"),
    "a short plain text": (of("x.txt", "A text. " * 50), {}, "has 399 characters of text: give at least 200,000"),
    "a plain text in latin-1": (of("x.txt", "é".encode("latin-1") * 9), {}, "is no text in UTF-8"),
    "columns of a plain text": (of("x.txt", "A text. " * 50), {"text": "text"}, "is a plain text and has no columns"),
    "an empty folder": (lambda folder: (folder / "e").mkdir() or folder / "e", {}, "has no images and no tables"),
    "a file of a folder that is saved elsewhere": (saved_elsewhere, {}, "names no files of this folder"),
    "a folder with one class": (
        lambda folder: image_folder(folder / "pets" / "inner").parent,
        {},
        "have one class, 'inner'",
    ),
    "images outside of classes": (
        lambda folder: write(folder / "pets" / "a.png", picture(1)).parent,
        {},
        "lies in no folder of a class",
    ),
    "a link out of a folder": (linked_outside, {}, "is a link out of"),
    "a path into an archive": (of("a::b.csv", csv(rows())), {}, "has two colons"),
    "a class that is no UTF-8": (
        lambda folder: (image_folder(folder / "pets") / "cat").rename(folder / "pets" / "c\udcff").parent,
        {},
        r"class 'c\\udcff' of .* is no UTF-8",
    ),
    "columns of a folder": (
        lambda folder: image_folder(folder / "pets"),
        {"label": "kind"},
        "has no columns: name none",
    ),
    "paths out of a folder": (
        of("x.csv", "image,label\n" + "../../etc/passwd,0\n/etc/hosts,1\n" * 50),
        {"image": "image"},
        "out of .*: give paths of files",
    ),
    "texts and images": (
        of("x.csv", csv(rows())),
        {"text": "text", "image": "label"},
        "name columns of texts, or one of images",
    ),
    "a data set that is nowhere": (lambda _: "nobody/nothing", {}, "cannot get data set nobody/nothing from the hub"),
    "no path": (lambda _: "", {}, "data '' is not allowed: give a path"),
    "a number": (lambda _: 3, {}, "data 3 is not allowed: give a path"),
    "parquet with columns of one name": (
        lambda folder: (
            parquet.write_table(
                pa.table([pa.array(TEXTS), pa.array(TEXTS)], names=["text", "text"]), folder / "x.parquet"
            )
            or folder / "x.parquet"
        ),
        {},
        "several columns of the name|cannot be read",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_and_leaves_nothing(fault, tmp_path, empty_cache, capfd):
    make, named, message = FAULTS[fault]
    data = make(tmp_path)
    capfd.readouterr()
    with pytest.raises(InputError, match=message) as refused:
        prepare(OwnData(data=data, **named))
    assert "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", "")
    assert not [path for path in empty_cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", csv(rows(10)), "the test part of .* has 10 examples: give at least 20"),
        ("t.csv", csv(rows(160)[120:], "text,verdict"), "the test part of .* has no column 'label'"),
        ("t.csv", csv(rows(160, ("bad", "odd"))[120:]), "too few training examples of class 'odd' \\(0\\)"),
        ("t.csv", csv(rows(120)), "no training examples that are not in the test part"),
        ("t.txt", "plain", "is a table, and the test part is none"),
    ],
)
def test_a_test_part_that_does_not_fit_is_refused(name, content, message, tmp_path):
    own = OwnData(data=write(tmp_path / "a.csv", csv(rows(120))), test=write(tmp_path / name, content))
    with pytest.raises(InputError, match=message):
        prepare(own)


@pytest.mark.parametrize("get", [tasks.get, likelihood_tasks.get, corpora.get])
def test_a_name_that_is_not_in_the_cache_is_one_line(get, tmp_path, empty_cache):
    with pytest.raises(InputError, match="not in the cache .* prepare the same data again"):
        get("reviews-0123456789abcdef")
    assert not empty_cache.exists()
    prepared = prepare(OwnData(data=write(tmp_path / "a.csv", csv(rows()))))
    path = own_store.folder_of(prepared.name) / "train.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="or damaged there"):
        get(prepared.name)
    assert prepare(OwnData(data=tmp_path / "a.csv")).name == prepared.name
    assert tasks.get(prepared.name).splits()


# The hub

CARD = """---
configs:
- config_name: a
  data_files:
  - split: train
    path: x/tr*.parquet
  - split: test
    path: x/te*.parquet
- config_name: b
  data_files: y/*.parquet
---
"""


@pytest.mark.parametrize(
    ("names", "card", "config", "chosen"),
    [
        (
            ["x/tr-0.parquet", "x/te-0.parquet", "y/0.parquet"],
            CARD,
            "a",
            {"train": ["x/tr-0.parquet"], "test": ["x/te-0.parquet"]},
        ),
        (["x/tr-0.parquet", "x/te-0.parquet", "y/0.parquet"], CARD, "b", {"train": ["y/0.parquet"]}),
        (["train.csv", "dev.csv", "dataset_infos.json"], "", "", {"train": ["train.csv"], "validation": ["dev.csv"]}),
        (
            ["data/train-0.parquet", "data/test-0.parquet"],
            "",
            "",
            {"train": ["data/train-0.parquet"], "test": ["data/test-0.parquet"]},
        ),
        (["training_data.jsonl", ".hidden.csv"], "", "", {"train": ["training_data.jsonl"]}),
        (["reviews.csv"], "", "", {"": ["reviews.csv"]}),
        (["a.pkl", "b.pt"], "", "", "has no CSV, TSV, JSON lines or parquet but .pkl, .pt"),
        (["x/train.csv", "y/train.csv"], "", "", "several configurations: add one of these after a colon: x, y"),
        (["x/train.csv", "y/train.csv"], "", "z", "unknown configuration of it 'z'"),
        (["x/tr-0.parquet"], CARD, "", "several configurations: add one of these after a colon: a, b"),
        (["x/tr-0.parquet"], CARD, "a", "lacks files that its README.md names"),
    ],
)
def test_the_files_of_a_data_set_are_chosen_by_its_card_or_their_names(names, card, config, chosen):
    if isinstance(chosen, str):
        with pytest.raises(InputError, match=chosen):
            data_sets.choose(names, card, config, "it")
    else:
        assert {split: list(files) for split, files in data_sets.choose(names, card, config, "it").items()} == chosen


def test_a_data_set_of_the_hub_is_fetched_at_its_commit_and_no_more_than_is_allowed(tmp_path, monkeypatch):
    files = {"README.md": 300, "x/tr-0.parquet": 9000, "x/te-0.parquet": 9000, "y/0.parquet": 9000, "model.pkl": 5}
    listed = [SimpleNamespace(rfilename=name, size=size) for name, size in files.items()]
    info = SimpleNamespace(sha="0123456789abcdef", siblings=listed)
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_, **__: info)
    fetched = []

    def repository_folder(repository, patterns):
        fetched.append((repository.revision, *patterns))
        write(tmp_path / "README.md", CARD)
        for part, first in (("tr", 0), ("te", 120)):
            (tmp_path / "x").mkdir(exist_ok=True)
            write_parquet(tmp_path / f"x/{part}-0.parquet", **columns_of(rows(200)[first : first + 120]))
        return tmp_path, "hub"

    monkeypatch.setattr(data_sets, "repository_folder", repository_folder)
    prepared = prepare(OwnData(data="someone/something:a"))
    assert prepared.name.startswith("something-a-") and (prepared.train, prepared.test) == (120, 80)
    assert "someone/something is the hub's commit 0123456789ab" in told(prepared)
    assert fetched == [(info.sha, "README.md"), (info.sha, "x/tr-0.parquet", "x/te-0.parquet")]
    listed[1].size = 3 * 2**30
    with pytest.raises(InputError, match="has 3.0 GB, and at most 2 GB are fetched"):
        prepare(OwnData(data="someone/something:a"))


@pytest.mark.skipif(not (MIRROR / "nyu-mll/glue").is_dir(), reason="GLUE is in no mirror here")
@pytest.mark.parametrize("config", ["rte", "cola"])
def test_real_data_in_any_format_are_the_same_task(config, tmp_path, monkeypatch):
    import datasets

    monkeypatch.setenv("ESSPARSE_MIRROR", str(MIRROR))
    files = {
        part: str(MIRROR / f"nyu-mll/glue/{config}/{part}-00000-of-00001.parquet") for part in ("train", "validation")
    }
    data = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "read"))
    data.save_to_disk(tmp_path / "saved")
    for part, table in data.items():
        table.to_csv(tmp_path / f"{part}.csv")
        table.to_json(tmp_path / f"{part}.jsonl")
    prepared = [
        prepare(OwnData(data=f"nyu-mll/glue:{config}")),
        prepare(OwnData(data=tmp_path / "saved")),
        prepare(OwnData(data=files["train"], test=files["validation"])),
        *(
            prepare(OwnData(data=tmp_path / f"train.{end}", test=tmp_path / f"validation.{end}"))
            for end in ("csv", "jsonl")
        ),
    ]
    assert len({suffix(each) for each in prepared}) == 1
    assert prepared[0].name.startswith(f"glue-{config}-") and prepared[0].test in (277, 1043)
    assert tasks.get(prepared[0].name).splits().test.fingerprint() == tasks.get(config).splits().test.fingerprint()


# Much


def test_very_long_texts_are_read_or_refused(tmp_path, monkeypatch):
    data = [*rows(100), ("long " * 200_000, "good")]
    assert prepare(OwnData(data=write(tmp_path / "long.csv", csv(data)))).train == 76
    monkeypatch.setattr(own_texts, "MOST_OF_A_VALUE", 400_000)
    with pytest.raises(InputError, match="row 101 of .* has a text of 1,000,000 characters, and at most 100,000"):
        prepare(OwnData(data=tmp_path / "long.csv"))


@pytest.mark.slow
def test_a_large_table_takes_little_memory(tmp_path):
    text = "word " * 40
    with (tmp_path / "large.csv").open("w") as file:
        file.write("text,label\n")
        for number in range(300_000):
            file.write(f"{number} {text},{number % 3}\n")
    assert (tmp_path / "large.csv").stat().st_size > 55 * 2**20
    code = (
        "import resource, sys; from essparse_lib.tasks.own import OwnData, prepare; import datasets, pandas; "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "prepared = prepare(OwnData(data=sys.argv[1])); "
        "print(prepared.train, prepared.test, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "large.csv")], capture_output=True, text=True, check=True
    )
    train, test, kilobytes = map(int, done.stdout.split())
    assert (train, test) == (200_000, 5000) and kilobytes < 400 * 2**10
