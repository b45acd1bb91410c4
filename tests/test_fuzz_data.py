"""Damaged data of others, and damaged files of our own: each is read, or refused in one line; none crashes or hangs."""

import io
import json
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
import safetensors.torch
import torch
from fuzzing import damaged_bytes, damaged_json, fuzzed, read_or_refused
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pyarrow import parquet
from transformers import ViTConfig

from essparse_lib import corpora, tasks
from essparse_lib.corpora import packaged as sources
from essparse_lib.corpora.packed import pack
from essparse_lib.corpora.tokenizer import tokenizer_folder
from essparse_lib.errors import InputError
from essparse_lib.likelihood import tasks as likelihood_tasks
from essparse_lib.models import calibration_data, loading
from essparse_lib.models.preprocessing import read_preprocessing
from essparse_lib.pruning.mask_io import load_mask, save_mask
from essparse_lib.pruning.masks import Mask
from essparse_lib.runner import dense_weights
from essparse_lib.sources.tiny import folder as tiny_folder
from essparse_lib.tasks import images, packaged, squad, vision
from essparse_lib.training import checkpoints, lottery
from essparse_lib.training.loop import TrainingState

pytestmark = pytest.mark.slow


def parquet_bytes(table, **options):
    file = io.BytesIO()
    parquet.write_table(table, file, **options)
    return file.getvalue()


def encoded(kind="PNG", mode="RGB", size=(4, 4), **options):
    file = io.BytesIO()
    Image.new(mode, size, 1).save(file, kind, **options)
    return file.getvalue()


def json_or_bytes(document):
    return st.one_of(damaged_json(document).map(str.encode), damaged_bytes(json.dumps(document).encode()))


@pytest.fixture
def mirror(tmp_path, monkeypatch, empty_cache):
    """``mirror(name, data)``: a file of a mirror of the hub."""
    monkeypatch.setenv("ESSPARSE_MIRROR", str(tmp_path / "mirror"))

    def write(name, data):
        path = tmp_path / "mirror" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    (tmp_path / "mirror").mkdir()
    return write


PAIRS = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "label": [0, 1]}
QUESTIONS = [
    {
        "id": "1",
        "question": "Where?",
        "context": "Paris lies on the Seine",
        "answers": {"text": ["Seine"], "answer_start": [18]},
    }
]
IMAGES = [{"img": {"bytes": encoded(), "path": "a.png"}, "label": 1}]
LABELLED = [{"question": "What?", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"}]
ENDINGS = [{"activity_label": "Baking", "ctx_a": "Heat it.", "ctx_b": "then", "endings": ["a", "b"], "label": "1"}]
TABLES = {
    "rte": ("nyu-mll/glue/rte/{}-0.parquet", pa.table(PAIRS).to_pylist()),
    "squad-v1.1": ("rajpurkar/squad/plain_text/{}-0.parquet", QUESTIONS),
    "cifar10": ("uoft-cs/cifar10/plain_text/{}-0.parquet", IMAGES),
    "arc-easy": ("allenai/ai2_arc/ARC-Easy/{}-0.parquet", LABELLED),
    "hellaswag": ("Rowan/hellaswag/default/{}-0.parquet", ENDINGS),
}
#: The split that is not damaged, and the one that is.
WHOLE = {"rte": "validation", "squad-v1.1": "validation", "cifar10": "test", "arc-easy": "train", "hellaswag": "train"}
DAMAGED = {"arc-easy": "test", "hellaswag": "validation"}
COLUMNS = [
    pa.array([1.5, 2.5]), pa.array([None, 1]), pa.array([[1], [2]]), pa.array(["0", "1"]), pa.array([True, False]),
    pa.array([2**64 - 1, 0], pa.uint64()), pa.array([-1, 2**62]), pa.array([None, None]), pa.array([b"a", b"\xff"]),
    pa.array([{"bytes": b"x"}, None]), pa.array([{"text": [None], "answer_start": [1, 2]}] * 2),
    pa.array([[{"text": "a", "answer_start": 1}]] * 2), pa.array(["a", "b"]).dictionary_encode(),
    pa.array(["x" * 10**6] * 2), pa.array([{"text": ["a"], "answer_start": [-1]}] * 2), pa.array([0, 1], pa.date32()),
    pa.array([{"bytes": encoded(size=(9, 1)), "path": None}] * 2), pa.array([b"\xff", b"a"]).cast(pa.binary(1)),
    pa.array([float("nan"), float("inf")]),
    pa.array([["a", None], []]), pa.array([{"text": ["a"], "label": ["A", "B"]}, {"text": [], "label": []}]),
    pa.array([["a", "b"], None]), pa.array([{"text": ["a"], "label": [None]}] * 2), pa.array([["x" * 10**6]] * 2),
]  # fmt: skip


def loader(name):
    """Return the function that reads a task, of which there may be as few questions as here."""
    return likelihood_tasks.get(name).load if name in DAMAGED else tasks.get(name).splits


@pytest.mark.parametrize("name", TABLES)
def test_damaged_parquet(name, mirror):
    place, rows = TABLES[name]
    data = parquet_bytes(pa.Table.from_pylist(rows), compression="none")
    mirror(place.format(WHOLE[name]), data)

    @fuzzed()
    @given(damaged_bytes(data))
    def check(damaged):
        mirror(place.format(DAMAGED.get(name, "train")), damaged)
        read_or_refused(loader(name))

    check()


@pytest.mark.parametrize("name", TABLES)
def test_parquet_with_other_columns(name, mirror):
    place, rows = TABLES[name]
    table = pa.Table.from_pylist(rows * (2 // len(rows)))
    mirror(place.format(WHOLE[name]), parquet_bytes(table))

    @fuzzed()
    @given(
        st.lists(st.tuples(st.integers(0, 5), st.sampled_from([*COLUMNS, "remove", "repeat", "rename"])), max_size=3)
    )
    def check(changes):
        columns = [(column, table.column(column)) for column in table.column_names]
        for number, change in changes:
            number %= len(columns)
            column, values = columns[number]
            if isinstance(change, pa.Array):
                columns[number] = (column, change)
            elif change == "rename":
                columns[number] = (column + "s", values)
            elif change == "repeat":
                columns.append((column, values))
            elif len(columns) > 1:
                del columns[number]
        data = parquet_bytes(pa.table([values for _, values in columns], names=[column for column, _ in columns]))
        mirror(place.format(DAMAGED.get(name, "train")), data)
        read_or_refused(loader(name))

    check()


@fuzzed()
@given(st.data())
def test_damaged_parquet_of_a_corpus(tmp_path_factory, data):
    _check_corpus(tmp_path_factory.getbasetemp() / "corpus.parquet", data.draw(damaged_bytes(TEXTS)))


@fuzzed(300)  # there are few columns to draw from
@given(st.sampled_from(COLUMNS), st.sampled_from(["text", "texts"]))
def test_parquet_of_a_corpus_with_another_column(tmp_path_factory, column, name):
    _check_corpus(tmp_path_factory.getbasetemp() / "corpus.parquet", parquet_bytes(pa.table({name: column})))


TEXTS = parquet_bytes(pa.table({"text": ["a text", None, "é"]}), row_group_size=2, compression="none")


def _check_corpus(path, data):
    path.write_bytes(data)
    read_or_refused(lambda: list(corpora.hub._texts([path])))


FORMATS = [
    ("PNG", {}), ("JPEG", {}), ("JPEG", {"progressive": True}), ("BMP", {}), ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {}), ("GIF", {}),
    ("GIF", {"save_all": True, "append_images": [Image.new("RGB", (4, 4), 2)]}),
    ("TIFF", {"save_all": True, "append_images": [Image.new("RGB", (4, 4), 2)]}),
    ("WEBP", {"save_all": True, "append_images": [Image.new("RGB", (4, 4), 2)]}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options"), FORMATS)
def test_damaged_images(kind, options):
    @fuzzed(400)  # eleven formats
    @given(damaged_bytes(encoded(kind, **options)))
    def check(damaged):
        read_or_refused(lambda: images.decode_images([damaged], "RGB", "image {}".format, "P"))

    check()


@fuzzed(300)  # each has all of a folder's images processed
@given(
    st.lists(st.sampled_from(FORMATS).flatmap(lambda f: damaged_bytes(encoded(f[0], **f[1]))), min_size=2, max_size=2)
)
def test_damaged_calibration_images(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("images")
    for number, data in enumerate(files):
        (folder / f"{number}.png").write_bytes(data)
    read_or_refused(partial(calibration_data.images, "tiny-vit", folder, count=2))


TEXT = "the film has a plot and its actors play in every scene . " * 20


@fuzzed()
@given(st.one_of(damaged_bytes(TEXT.encode()), st.binary(max_size=100), st.text(max_size=200).map(str.encode)))
def test_damaged_calibration_text(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "text.txt"
    path.write_bytes(data)
    read_or_refused(lambda: calibration_data.text_windows(loading_model(), "tiny-opt", path, count=2, length=4))


def loading_model():
    if not _MODEL:
        _MODEL.append(loading.load_model("tiny-opt"))
    return _MODEL[0]


_MODEL = []

PREPROCESSOR = {
    "do_resize": True,
    "size": {"height": 16, "width": 16},
    "crop_size": {"height": 16, "width": 16},
    "do_center_crop": True,
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
CONFIG = {"num_channels": 3, "image_size": 16, "patch_size": 4}


@fuzzed()
@given(json_or_bytes(PREPROCESSOR))
def test_damaged_preprocessing(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "preprocessor_config.json"
    path.write_bytes(data)
    read_or_refused(lambda: read_preprocessing(ViTConfig(**CONFIG), path))


@fuzzed(300)  # transformers builds a processor from each
@given(damaged_json(PREPROCESSOR | {"image_processor_type": "ViTImageProcessor"}))
def test_damaged_image_processors(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("vit")
    for file in tiny_folder("essparse/tiny-vit").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "preprocessor_config.json").write_bytes(text.encode())
    (folder / "a.png").write_bytes(encoded())
    read_or_refused(partial(calibration_data.images, str(folder), folder, count=1))


def idx(values):
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()


PIXELS, LABELS = idx(np.zeros((2, 3, 3), np.uint8)), idx(np.zeros(2, np.uint8))


@fuzzed()
@given(damaged_bytes(PIXELS), st.one_of(st.just(LABELS), damaged_bytes(LABELS)))
def test_damaged_idx_files(pixels, labels):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vision, "read", lambda archive, member, gunzip: labels if "labels" in member else pixels)
        read_or_refused(lambda: vision._idx("train"))


@fuzzed()
@given(damaged_bytes(b"images/a.png 0.0 mono\nimages/b.png 1.0 poly\n"), damaged_bytes(encoded(mode="L", size=(6, 9))))
def test_damaged_solar_cells(table, image):
    members = {"labels.csv": table, "images/a.png": encoded(mode="L", size=(6, 9)), "images/b.png": image}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vision, "read_all", lambda archive, prefix: members)
        read_or_refused(vision._cells)


@fuzzed()
@given(damaged_bytes("1\t-0.5\ta bad film\n2\t3.1\ta good one é\n".encode()))
def test_damaged_movie_reviews(table):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packaged, "read", lambda archive, member, inner: table)
        read_or_refused(packaged._movie_reviews)


@fuzzed(300)  # of a file's name and bytes
@given(
    st.sampled_from(["sport/1.txt", "sports/1.txt", "/1.txt", "1.txt", "tech/\n.txt", "a" * 300 + "/.txt"]), st.binary()
)
def test_damaged_news(name, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packaged, "read_all", lambda archive, prefix: {"tech/1.txt": b"a text", name: data})
        read_or_refused(packaged._bbc_news)


ARTICLES = {"A": {"topic": "Arts", "extract": "Art is."}, "B": {"topic": "Uncategorized", "extract": "It is."}}
CLAIMS = {"examples": [{"input": "A: b\nClaim: c", "target_scores": {"True": 1, "False": 0, "Neither": 0}}]}
PARAGRAPH = {
    "context": "Paris",
    "qas": [{"id": "1", "question": "Where?", "answers": [{"text": "Paris", "answer_start": 0}]}],
}
SQUAD = {"data": [{"paragraphs": [PARAGRAPH]}]}


@fuzzed()
@given(json_or_bytes(ARTICLES))
def test_damaged_articles(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packaged, "read", lambda archive, member: data)
        read_or_refused(packaged._wiki_topics)
        read_or_refused(lambda: list(sources.articles()))


@fuzzed()
@given(json_or_bytes(CLAIMS))
def test_damaged_claims(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    (folder / "task.json").write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packaged.bigbench, "folder", lambda task: folder)
        read_or_refused(packaged._vitaminc)


@fuzzed()
@given(json_or_bytes(SQUAD))
def test_damaged_questions(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "squad.json"
    path.write_bytes(data)

    def read():
        questions = tasks.Questions(squad._read(path))
        if fault := questions.fault(0):
            raise InputError(fault)
        return questions.fingerprint(), questions.keys()

    read_or_refused(read)


GCIDE = '00-database-info\n   x\n\nDavit \\Dav"it\\, n. [Cf. F. davier.] (Naut.)\n   A spar (--Shak.) of a {ship}.\n'
PAGE = '# One\n\nFor _"anarchy"_\n[see](a.md) [ **Op. Cit.** , p. 2] it.\n\n## Two\n\n* a list'
GLOSSES = '  1 licence\n00001740 03 n 01 entity 0 000 | that which exists; "it is"  \n'


@fuzzed()
@given(damaged_bytes(GCIDE.encode()))
def test_damaged_dictionaries(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "read", lambda archive, name, gunzip: text)
        read_or_refused(lambda: list(sources.entries()))


@fuzzed()
@given(damaged_bytes(PAGE.encode()), damaged_bytes(GLOSSES.encode()))
def test_damaged_essays_and_glosses(page, glosses):
    members = {"a.md.gz": page, "data.noun": glosses}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "read_all", lambda archive, prefix, gunzip=False: members)
        read_or_refused(lambda: list(sources.essays()))
        read_or_refused(lambda: list(sources.glosses()))


# ---- our own files ----

WEIGHTS = {"w": torch.arange(12.0).reshape(3, 4), "v": torch.ones(5)}
MASK = Mask({name: weight > 3 for name, weight in WEIGHTS.items()})


def tensor_file(tensors, note, document):
    """Return a strategy for the bytes of a file of tensors: of its bytes, its note's structure, and its tensors."""
    whole = safetensors.torch.save(tensors, {note: json.dumps(document)})
    others = st.dictionaries(
        st.sampled_from([*tensors, "x", "", "\n"]),
        st.sampled_from([*tensors.values(), torch.zeros(0), torch.ones(2, 3, dtype=torch.bfloat16), torch.ones(())]),
        max_size=3,
    ).map(lambda changed: {**tensors, **changed})
    return st.one_of(
        damaged_bytes(whole),
        damaged_json(document).map(lambda text: safetensors.torch.save(tensors, {note: text})),
        others.map(
            lambda each: safetensors.torch.save({k: v.clone() for k, v in each.items()}, {note: json.dumps(document)})
        ),
    )


def parts_of(data, note):
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return safetensors.torch.load(data), json.loads(header["__metadata__"][note])


@pytest.mark.parametrize("weights", [WEIGHTS, None], ids=["for these weights", "for any"])
def test_damaged_masks(weights, tmp_path):
    path = tmp_path / "mask"
    save_mask(MASK, WEIGHTS, path)
    tensors, document = parts_of(path.read_bytes(), "essparse_mask")

    @fuzzed()
    @given(tensor_file(tensors, "essparse_mask", document))
    def check(data):
        path.write_bytes(data)
        mask = read_or_refused(lambda: load_mask(path, weights))
        assert isinstance(mask, InputError) or {k: v.tolist() for k, v in mask.keep.items()} == {
            k: v.tolist() for k, v in MASK.keep.items()
        }

    check()


def state():
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return TrainingState(model=model, optimizer=optimizer, losses=[1.0])


def test_damaged_checkpoints(tmp_path):
    path, notes = tmp_path / "state", {"steps": 1, "seconds": 2.5, "dynamics": {"at": [0]}}
    checkpoints.save_state(state(), notes, path)
    tensors, document = parts_of(path.read_bytes(), "notes")
    expected = state().model.state_dict()

    @fuzzed()
    @given(tensor_file(tensors, "notes", document))
    def check(data):
        path.write_bytes(data)
        read = read_or_refused(lambda: checkpoints.read_notes(path))
        assert isinstance(read, InputError) or read == notes
        fresh = state()
        torch.nn.init.zeros_(fresh.model.weight)
        outcome = read_or_refused(lambda: checkpoints.restore_state(fresh, path))
        assert torch.equal(fresh.model.weight, expected["weight"]) == (outcome is None)

    check()


def test_damaged_lotteries(tmp_path):
    mask = Mask({name: weight != weight.flatten()[0] for name, weight in WEIGHTS.items() if name == "w"})
    weights = {"w": WEIGHTS["w"]}
    path = tmp_path / "0.100000.safetensors"
    save_mask(mask, weights, path)
    tensors, document = parts_of(path.read_bytes(), "essparse_mask")

    @fuzzed(1000)  # the masks' reader has its own test
    @given(tensor_file(tensors, "essparse_mask", document), st.one_of(st.just(b"0.1"), damaged_bytes(b"0.1")))
    def check(data, rate):
        path.write_bytes(data)
        (tmp_path / "rate").write_bytes(rate)
        read_or_refused(lambda: lottery._folder_of_rate(tmp_path, 0.1))
        read_or_refused(lambda: lottery._last_kept([0.1], weights, tmp_path))

    check()


def test_damaged_dense_weights_are_never_used(tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_DENSE_GB", "1")
    path = tmp_path / "dense.safetensors"
    course = dense_weights.Course([1.0, 0.5], [60.0])
    dense_weights._keep(dense_weights.Tuned(WEIGHTS, course), path)
    tensors, document = parts_of(path.read_bytes(), "notes")

    @fuzzed()
    @given(tensor_file(tensors, "notes", document))
    def check(data):
        path.write_bytes(data)
        tuned = read_or_refused(lambda: dense_weights._read(path))
        assert tuned is None or (tuned.course == course and torch.equal(tuned.state["w"], WEIGHTS["w"]))

    check()


CATS = corpora.Corpus(name="cats", load=lambda: iter(["the cat sat", "the cats ran"] * 9), source="", key="cats")


def test_damaged_blocks_and_tokenizers_are_made_anew(empty_cache):
    blocks = pack(CATS, 29, 10)
    train = np.array(blocks.train)  # not the file, which is written over
    places = [blocks.tokenizer_folder.parent, tokenizer_folder(CATS, 29)]
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    whole = {path: path.read_bytes() for path in files}

    @fuzzed(300)  # each trains a tokenizer
    @given(st.sampled_from(files), st.data())
    def check(path, data):
        path.write_bytes(data.draw(damaged_bytes(whole[path])))
        again = read_or_refused(lambda: pack(CATS, 29, 10))
        assert again.content == blocks.content and np.array_equal(again.train, train)
        if places[1] in path.parents:
            read_or_refused(lambda: tokenizer_folder(CATS, 29))
        assert path.read_bytes() == whole[path]

    check()
