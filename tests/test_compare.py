"""How alike masks are: by hand, against vectors and sets, and against chance."""

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from essparse_lib.errors import InputError
from essparse_lib.pruning import compare
from essparse_lib.pruning.compare import Similarity, compare_by_matrix, cosine, jaccard, jaccard_removed
from essparse_lib.pruning.masks import Mask

MEASURES = [cosine, jaccard, jaccard_removed]


def bits(text):
    return torch.tensor([letter == "1" for letter in text], dtype=torch.bool)


def mask(**texts):
    return Mask({name: bits(text) for name, text in texts.items()})


pairs = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60).map(
    lambda rows: tuple(Mask({"w": torch.tensor(column)}) for column in zip(*rows, strict=True))
)


def test_worked_by_hand():
    one, other = mask(w="1110000000"), mask(w="1011100000")  # of 10, 3 and 4 stay, 2 in both
    assert cosine(one, other) == Similarity(2 / math.sqrt(12), math.sqrt(0.3 * 0.4))
    assert jaccard(one, other) == Similarity(2 / 5, pytest.approx(0.12 / (0.7 - 0.12)))
    # 7 and 6 go, 5 in both, 8 in either
    assert jaccard_removed(one, other) == Similarity(5 / 8, pytest.approx(0.42 / (1.3 - 0.42)))


def test_the_matrices_of_a_mask_are_one_vector():
    one, other = mask(a="11", b="10000000"), mask(a="10", b="11100000")
    assert [m(one, other) for m in MEASURES] == [m(mask(w="1110000000"), mask(w="1011100000")) for m in MEASURES]


def test_by_matrix_each_is_by_itself():
    one, other = mask(a="1100", b="1000"), mask(b="1000", a="0011")
    similarities = compare_by_matrix(jaccard, one, other)
    assert list(similarities) == ["a", "b"]
    assert (similarities["a"].value, similarities["b"].value) == (0, 1)
    assert similarities["a"] == jaccard(mask(w="1100"), mask(w="0011"))


@given(pairs)
def test_cosine_is_that_of_the_vectors(masks):
    vectors = [m.keep["w"].double() for m in masks]
    if all(v.any() for v in vectors):
        assert cosine(*masks).value == pytest.approx(float(torch.cosine_similarity(*vectors, dim=0)), abs=1e-12)


@given(pairs)
def test_jaccard_is_that_of_the_sets(masks):
    for measure, wanted in ((jaccard, True), (jaccard_removed, False)):
        one, other = ({i for i, kept in enumerate(m.keep["w"].tolist()) if kept is wanted} for m in masks)
        if one | other:
            assert measure(*masks).value == len(one & other) / len(one | other)


@pytest.mark.parametrize("measure", MEASURES)
@given(pairs)
def test_symmetric_and_within_0_and_1(measure, masks):
    similarity = measure(*masks)
    assert similarity == measure(*reversed(masks))
    assert 0 <= similarity.value <= 1
    assert 0 <= similarity.independent <= 1


@pytest.mark.parametrize("measure", MEASURES)
@given(pairs)
def test_a_mask_is_wholly_like_itself(measure, masks):
    similarity = measure(masks[0], masks[0])
    assert similarity.value == 1
    assert similarity.excess == 1 or (similarity.independent == 1 and math.isnan(similarity.excess))


@given(pairs)
def test_only_a_mask_itself_is_wholly_like_it(masks):
    same = torch.equal(masks[0].keep["w"], masks[1].keep["w"])
    assert all((measure(*masks).value == 1) == same for measure in MEASURES)


@pytest.mark.parametrize("measure", MEASURES)
def test_masks_that_keep_or_remove_all(measure):
    every, none, some = mask(w="1111"), mask(w="0000"), mask(w="0110")
    assert measure(every, every).value == measure(none, none).value == 1
    assert measure(every, none).value == 0
    if measure is jaccard_removed:
        assert measure(every, some).value == 0
    else:
        assert measure(none, some).value == 0
    assert math.isnan(jaccard_removed(every, every).excess)  # nothing removed: chance could do no other
    assert measure(Mask({}), Mask({})).value == 1


def overlaps(size, ones, others, wanted):
    """The exact mean, over all pairs of masks that keep so many, of a measure."""
    first = torch.arange(size) < ones
    values = []
    for chosen in combinations(range(size), others):
        second = torch.zeros(size, dtype=torch.bool)
        second[list(chosen)] = True
        values.append(wanted(Mask({"w": first}), Mask({"w": second})).value)
    return sum(values) / len(values)


@pytest.mark.parametrize("ones", range(1, 8))
@pytest.mark.parametrize("others", range(1, 8))
def test_the_null_against_all_masks_of_eight_weights(ones, others):
    masks = Mask({"w": torch.arange(8) < ones}), Mask({"w": torch.arange(8) < others})
    assert cosine(*masks).independent == pytest.approx(overlaps(8, ones, others, cosine))  # exact
    for measure in (jaccard, jaccard_removed):  # for many weights; below the mean, by less than 1/n
        assert 0 <= overlaps(8, ones, others, measure) - measure(*masks).independent + 1e-12 < 1 / 8


@pytest.mark.parametrize(("s", "t"), [(0.1, 0.1), (0.4, 0.4), (0.2, 0.7), (0.9, 0.9)])
def test_the_null_against_random_masks(s, t):
    generator = torch.Generator().manual_seed(0)
    one, other = (Mask({"w": torch.rand(200_000, generator=generator) >= fraction}) for fraction in (s, t))
    for measure in MEASURES:
        similarity = measure(one, other)
        assert similarity.value == pytest.approx(similarity.independent, abs=0.006)
        assert abs(similarity.excess) < 0.02
    assert cosine(one, other).independent == pytest.approx(math.sqrt((1 - s) * (1 - t)), abs=0.005)


def test_excess_by_hand():
    assert Similarity(0.5, 0.75).excess == -1
    assert Similarity(0.75, 0.75).excess == 0
    assert Similarity(0.98, 0.6).excess == pytest.approx(0.95)  # what is left of the paper's 98% at 40% sparsity


def test_counts_of_billions_do_not_overflow():
    n = 3_100_000_001  # its square passes 64 bits
    same = compare._Overlap(size=n, one=n - 3, other=n - 3, both=n - 3)
    assert compare._cosine(same).value == compare._jaccard(same).value == 1
    assert compare._jaccard(same.of_the_removed()) == Similarity(1.0, pytest.approx(1.5 / n, rel=1e-6))


@pytest.mark.parametrize("measure", [*MEASURES, lambda one, other: compare_by_matrix(cosine, one, other)])
def test_masks_of_different_models_are_refused(measure):
    one = mask(a="10", b="11")
    with pytest.raises(InputError, match=r"of different models: b is \(2,\) in one and absent in the other$"):
        measure(one, mask(a="10"))
    with pytest.raises(InputError, match=r"of different models: c is absent in one and \(1,\) in the other$"):
        measure(one, mask(a="10", b="11", c="1"))
    reshaped = Mask({"a": bits("10").view(1, 2), "b": bits("11")})
    with pytest.raises(InputError, match=r"a is \(2,\) in one and \(1, 2\) in the other$"):
        measure(one, reshaped)
