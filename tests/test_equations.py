"""Equations as data: read and evaluated by this code alone, whatever the symbols; and problems from damaged files."""

import dataclasses
import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essparse_lib import tasks
from essparse_lib.errors import InputError
from essparse_lib.sources import tiny
from essparse_lib.tasks import Problem, Problems, svamp
from essparse_lib.tasks.equations import (
    LONGEST,
    OPERATORS,
    SLOTS,
    SYMBOLS,
    from_numbers,
    has_value_of,
    is_complete,
    to_numbers,
    value,
)
from essparse_lib.tasks.problems import against


@pytest.mark.parametrize(
    ("equation", "numbers", "expected"),
    [
        ("number0", [3], 3.0),
        ("+ number0 number1", [1, 2], 3.0),
        ("- number1 number0", [1, 2], 1.0),
        ("/ - number0 2.0 number1", [10, 4], 2.0),
        ("- / number0 2.0 number1", [10, 4], 1.0),
        ("* 0.01 * number0 number1", [50, 8], 4.0),
        ("/ number0 number1", [1, 0], None),
        ("/ number0 - number1 number1", [1, 5], None),
        ("+ number0", [1], None),
        ("number0 number1", [1, 2], None),
        ("+", [], None),
        ("", [], None),
        ("number1", [1], None),
        ("number-1", [1], None),
        ("number٣", [1, 2, 3, 4], None),
        ("nan", [1], None),
        ("inf", [1], None),
        ("1e9", [1], None),
        ("1_000", [1], None),
        ("** 2.0 2.0", [1], None),
        ("__import__('os')", [1], None),
        ("* * number0 number0 number0", [1e150], None),  # larger than a number can be
    ],
)
def test_values_by_hand(equation, numbers, expected):
    assert value(equation.split(), numbers) == expected


def test_equations_that_are_deep_or_long_have_values_too():
    depth = 200_000
    assert value([*["+"] * depth, *["1.0"] * (depth + 1)], []) == depth + 1
    assert value([*["-", "1.0"] * depth, "1.0"], []) == 1.0
    assert value(["+"] * depth, []) is None
    assert value(["*"] * 5000 + ["100.0"] * 5001, []) is None


#: Symbols that are known, symbols that are none, and anything at all.
ANY = st.one_of(
    st.sampled_from([*SYMBOLS, "number7", "number999", "0", "1.", "-1.0", "eval", "1e400", "()", "+-"]), st.text()
)
NUMBERS = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=9)


@settings(max_examples=10_000)
@given(st.lists(ANY, max_size=30), NUMBERS)
def test_no_row_of_symbols_is_an_error_or_runs(equation, numbers):
    result = value(equation, numbers)
    assert result is None or (isinstance(result, float) and math.isfinite(result) and is_complete(equation))
    assert has_value_of(equation, equation, numbers) == (result is not None)


whole = st.recursive(
    st.sampled_from(["0.5", "2.0", "5.0", "number0", "number1"]).map(lambda leaf: [leaf]),
    lambda inner: st.tuples(st.sampled_from(OPERATORS), inner, inner).map(
        lambda parts: [parts[0], *parts[1], *parts[2]]
    ),
    max_leaves=12,
)


def infix(equation, numbers):
    """The value of a whole equation, read from its beginning by recursion; None where it has none."""

    def read(place):
        symbol = equation[place]
        if symbol not in OPERATORS:
            slot = symbol in SLOTS
            return (float(numbers[SLOTS.index(symbol)]) if slot else float(symbol)), place + 1
        first, place = read(place + 1)
        second, place = read(place)
        return {"+": lambda: first + second, "-": lambda: first - second, "*": lambda: first * second,
                "/": lambda: first / second}[symbol](), place  # fmt: skip

    try:
        result, end = read(0)
    except ZeroDivisionError:
        return None
    assert end == len(equation)
    return result


@given(whole, st.integers(0, 20), st.integers(-3, 3))
def test_values_are_those_of_reading_from_the_beginning(equation, first, second):
    assert is_complete(equation) and not is_complete(equation[:-1]) and not is_complete([*equation, "1.0"])
    assert value(equation, [first, second]) == infix(equation, [first, second])


@given(whole)
def test_symbols_and_their_numbers(equation):
    assert from_numbers([*to_numbers(equation), -100]) == tuple(equation)


def test_what_is_within_the_tolerance_is_right_and_what_has_no_value_never_is():
    assert has_value_of(["number0"], ["number1"], [1.0, 1.00009])
    assert not has_value_of(["number0"], ["number1"], [1.0, 1.00011])
    assert not has_value_of(["/", "1.0", "number0"], ["/", "1.0", "number0"], [0])


def problem(question="number0 and number1", numbers=(1.0, 2.0), equation="+ number0 number1", **options):
    return Problem(question=question, numbers=numbers, equation=tuple(equation.split()), **options)


def test_the_right_equations_score_all_problems_and_others_those_of_the_same_value():
    data = Problems([problem(), problem(numbers=(2.0, 2.0), equation="- number0 number1")])
    assert data.right([each.equation for each in data.items]) == data.exact([each.equation for each in data.items])
    turned = [("+", "number1", "number0"), ("-", "number1", "number0")]
    assert data.right(turned) == [True, True] and data.exact(turned) == [False, False]
    assert data.right([(), ("+", "number0")]) == [False, False]


def test_the_fingerprint_sees_every_part_of_a_problem():
    data = Problems([problem(), problem(question="number1 and number0")])
    others = [
        data.take([1, 0]),
        data.take([0]),
        Problems([data.items[0], dataclasses.replace(data.items[1], numbers=(1.0, 3.0))]),
        Problems([data.items[0], dataclasses.replace(data.items[1], equation=("number0",))]),
    ]
    assert len({each.fingerprint() for each in (data, *others)}) == 5
    assert data.take([0, 1]).fingerprint() == data.fingerprint()


def test_the_commonest_equation_does_not_depend_on_the_order():
    rows = [problem(), problem(), problem(equation="- number0 number1"), problem(equation="* number0 number1")]
    for order in (rows, rows[::-1]):
        train, test = against(order, [problem("another number0 number1")])
        assert train.commonest == test.commonest == ("+", "number0", "number1") and not test.items[0].leaked
    assert against([], [problem()])[1].commonest == ()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"numbers": ()}, "0 numbers, where 1 to 7 must be"),
        ({"numbers": (1.0,) * 8}, "8 numbers, where 1 to 7 must be"),
        ({"question": "number0 and number10"}, "no number1 in its question"),
        ({"equation": "+ number0 ten"}, "'ten' in its equation, which is no symbol of an equation here"),
        ({"equation": "+ number0"}, "an equation without a value"),
        ({"equation": "/ number0 - number1 number1"}, "an equation without a value"),
        ({"equation": "+ " * 8 + "number0 " * 9}, "an equation of 17 symbols, and the longest may have 15"),
        ({"numbers": (1.0, math.inf)}, "a number that is NaN or infinite"),
        ({"numbers": (1.0, math.nan), "equation": "number0"}, "a number that is NaN or infinite"),
        ({"question": "number0 and number1 and number2"}, "number2 in its question and 2 numbers"),
    ],
)
def test_problems_that_are_none_are_refused(change, fault):
    faulty = problem(**change)
    assert faulty.fault() == fault
    task = dataclasses.replace(
        tasks.get("tiny-arithmetic"),
        load=lambda: tasks.Splits(Problems([problem()]), Problems([problem(), faulty]), "here"),
    )
    with pytest.raises(InputError, match="has a problem with .*: the source is not the pinned one"):
        task.splits()


HEADER = "Question,Numbers,Equation\n"
GOOD = "number0 and number1,1 2.5,+ number0 number1\n"


def test_a_file_of_problems(tmp_path):
    path = tmp_path / "dev.csv"
    path.write_text('Type,Question,Numbers,Equation\nA,"number0 , and number1",1 2.5,+ number0 number1\n')
    (only,) = svamp.read_problems(path)
    assert only == problem("number0 , and number1", (1.0, 2.5))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (HEADER.encode(), "has a header and no rows"),
        (b"Question,Numbers\nnumber0,1\n", "has no column 'Equation' among 'Question, Numbers'"),
        (b"question,Numbers,Equation\nnumber0,1,number0\n", "has no column 'Question'"),
        (f"{HEADER}{GOOD}number0,1\n".encode(), "2 values in line 3"),
        (f"{HEADER}{GOOD}number0,one,number0\n".encode(), "problem 2, has Numbers 'one'"),
        (f"{HEADER}{GOOD}number0,,number0\n".encode(), "problem 2, has 0 numbers"),
        (f"{HEADER}number0,1,+ number0\n".encode(), "problem 1, has an equation without a value"),
        (f"{HEADER}number0,1,\n".encode(), "problem 1, has an equation without a value"),
        (f"{HEADER}number0,1,exit()\n".encode(), r"problem 1, has 'exit\(\)' in its equation"),
        (f"{HEADER}number0,nan,number0\n".encode(), "problem 1, has a number that is NaN or infinite"),
        (f"{HEADER}some,1,number0\n".encode(), "problem 1, has no number0 in its question"),
        (HEADER.encode() + b"number0 \xff,1,number0\n", "is no text in UTF-8"),
        (HEADER.encode() + b"number0 \0,1,number0\n", "is no text in UTF-8"),
        (HEADER.encode() + b'"number0,1,number0\n', "cannot be read"),
    ],
)
def test_damaged_files_of_problems_are_one_clear_line(tmp_path, content, message):
    path = tmp_path / "dev.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as refusal:
        svamp.read_problems(path)
    assert "dev.csv" in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "question"),
    [
        (f"Question, Numbers , Equation\n{GOOD}", "number0 and number1"),
        (f"\n\n{HEADER}\n{GOOD}\n", "number0 and number1"),
        (f"\ufeff{HEADER}{GOOD}".replace("\n", "\r\n"), "number0 and number1"),
        (f"{HEADER}{GOOD}".replace(",", ";"), "number0 and number1"),
        # with tabs, a quotation mark may be one, as of an inch
        ('Question\tNumbers\tEquation\n"film number0 number1\t1 2.5\t+ number0 number1\n', '"film number0 number1'),
        (f"{HEADER}{'long ' * 50_000}{GOOD}", f"{'long ' * 50_000}number0 and number1"),
    ],
)
def test_a_table_is_read_just_as_it_was_checked(tmp_path, content, question):
    path = tmp_path / "dev.csv"
    path.write_text(content, newline="")
    (only,) = svamp.read_problems(path)
    assert only == problem(question, (1.0, 2.5))


def test_a_file_that_is_none_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path, tmp_path / "absent.csv"):
        with pytest.raises(InputError, match="cannot be read"):
            svamp.read_problems(path)


def test_tiny_problems_never_change():
    assert sorted(path.name for path in tiny.folder(tiny.ARITHMETIC).iterdir()) == ["dev.csv", "train.csv"]
    splits = tasks.get("tiny-arithmetic").splits()
    assert (len(splits.train), len(splits.test)) == (512, 128)
    assert sum(each.leaked for each in splits.test.items) == 16
    assert max(len(each.equation) for each in splits.train.items) <= LONGEST
    assert (splits.train.fingerprint(), splits.test.fingerprint()) == ("3e3a8cd2b1087382", "d074a6f71bcd45cc")
    assert splits.test.commonest == ("+", "number0", "number1")


FACTS = {
    "mawps-0": (384, 128, 108),
    "mawps-1": (384, 110, 92),
    "mawps-2": (384, 112, 101),
    "mawps-3": (384, 118, 100),
    "mawps-4": (384, 114, 92),
    "asdiv-a-0": (238, 0, 0),
    "asdiv-a-4": (266, 0, 0),
    "svamp": (1000, 0, 0),
}


@pytest.mark.parametrize("name", FACTS)
def test_the_real_problems_and_what_leaks(real_mirror, name):
    splits = tasks.get(name).splits()
    leaked = [each.question for each in splits.test.items if each.leaked]
    assert (len(splits.test), len(leaked), len(set(leaked))) == FACTS[name]
    assert splits.origin == "mirror of arkilpatel/SVAMP"
    for part in (splits.train, splits.test):
        assert all(part.right([each.equation for each in part.items]))


def test_the_folds_of_one_source_are_not_independent():
    from essparse_lib.specs.tasks import source_of

    assert {source_of(f"mawps-{fold}") for fold in range(5)} == {"mawps"}
    assert {source_of(f"asdiv-a-{fold}") for fold in range(5)} == {"asdiv-a"}
    assert source_of("svamp") == "svamp"
