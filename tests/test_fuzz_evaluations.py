"""Records of evaluations with damage that bears the right checksum: each is refused, or all that reads it goes on."""

import json
import tempfile
import warnings
from pathlib import Path

import pytest
from fuzzing import damaged_json, fuzzed, read_or_refused
from hypothesis import given
from hypothesis import strategies as st
from simulated_evaluations import falls_from, records, study

from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.grouped import group_curves
from essparse_lib.book import status
from essparse_lib.claims import c12_without_fine_tuning
from essparse_lib.errors import InputError
from essparse_lib.figures import fig11_tables
from essparse_lib.records import cost, summary
from essparse_lib.records.integrity import checksum
from essparse_lib.records.store import Store

pytestmark = pytest.mark.slow

#: A task with groups and topics, one that is judged by normalised accuracy, and texts.
TASKS = ("blimp", "piqa", "english-text")
STUDY = study(*TASKS)
RECORDS = records(STUDY, lambda evaluation: falls_from(0.4)(evaluation.pruning.sparsity), questions=12, data="d")
DAMAGED = {
    task: next(r for r in RECORDS.values() if r.spec.task == task and not r.spec.pruning.sparsity) for task in TASKS
}


def read_all(store):
    """Read records as status, tables, plots and the claim do."""
    found = store.records_of_studies(STUDY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        status.completion([STUDY], found)
        cost.expected_seconds(STUDY.specs(), found)
        summary.provenance(STUDY, found)
        summary.missing(STUDY, found)
        variants = {variant: curves(STUDY, found, variant) for variant in STUDY.variants}
        for variant in STUDY.variants:
            group_curves(STUDY, found, variant)
        fig11_tables.essential_table(variants)
        fig11_tables.guessed(variants)
        fig11_tables.held_out(STUDY, found)
        fig11_tables.perplexity_table(fig11_tables.in_nats(STUDY, found))
        c12_without_fine_tuning.judge(STUDY, *variants.values())


def signed(text):
    """The line of a record with the checksum that its content has."""
    content = text.encode(errors="surrogatepass")
    return content[:-1] + f', "checksum": "{checksum(content)}"}}'.encode()


def written(folder, task, line):
    """Write all records of the study but for one, which is a damaged line, and return their store."""
    store = Store(Path(folder))
    for record in RECORDS.values():
        if record.spec.id != DAMAGED[task].spec.id:
            store.append(record)
    with store.path(DAMAGED[task].spec).open("ab") as file:
        file.write(line + b"\n")
    return store


def test_the_undamaged_records_are_read(tmp_path):
    store = written(tmp_path, "piqa", DAMAGED["piqa"].line().encode())
    read_all(store)
    assert store.records().keys() == RECORDS.keys()


@pytest.mark.parametrize("task", TASKS)
@fuzzed(100)  # each reads all the figure
@given(st.data())
def test_a_signed_evaluation_with_another_structure_is_read_or_refused(task, data):
    plain = json.loads(DAMAGED[task].line())
    del plain["checksum"]
    line = signed(data.draw(damaged_json(plain)))
    with tempfile.TemporaryDirectory() as folder:
        store = written(folder, task, line)
        read_or_refused(lambda: read_all(store))
        mended = read_or_refused(store.mend)
        assert not isinstance(mended, InputError)
        others = RECORDS.keys() - {DAMAGED[task].spec.id}
        assert others <= store.records().keys() <= RECORDS.keys()
