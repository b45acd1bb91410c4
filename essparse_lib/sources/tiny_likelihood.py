"""Make up small data sets in the hub's layouts of likelihood tasks: what is right is of good words, the rest of bad."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .tiny_data import BAD, GOOD, OTHER

#: Subjects of MMLU, one of each group.
_SUBJECTS = ("anatomy", "astronomy", "philosophy", "sociology")
#: Words of the prompts that likelihood tasks have; the tokenizers of the tiny language models know them besides.
PROMPT_WORDS = (
    *"Question Answer The following are multiple choice questions with answers about because therefore".split(),
    *_SUBJECTS,
    *"A B C D : . , ( )".split(),
    *(word.capitalize() for word in OTHER),  # HellaSwag's prompts begin a sentence
)
_QUESTIONS = 32
_LETTERS = ("A", "B", "C", "D")
#: Paradigms in the layout of BLiMP, with their fields, one of which the hub spells in two ways.
_PARADIGMS = {
    "tiny_agreement": "morphology",
    "tiny_binding": "syntax_semantics",
    "tiny_island": "syntax",
    "tiny_quantifiers": "semantics",
    "tiny_raising": "syntax/semantics",
}


def _text(rng: random.Random, tone: Sequence[str] = (), length: int = 5) -> str:
    """Return words of any text, one of a tone among them if it is given."""
    words = rng.choices(OTHER, k=length)
    if tone:
        words[rng.randrange(length)] = rng.choice(tone)
    return " ".join(words)


def _choices(rng: random.Random, number: int) -> tuple[list[str], int]:
    """Return texts, one of them with a good word and the others with a bad one, and the position of the good one."""
    answer = rng.randrange(number)
    return [_text(rng, GOOD if position == answer else BAD, 3) for position in range(number)], answer


def _write(
    target: Path, config: str, split: str, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Any]
) -> None:
    """Write rows as one split; the columns have Arrow's types."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(list(columns.items()))
    folder = target / config
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema), folder / f"{split}-00000-of-00001.parquet")


def write_blimp(target: Path) -> None:
    """Write a data set in the layout of BLiMP: a configuration for each paradigm."""
    import pyarrow as pa

    columns = {name: pa.string() for name in ("sentence_good", "sentence_bad", "field", "linguistics_term", "UID")}
    columns |= {
        name: pa.bool_()
        for name in ("simple_LM_method", "one_prefix_method", "two_prefix_method", "lexically_identical")
    }
    columns["pair_id"] = pa.int32()
    for paradigm, field in _PARADIGMS.items():
        rng = random.Random(paradigm)
        rows = []
        for number in range(_QUESTIONS):
            words = rng.choices(OTHER, k=4)
            good, bad = (" ".join([*words, rng.choice(tone)]) for tone in (GOOD, BAD))
            row = {"sentence_good": f"{good} .", "sentence_bad": f"{bad} .", "field": field, "UID": paradigm}
            rows.append({**row, "linguistics_term": "tiny", "simple_LM_method": True, "pair_id": number})
        _write(target, paradigm, "train", rows, columns)


def _labelled(rng: random.Random, number: int) -> dict[str, Any]:
    """Return choices with labels, and the label of the right one; in one question of five the labels are numbers."""
    texts, answer = _choices(rng, number)
    labels = [str(position + 1) for position in range(number)] if rng.random() < 0.2 else list(_LETTERS[:number])
    return {"choices": {"text": texts, "label": labels}, "answerKey": labels[answer]}


def _labelled_columns(question: str) -> dict[str, Any]:
    """Return the columns of a data set with labelled choices; the question has this name."""
    import pyarrow as pa

    texts = pa.list_(pa.string())
    choices = pa.struct([("text", texts), ("label", texts)])
    return {"id": pa.string(), question: pa.string(), "choices": choices, "answerKey": pa.string()}


def write_arc(target: Path) -> None:
    """Write a data set in the layout of ARC; questions have three or four choices."""
    rng = random.Random(0)
    for split in ("train", "test"):
        rows = [
            {"id": f"{split}-{number}", "question": _text(rng), **_labelled(rng, rng.choice((3, 4)))}
            for number in range(_QUESTIONS)
        ]
        _write(target, "ARC-Easy", split, rows, _labelled_columns("question"))


def write_openbookqa(target: Path) -> None:
    """Write a data set in the layout of OpenBookQA."""
    rng = random.Random(0)
    rows = [{"id": str(number), "question_stem": _text(rng), **_labelled(rng, 4)} for number in range(_QUESTIONS)]
    _write(target, "main", "test", rows, _labelled_columns("question_stem"))


def write_mmlu(target: Path) -> None:
    """Write a data set in the layout of MMLU: four of its subjects, with five examples to show of each."""
    import pyarrow as pa

    rng = random.Random(0)
    columns = {
        "question": pa.string(),
        "subject": pa.string(),
        "choices": pa.list_(pa.string()),
        "answer": pa.int64(),
    }
    for split, size in (("dev", 5), ("test", _QUESTIONS // 2)):
        rows = []
        for subject in _SUBJECTS:
            for _ in range(size):
                choices, answer = _choices(rng, 4)
                rows.append({"question": _text(rng), "subject": subject, "choices": choices, "answer": answer})
        _write(target, "all", split, rows, columns)


def write_piqa(target: Path) -> None:
    """Write a data set in the layout of PIQA."""
    import pyarrow as pa

    rng = random.Random(0)
    rows = []
    for _ in range(_QUESTIONS):
        (first, second), answer = _choices(rng, 2)
        rows.append({"goal": _text(rng), "sol1": first, "sol2": second, "label": answer})
    columns = {**dict.fromkeys(("goal", "sol1", "sol2"), pa.string()), "label": pa.int64()}
    _write(target, "default", "validation", rows, columns)


def write_hellaswag(target: Path) -> None:
    """Write a data set in the layout of HellaSwag, whose labels are texts; some texts have WikiHow's marks."""
    import pyarrow as pa

    rng = random.Random(0)
    rows = []
    for number in range(_QUESTIONS):
        endings, answer = _choices(rng, 4)
        mark = " [title]" if number % 4 == 0 else ""
        row = {"activity_label": _text(rng, length=2), "ctx_a": _text(rng) + mark, "ctx_b": _text(rng, length=2)}
        row |= {"ctx": f"{row['ctx_a']} {row['ctx_b']}", "source_id": "tiny", "split": "val", "split_type": "tiny"}
        rows.append({**row, "ind": number, "endings": endings, "label": str(answer)})
    texts = ("activity_label", "ctx_a", "ctx_b", "ctx", "source_id", "split", "split_type", "label")
    columns = {"ind": pa.int32(), **dict.fromkeys(texts, pa.string()), "endings": pa.list_(pa.string())}
    _write(target, "default", "validation", rows, columns)


def write_copa(target: Path) -> None:
    """Write a data set in the layout of SuperGLUE's COPA."""
    import pyarrow as pa

    rng = random.Random(0)
    rows = []
    for number in range(_QUESTIONS):
        (first, second), answer = _choices(rng, 2)
        question = rng.choice(("cause", "effect"))
        row = {"premise": f"{_text(rng)}.", "choice1": f"{first}.", "choice2": f"{second}.", "question": question}
        rows.append({**row, "idx": number, "label": answer})
    texts = dict.fromkeys(("premise", "choice1", "choice2", "question"), pa.string())
    _write(target, "copa", "validation", rows, {**texts, "idx": pa.int32(), "label": pa.int64()})


def write_sciq(target: Path) -> None:
    """Write a data set in the layout of SciQ; some questions have no passage."""
    import pyarrow as pa

    rng = random.Random(0)
    rows = []
    for number in range(_QUESTIONS):
        row = {f"distractor{position}": _text(rng, BAD, 2) for position in (1, 2, 3)}
        support = "" if number % 4 == 0 else _text(rng, GOOD, 8)
        rows.append({**row, "question": _text(rng), "correct_answer": _text(rng, GOOD, 2), "support": support})
    texts = ("question", "distractor3", "distractor1", "distractor2", "correct_answer", "support")
    _write(target, "default", "validation", rows, dict.fromkeys(texts, pa.string()))


def write_lambada(target: Path) -> None:
    """Write a data set in the layout of LAMBADA: the last word was read before."""
    import pyarrow as pa

    rng = random.Random(0)
    rows = []
    for _ in range(_QUESTIONS):
        word = rng.choice(GOOD)
        rows.append({"text": f"{_text(rng)} {word} {_text(rng)} {word}"})
    _write(target, "default", "test", rows, {"text": pa.string()})
