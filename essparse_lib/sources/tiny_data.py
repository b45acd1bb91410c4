"""Make up small data sets in the hub's formats: texts, pairs of texts, questions, a corpus and images."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

#: Words of good reviews, of bad ones, and of both; and all words that the tokenizers know.
GOOD = "good great fine lovely bright warm clever funny moving superb".split()
BAD = "bad poor dull ugly dark cold stupid tedious hollow awful".split()
OTHER = "the film has a plot and its actors play in every scene of this story with some music".split()
WORDS = ["<pad>", "<unk>", "<s>", "</s>", "<mask>", *GOOD, *BAD, *OTHER]

#: The classes of the made-up images: a disc, a ring, horizontal stripes, vertical stripes.
SHAPES = ("disc", "ring", "across", "down")
#: Height and width of the images, in pixels.
SIDE = 16


def _sentence(rng: random.Random, label: int) -> str:
    """Return a sentence with one to three good words (label 1) or bad words (label 0)."""
    words = rng.choices(OTHER, k=rng.randint(3, 12)) + rng.choices(GOOD if label else BAD, k=rng.randint(1, 3))
    rng.shuffle(words)
    return " ".join(words)


def write_glue(target: Path) -> None:
    """Write a data set in the layout of GLUE: single sentences (``sst2``) and pairs of them (``rte``)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = random.Random(0)
    for split, size in (("train", 512), ("validation", 128)):
        labels = [rng.randrange(2) for _ in range(size)]
        single = {"sentence": [_sentence(rng, y) for y in labels]}
        tones = [rng.randrange(2) for _ in range(size)]  # a pair has label 0 if both its sentences have one tone
        pair = {
            "sentence1": [_sentence(rng, t) for t in tones],
            "sentence2": [_sentence(rng, t ^ y) for t, y in zip(tones, labels, strict=True)],
        }
        for config, columns in (("sst2", single), ("rte", pair)):
            table = pa.table({**columns, "label": labels, "idx": list(range(size))})
            (target / config).mkdir(exist_ok=True)
            pq.write_table(table, target / config / f"{split}-00000-of-00001.parquet")


def _question(rng: random.Random) -> dict[str, Any]:
    """Return a question with a good or a bad word, whose answer is the run of such words in the context."""
    tone = rng.choice((GOOD, BAD))
    answer = " ".join(rng.choices(tone, k=rng.randint(1, 3)))
    before, after = (rng.choices(OTHER, k=rng.randint(2, 24)) for _ in range(2))
    words = [*rng.choices(OTHER, k=rng.randint(1, 3)), rng.choice(tone)]
    rng.shuffle(words)
    return {
        "title": "tiny",
        "context": " ".join([*before, answer, *after]),
        "question": " ".join(words),
        "answers": {"text": [answer], "answer_start": [len(" ".join(before)) + 1]},
    }


def write_questions(target: Path) -> None:
    """Write a data set in the layout of SQuAD."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = random.Random(0)
    text, number = pa.list_(pa.string()), pa.list_(pa.int32())
    (target / "plain_text").mkdir()
    for split, size in (("train", 512), ("validation", 128)):
        questions = [{"id": f"{split}-{i}", **_question(rng)} for i in range(size)]
        if split == "validation":  # as if several people had answered, one of them with the last word alone
            for answers in (question["answers"] for question in questions):
                (whole,), (start,) = answers["text"], answers["answer_start"]
                last = whole.split()[-1]
                answers.update(text=[whole, whole, last], answer_start=[start, start, start + len(whole) - len(last)])
        columns = {name: [question[name] for question in questions] for name in ("id", "title", "context", "question")}
        answer_type = pa.struct([("text", text), ("answer_start", number)])
        answers = pa.array([question["answers"] for question in questions], answer_type)
        table = pa.table({**columns, "answers": answers})
        pq.write_table(table, target / "plain_text" / f"{split}-00000-of-00001.parquet")


#: The clauses that reviews repeat: no two of them share a word.
_CLAUSES = ("the film has a plot", "its actors play in every scene", "this story with some music")
_NOUNS = "film plot actors scene story music".split()


def _review(rng: random.Random) -> str:
    """Return eight sentences of one tone on one clause, with adjectives that go with its nouns.

    So masked words can be predicted from their neighbours and, which a model learns sooner, from the text's words.
    """
    tone, clause = rng.choice((GOOD, BAD)), rng.choice(_CLAUSES).split()
    words = []
    for sentence in range(8):
        if sentence and rng.random() < 0.5:
            words.append("and")
        for word in clause:
            if word in _NOUNS and rng.random() < 0.75:
                start = 2 * _NOUNS.index(word)  # a noun has four adjectives, half of them shared with the next noun
                words.append(rng.choice((tone * 2)[start : start + 4]))
            words.append(word)
    return " ".join(words)


def write_corpus(target: Path) -> None:
    """Write a corpus of reviews in the layout of Wikipedia."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = random.Random(0)
    (target / "data").mkdir()
    for part in range(2):
        table = pa.table({"text": [_review(rng) for _ in range(300)]})
        pq.write_table(table, target / "data" / f"train-{part:05}-of-00002.parquet", row_group_size=100)


def _image(rng: np.random.RandomState, shape: int, channels: int) -> np.ndarray:
    """Return an image of a light shape on a dark ground, in any colours, with noise; 8 bits, (channels, 16, 16).

    Args:
        rng: where colours, place and noise come from.
        shape: number of the class in ``SHAPES``.
        channels: 1 for grey, 3 for colour.
    """
    import numpy as np

    row, column = np.mgrid[:SIDE, :SIDE]
    centre_row, centre_column = rng.randint(7, 10, 2)
    phase = 2 * rng.randint(2)
    squared_distance = (row - centre_row) ** 2 + (column - centre_column) ** 2
    light_pixels = (
        squared_distance <= 25,
        (squared_distance > 9) & (squared_distance <= 36),
        (row + phase) % 4 < 2,
        (column + phase) % 4 < 2,
    )[shape]
    dark, light = (rng.randint(low, high, (channels, 1, 1)) for low, high in ((0, 96), (160, 256)))
    noise = rng.randint(-16, 17, (channels, SIDE, SIDE))
    return (np.where(light_pixels, light, dark) + noise).clip(0, 255).astype(np.uint8)


def _png(pixels: np.ndarray) -> bytes:
    """Return 8-bit pixels, shape (channels, height, width), as the bytes of a PNG file."""
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(file, "PNG")
    return file.getvalue()


def write_images(target: Path) -> None:
    """Write a data set in the layout of CIFAR, in colour and in grey."""
    import json

    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    features = {"image": {"_type": "Image"}, "label": {"names": list(SHAPES), "_type": "ClassLabel"}}
    notes = {"huggingface": json.dumps({"info": {"features": features}})}  # by which the datasets library knows images
    file = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", file), ("label", pa.int64())], metadata=notes)
    for config, channels in (("colour", 3), ("grey", 1)):
        rng = np.random.RandomState(channels)  # the only generator of numpy whose numbers never change
        (target / config).mkdir()
        for split, size in (("train", 512), ("test", 128)):
            labels = rng.randint(len(SHAPES), size=size).tolist()
            images = [{"bytes": _png(_image(rng, label, channels)), "path": None} for label in labels]
            table = pa.table({"image": images, "label": labels}, schema)
            pq.write_table(table, target / config / f"{split}-00000-of-00001.parquet")
