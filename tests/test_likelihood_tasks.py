"""Likelihood tasks: prompts to the letter, the same questions for every seed, each fault of the data in one line."""

import dataclasses
from collections import Counter

import pyarrow as pa
import pytest
from pyarrow import parquet

from essparse_lib import corpora
from essparse_lib.corpora import packaged
from essparse_lib.errors import InputError
from essparse_lib.likelihood import tasks
from essparse_lib.models import loading
from essparse_lib.sources.hub import Repository
from essparse_lib.specs.likelihood import LIKELIHOOD_TASKS, MMLU_GROUPS, LikelihoodKind
from essparse_lib.tasks import likelihood_data, prompts
from essparse_lib.tasks.likelihood import LikelihoodQuestion, LikelihoodQuestions
from essparse_lib.tasks.mmlu import GROUP_OF_SUBJECT
from essparse_lib.tasks.task import hash_text

TINY = sorted(name for name in LIKELIHOOD_TASKS if name.startswith("tiny-"))


def labelled(*texts, labels="ABCD", key="B"):
    return {"choices": {"text": list(texts), "label": list(labels)[: len(texts)]}, "answerKey": key}


#: By data set a made-up row, and the context, choices and answer that lm-evaluation-harness makes of it.
PROMPTS = {
    "blimp": (
        {"sentence_good": "He runs.", "sentence_bad": "He run.", "field": "syntax/semantics", "UID": "agreement"},
        ("", (" He runs.", " He run."), 0),
    ),
    "arc": (
        {"question": "What is wet?", **labelled("Sand", "Water", "Wood", labels="123", key="2")},
        ("Question: What is wet?\nAnswer:", (" Sand", " Water", " Wood"), 1),
    ),
    "openbookqa": (
        {"question_stem": "Ice is", **labelled("hot", "cold", "red", "loud", key=" B")},
        ("Ice is", (" hot", " cold", " red", " loud"), 1),
    ),
    "piqa": (
        {"goal": "Open a jar", "sol1": "Turn the lid.", "sol2": "Eat the lid.", "label": 0},
        ("Question: Open a jar\nAnswer:", (" Turn the lid.", " Eat the lid."), 0),
    ),
    "sciq": (
        {
            "question": "What melts?",
            "distractor1": "air",
            "distractor2": "fire",
            "distractor3": "light",
            "correct_answer": "ice",
            "support": "  Ice melts. ",
        },
        ("Ice melts. \nQuestion: What melts?\nAnswer:", (" air", " fire", " light", " ice"), 3),
    ),
    "copa": (
        {
            "premise": "It rained. ",
            "choice1": "The road got wet.",
            "choice2": "I sang.",
            "question": "effect",
            "label": 0,
        },
        ("It rained therefore", ("  the road got wet.", "  i sang."), 0),
    ),
    "lambada": (
        {"text": "He looked at the sea and  saw the\nsea"},
        ("He looked at the sea and  saw", (" the\nsea",), 0),
    ),
    "hellaswag": (
        {
            "activity_label": "Baking",
            "ctx_a": "Heat it. [header] Mix [step] it.",
            "ctx_b": "then HE",
            "endings": ["stirs [title] slowly", "sings", "[x]  sits", "a  b"],
            "label": "2",
        },
        ("Baking: Heat it. Mix it. Then he", (" stirs. slowly", " sings", "  sits", " a b"), 2),
    ),
    "mmlu": (
        {"question": " 1 + 1 = \n", "choices": ["1", "2", "3", "4"], "answer": 1, "subject": "anatomy"},
        ("1 + 1 =\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:", (" A", " B", " C", " D"), 1),
    ),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_prompts_are_those_of_lm_eval(name):
    row, expected = PROMPTS[name]
    question = getattr(prompts, name)(row)
    assert (question.context, question.choices, question.answer) == expected
    assert set(row) == set(getattr(prompts, name.upper()).columns)


def test_fields_and_subjects_have_groups():
    row, _ = PROMPTS["blimp"]
    spellings = ("morphology", "syntax", "semantics", "syntax/semantics", "syntax_semantics")
    assert [prompts.blimp({**row, "field": field}).group for field in spellings] == [0, 1, 2, 3, 3]
    assert prompts.blimp(row).topic == "agreement"
    row, _ = PROMPTS["mmlu"]
    assert MMLU_GROUPS[prompts.mmlu(row).group] == "other" and prompts.mmlu(row).topic == "anatomy"
    assert len(GROUP_OF_SUBJECT) == 57 and set(GROUP_OF_SUBJECT.values()) == set(MMLU_GROUPS)


def test_every_row_has_a_task_and_every_task_a_source():
    assert list(tasks.TASKS) == sorted(tasks.TASKS, key=list(tasks.TASKS).index)
    assert set(tasks.TASKS) == set(LIKELIHOOD_TASKS)
    assert all(task.name == name and task.source for name, task in tasks.TASKS.items())
    with pytest.raises(InputError, match="did you mean 'arc-easy'"):
        tasks.get("arc-eas")


@pytest.mark.parametrize("name", TINY)
def test_every_layout_loads_as_the_real_one(name):
    task = tasks.get(name)
    questions = task.questions()
    groups = max(1, len(task.row.groups))
    assert questions.origin and {question.group for question in questions.items} == set(range(groups))
    assert len({question.topic for question in questions.items}) == task.row.topics
    assert not any(question.fault() for question in questions.items)
    counts = {len(question.choices) for question in questions.items}
    if task.kind in (LikelihoodKind.LAST_WORD, LikelihoodKind.TEXT):
        assert counts == {1}
    else:
        assert min(counts) > 1 and (task.kind is not LikelihoodKind.MINIMAL_PAIR or counts == {2})


@pytest.mark.parametrize("model", ["tiny-llama", "tiny-opt-lm"])
def test_tiny_language_models_read_the_tiny_tasks(model):
    tokenizer, loaded = loading.tokenizer_of(model), loading.load_model(model)
    tied = loaded.get_input_embeddings().weight is loaded.get_output_embeddings().weight
    assert tied == (model == "tiny-opt-lm") and tokenizer.bos_token == "<s>"
    for name in TINY:
        for question in tasks.get(name).questions(limit=4).items:
            tokens = tokenizer(question.solved)["input_ids"]
            assert tokens[0] == tokenizer.bos_token_id and tokenizer.unk_token_id not in tokens[1:], question
            assert len(tokens) < loaded.config.max_position_embeddings


def test_as_many_questions_of_each_topic_are_drawn_by_their_own_text():
    task = tasks.get("tiny-mmlu")
    every = task.questions()
    drawn = task.questions(limit=3)
    assert set(Counter(question.topic for question in drawn.items).values()) == {3}
    assert [every.items.index(question) for question in drawn.items] == sorted(map(every.items.index, drawn.items))
    shown = task.questions(limit=3, shots=2)
    for with_shots, without in zip(shown.items, drawn.items, strict=True):
        own_text = without.context.removeprefix(prompts.mmlu_introduction(without.topic))
        assert with_shots.context.endswith(own_text) and len(with_shots.context) > len(without.context)
    assert set(task.questions(limit=2).items) < set(drawn.items)  # a smaller number is a part of a larger one
    assert task.questions(limit=10**6) == every and drawn.fingerprint() != shown.fingerprint()


def test_the_smallest_hashes_are_drawn_in_the_order_of_the_source():
    items = [LikelihoodQuestion(context=f"{i}", choices=(" a", " b"), answer=0, topic=f"{i % 2}") for i in range(40)]
    drawn = LikelihoodQuestions(items, "made here").drawn(5)
    for topic in "01":
        questions = [question for question in items if question.topic == topic]
        smallest = sorted(questions, key=lambda question: hash_text(f"{question.context}\n a\n b"))[:5]
        assert [q for q in drawn.items if q.topic == topic] == [q for q in questions if q in smallest]
    reversed_source = LikelihoodQuestions(items[::-1], "made here").drawn(5)
    assert reversed_source.items == drawn.items[::-1]


def test_solved_examples_stand_before_a_question_as_in_lm_eval():
    task = tasks.get("tiny-mmlu")
    examples = [question for question in task.load_examples().items if question.topic == "astronomy"]
    question = next(question for question in task.questions(shots=2).items if question.topic == "astronomy")
    bare = next(question for question in task.load().items if question.topic == "astronomy")
    first, second = (f"{example.context}{example.choices[example.answer]}\n\n" for example in examples[:2])
    introduction = "The following are multiple choice questions (with answers) about astronomy.\n\n"
    assert question.context == f"{introduction}{first}{second}{bare.context}"
    assert question.choices == bare.choices and question.answer == bare.answer


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("tiny-mmlu", {"shots": 6}, "shots 6 is not allowed: task 'tiny-mmlu' has at most 5 examples to show"),
        ("tiny-piqa", {"shots": 1}, "shots 1 is not allowed: task 'tiny-piqa' has no examples to show"),
        ("tiny-arc", {"shots": -1}, "shots -1 is not allowed"),
        ("tiny-arc", {"limit": 0}, "questions 0 is not allowed: give a whole number from 1"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_the_data_are_read(name, arguments, message, monkeypatch):
    monkeypatch.setenv("ESSPARSE_CACHE", "/dev/null/nowhere")
    with pytest.raises(InputError, match=message):
        tasks.get(name).questions(**arguments)


def test_a_source_with_other_numbers_is_refused_but_for_the_known_smaller_copy():
    task = tasks.get("tiny-hellaswag")
    count = len(task.load())
    exact = dataclasses.replace(task, row=dataclasses.replace(task.row, counts=count))
    assert exact.questions().origin == "made here"
    larger = dataclasses.replace(task, row=dataclasses.replace(task.row, counts=10_042))
    with pytest.raises(InputError, match="has 32 questions, but must have 10,042: the source is not the pinned one"):
        larger.questions()
    partial = dataclasses.replace(larger, partial=count)
    assert partial.questions().origin == "made here, 32 of 10,042 questions"
    other_topics = dataclasses.replace(task, row=dataclasses.replace(task.row, topics=2))
    with pytest.raises(InputError, match="has 1 topics, but must have 2"):
        other_topics.questions()


def test_texts_are_cut_at_blanks_and_nothing_is_lost():
    documents = list(corpora.get("tiny-corpus").load())
    texts = list(tasks.windows(documents, 150))
    assert all(0 < len(text) <= 150 and text == text.strip() for text in texts)
    assert " ".join(texts).split() == " ".join(documents).split()
    assert list(tasks.windows(["x" * 25], 10)) == ["x" * 10, "x" * 10, "x" * 5]
    assert [question.choices[0] for question in tasks.get("tiny-text").load().items] == texts


def test_the_text_to_evaluate_on_and_the_one_to_calibrate_on_are_disjoint_tenths(monkeypatch):
    documents = [f"document {number}" for number in range(500)]
    monkeypatch.setattr(packaged, "documents", lambda: iter(documents))
    monkeypatch.setattr(packaged, "tenths", packaged.tenths.__wrapped__)  # what was read before is not asked
    evaluation, calibration = (
        list(corpora.get(f"packaged-english-{part}").load()) for part in ("evaluation", "calibration")
    )
    assert 30 < len(evaluation) < 70 and 30 < len(calibration) < 70 and not {*evaluation} & {*calibration}
    assert {*evaluation} | {*calibration} < {*documents}


TEXTS = pa.list_(pa.string())
LABELLED = pa.struct([("text", TEXTS), ("label", TEXTS)])
#: By data set: layout, a column and its damaged values, and what the message says.
FAULTS = [
    ("arc", "answerKey", ["E"], "row 0 of .* has the answer 'E', which is none of '1', '2', '3'"),
    ("arc", "choices", [{"text": ["a"], "label": ["A", "B"]}], "has 1 choices but 2 labels"),
    (
        "arc",
        "choices",
        pa.array([{"text": [], "label": []}], LABELLED),
        "has the answer '2', which is none of no labels",
    ),
    ("arc", "choices", [{"text": ["", "a"], "label": ["1", "2"]}], "has an empty choice"),
    ("arc", "choices", [{"text": ["a", "b"], "label": ["2", "2"]}], "'2', which is the label of several choices"),
    ("arc", "choices", [{"text": list("a" * 37), "label": [f"{n}" for n in range(37)]}], "37 choices, and at most 36"),
    ("arc", "choices", ["text"], "column 'choices' of .* holds string, but must hold lists of text and label"),
    ("arc", "choices", [{"text": ["a", None], "label": ["1", "2"]}], "has a null"),
    ("arc", "question", [None], "column 'question' of .* (has a null|holds null)"),
    ("openbookqa", "answerKey", [""], "has the answer ''"),
    ("piqa", "label", [2], "has the answer 2, which must lie in 0 to 1"),
    ("piqa", "label", [-1], "has the answer -1"),
    ("piqa", "label", ["0"], "holds string, but must hold whole numbers"),
    ("piqa", "sol1", [" "], "has an empty choice"),
    ("copa", "question", ["why"], "has the question 'why', which is neither cause nor effect"),
    ("copa", "choice1", [""], "has an empty choice"),
    ("lambada", "text", [""], "has an empty choice"),
    ("lambada", "text", ["a word "], "has an empty choice"),
    ("hellaswag", "label", [""], "has the answer '', which is none of"),
    ("hellaswag", "label", ["4"], "has the answer '4', which is none of"),
    ("hellaswag", "endings", pa.array([[]], TEXTS), "has the answer '2', which is none of no labels"),
    ("hellaswag", "endings", [["a", "[b]", "c"]], "has an empty choice"),
    ("hellaswag", "endings", [[1, 2]], "but must hold lists of texts"),
    ("hellaswag", "endings", [["a", None]], "column 'endings' of .* has a null"),
    ("mmlu", "choices", [["1", "2"]], "has 2 choices where 4 must be"),
    ("mmlu", "answer", [4], "has the answer 4"),
    ("mmlu", "subject", ["alchemy"], "has the subject 'alchemy', which is none of MMLU's 57"),
    ("blimp", "field", ["phonology"], "has the field 'phonology', which is none of"),
    ("sciq", "correct_answer", [""], "has an empty choice"),
]


@pytest.mark.parametrize(("name", "column", "values", "message"), FAULTS)
def test_damaged_rows_are_refused_in_one_line_with_their_file(name, column, values, message, tmp_path, monkeypatch):
    row, _ = PROMPTS[name]
    table = pa.table({**{each: [value] for each, value in row.items()}, column: values})
    with pytest.raises(InputError, match=message) as caught:
        read(name, table, tmp_path, monkeypatch)
    assert "\n" not in str(caught.value) and "test-0.parquet" in str(caught.value)


@pytest.mark.parametrize("name", PROMPTS)
def test_missing_columns_and_damaged_files_are_refused(name, tmp_path, monkeypatch):
    row, expected = PROMPTS[name]
    table = pa.table({each: [value] for each, value in (row | {"id": "1"}).items()})
    (question,) = read(name, table, tmp_path, monkeypatch).items
    assert (question.context, question.choices, question.answer) == expected
    for column in row:
        with pytest.raises(InputError, match=f"its column '{column}' is missing"):
            read(name, table.drop_columns([column]), tmp_path, monkeypatch)
    path = tmp_path / "someone" / "set" / "default" / "test-0.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="test-0.parquet cannot be read"):
        read(name, None, tmp_path, monkeypatch)


def read(name, table, mirror, monkeypatch):
    """Return the questions of a table in a mirror, with the layout of a data set; None for the file that is there."""
    monkeypatch.setenv("ESSPARSE_MIRROR", str(mirror))
    folder = mirror / "someone" / "set" / "default"
    folder.mkdir(parents=True, exist_ok=True)
    if table is not None:
        parquet.write_table(table, folder / "test-0.parquet")
    repository = Repository("someone/set", "0" * 40, "dataset")
    return likelihood_data.read_questions(repository, "default", "test", getattr(prompts, name.upper()))


def test_files_are_found_where_the_hub_has_them(tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_MIRROR", str(tmp_path))
    row, expected = PROMPTS["piqa"]
    (tmp_path / "someone" / "set").mkdir(parents=True)
    parquet.write_table(
        pa.table({each: [value] for each, value in row.items()}), tmp_path / "someone" / "set" / "x.parquet"
    )
    repository = Repository("someone/set", "0" * 40, "dataset")
    (question,) = likelihood_data.read_questions(repository, "default", "test", prompts.PIQA, "x.parquet").items
    assert (question.context, question.choices, question.answer) == expected
