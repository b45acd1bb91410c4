"""Models that write equations: what decoders may see, what a search finds, and trials from first to last."""

import itertools
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from essparse_lib import tasks
from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.leaks import leaked_share, without_leaked
from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.models.equation_decoders import FIXED, RecurrentDecoder
from essparse_lib.models.equation_model import PADDING, EquationModel, load_equation_model, write
from essparse_lib.models.tree_decoder import TreeDecoder, tree_of
from essparse_lib.pruning.extents import head_parameters, matrices_of, weights_of
from essparse_lib.pruning.method import Request
from essparse_lib.pruning.prunable import prunable_weights
from essparse_lib.pruning.registry import prune
from essparse_lib.records import metrics
from essparse_lib.records.store import Record, Store
from essparse_lib.runner import task_heads
from essparse_lib.runner.fresh_models import fresh_model
from essparse_lib.runner.scheduler import missing, run
from essparse_lib.runner.task_heads import TASK_HEADS
from essparse_lib.runner.trial import execute
from essparse_lib.specs.study import Study, at_sparsities
from essparse_lib.specs.tasks import Head
from essparse_lib.specs.trial import Pruning, Training, Trial
from essparse_lib.tasks import Problem, Problems
from essparse_lib.tasks.equations import LONGEST, OPERATORS, SLOTS, SYMBOLS, from_numbers, is_complete, to_numbers
from essparse_lib.training import device
from essparse_lib.training.equation_texts import encode
from essparse_lib.training.evaluate import write_equations
from essparse_lib.training.loop import Schedule, _parameter_groups

QUICK = Training(epochs=1, batch_size=16, learning_rate=1e-2, max_length=32, max_train=64)
LEARNING = Training(epochs=6, batch_size=16, learning_rate=5e-3, max_length=32)
DENSE = Trial(model="tiny-bert", task="tiny-arithmetic", seed=0, training=QUICK)
DECODERS = [RecurrentDecoder, TreeDecoder]
BLOCKS = 2 * (4 * 32 * 32 + 2 * 32 * 64)


def made(kind, seed=0, hidden=12):
    """A decoder in evaluation mode, and three problems that it read: of two, of no and of all numbers."""
    torch.manual_seed(seed)
    decoder = kind(8, hidden).eval()
    slots = torch.full((3, len(SLOTS)), -1)
    slots[0, :2] = torch.tensor([1, 3])
    slots[2] = torch.arange(len(SLOTS)) % 5
    attended = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]])
    return decoder, decoder.read(3 * torch.randn(3, 5, 8), attended, slots)


def numbers(text):
    return to_numbers(text.split())


@pytest.mark.parametrize("kind", DECODERS)
def test_a_place_is_scored_by_what_stands_before_it_alone(kind):
    decoder, problems = made(kind)
    equation = torch.tensor([numbers("- * number0 2.0 + number1 0.5")] * 3)
    with torch.no_grad():
        logits = decoder(problems, equation)
        for place, other in itertools.product(range(equation.shape[1]), numbers("+ number1")):
            changed = equation.clone()
            changed[:, place:] = other
            assert torch.allclose(decoder(problems, changed)[:, : place + 1], logits[:, : place + 1], atol=1e-5)
            cut = decoder(problems, equation[:, : place + 1])
            assert torch.allclose(cut, logits[:, : place + 1], atol=1e-5)
    assert logits.shape == (3, 7, len(SYMBOLS))
    assert logits[0, 0].isinf().nonzero().flatten().tolist() == list(range(FIXED + 2, len(SYMBOLS)))
    assert logits[1, :, FIXED:].isinf().all() and logits[2].isfinite().all()


@pytest.mark.parametrize("kind", DECODERS)
def test_what_stands_before_a_place_and_the_problem_matter(kind):
    decoder, problems = made(kind)
    one, other = (torch.tensor([numbers(f"+ {first} number1")] * 3) for first in ("0.5", "7.0"))
    with torch.no_grad():
        assert not torch.allclose(decoder(problems, one)[:, 2], decoder(problems, other)[:, 2], atol=1e-4)
        assert not torch.allclose(decoder(problems, one)[0, 0, :FIXED], decoder(problems, one)[2, 0, :FIXED], atol=1e-4)


@given(st.integers(0, 10_000))
@settings(max_examples=50)
def test_the_relations_of_a_tree_are_those_of_reading_it(seed):
    rng = np.random.default_rng(seed)
    equation, open_places = [], 1
    while open_places and len(equation) < LONGEST:
        equation.append(int(rng.integers(0, len(OPERATORS) if rng.random() < 0.45 else len(SYMBOLS))))
        open_places += 1 if equation[-1] < len(OPERATORS) else -1
    above, sibling, right = ([-1] * len(equation) for _ in range(3))

    def read(place):
        """Note the relations of the subtree that begins at a place; return where the next one begins."""
        if place >= len(equation) or equation[place] >= len(OPERATORS):
            return place + 1
        for operand, start in enumerate((place + 1, None)):
            start = read(place + 1) if start is None else start
            if start < len(equation):
                above[start] = place
                if operand:
                    sibling[start], right[place] = place + 1, start
                    return read(start)
        return len(equation)

    read(0)
    tree = tree_of(torch.tensor([equation]))
    found = [values[0].tolist() for values in (tree.above, tree.sibling, tree.right)]
    assert found == [above, sibling, right]


def log_probability(decoder, problems, row, equation):
    """The log-probability of a whole equation of one problem, symbol by symbol."""
    repeated = torch.tensor([equation] * len(problems.start))
    logits = decoder(problems, repeated)[row].log_softmax(-1)
    return sum(float(logits[place, symbol]) for place, symbol in enumerate(equation))


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("seed", range(6))
def test_a_wider_search_finds_what_is_at_least_as_likely(kind, seed):
    decoder, problems = made(kind, seed)
    with torch.no_grad():
        greedy, of_greedy = write(decoder, problems)
        for beam in (2, 5):
            written, scores = write(decoder, problems, beam)
            assert (scores >= of_greedy).all()
            for row, symbols in enumerate(written.tolist()):
                equation = [symbol for symbol in symbols if symbol != PADDING]
                whole = is_complete(from_numbers(equation))
                assert whole == (scores[row] > -torch.inf)
                if whole:
                    assert log_probability(decoder, problems, row, equation) == pytest.approx(
                        float(scores[row]), abs=1e-3
                    )
        for row, symbols in enumerate(greedy.tolist()):
            logits = decoder(problems, greedy.clamp(min=0))[row]
            for scores_here, symbol in zip(logits, symbols, strict=True):
                assert (
                    symbol == PADDING or scores_here[symbol] >= scores_here.max() - 1e-4
                )  # two slots may be one token


@pytest.mark.parametrize("kind", DECODERS)
def test_numbers_that_a_problem_lacks_are_never_written(kind):
    for seed in range(10):
        decoder, problems = made(kind, seed)
        for beam in (1, 4):
            written, _ = write(decoder, problems, beam)
            assert not (written[0] >= FIXED + 2).any() and not (written[1] >= FIXED).any()
            assert written.shape == (3, LONGEST)


def folder_of(model, tmp_path):
    """The folder of a model with the tokenizer of tiny-bert."""
    model.save_pretrained(tmp_path / "model")
    for file in loading.locate("tiny-bert").folder.glob("*token*"):
        shutil.copy(file, tmp_path / "model")
    return str(tmp_path / "model")


SHAPE = dict(vocab_size=64, pad_token_id=0)
BERTS = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64, **SHAPE)
BARTS = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in
         (("layers", 1), ("attention_heads", 4), ("ffn_dim", 64))}  # fmt: skip
ENCODERS = {
    "SqueezeBertModel": dict(embedding_size=32, **BERTS),  # it cannot do without its pooler
    "LayoutLMModel": BERTS,
    "AlbertModel": dict(embedding_size=16, **BERTS),
    "FNetModel": {key: value for key, value in BERTS.items() if key != "num_attention_heads"},
    "GPT2Model": dict(n_embd=32, n_layer=1, n_head=4, vocab_size=64),
    "XLNetModel": dict(vocab_size=64, d_model=32, n_layer=1, n_head=4, d_inner=64),
    "T5Model": dict(d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4, decoder_start_token_id=0, **SHAPE),
    "BartModel": dict(d_model=32, max_position_embeddings=64, decoder_start_token_id=2, **BARTS, **SHAPE),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_every_kind_of_text_model_is_read(name, tmp_path):
    cls = getattr(transformers, name)
    torch.manual_seed(0)
    folder = folder_of(cls(cls.config_class(**ENCODERS[name])), tmp_path)
    trial = replace(DENSE, model=folder, training=replace(QUICK, max_train=16), pruning=Pruning(sparsity=0.5))
    record = execute(trial)
    assert (record.status, record.reason) == ("ok", "")
    assert record.metrics["zeros"] == record.metrics["prunable"] // 2


def test_a_decoder_of_the_text_model_reads_each_token_at_its_place(tmp_path):
    torch.manual_seed(0)
    cls = transformers.BartModel
    model = load_equation_model(folder_of(cls(cls.config_class(**ENCODERS["BartModel"])), tmp_path), "gru", 0).eval()
    tokens = torch.tensor([[2, 5, 6, 7], [2, 5, 6, 9]])
    slots = torch.tensor([[3, *[-1] * (len(SLOTS) - 1)]] * 2)
    with torch.no_grad():
        read = model.read(slots, input_ids=tokens, attention_mask=torch.ones_like(tokens))
        encoded = model.encoder.get_encoder()(input_ids=tokens[:1], attention_mask=torch.ones(1, 4))
        same = model.encoder(encoder_outputs=encoded, decoder_input_ids=tokens, attention_mask=torch.ones(1, 4))
    # with one and the same encoding, the last token still decides what the decoder has at its place
    assert not torch.allclose(same.last_hidden_state[0, 3], same.last_hidden_state[1, 3])
    assert not torch.allclose(read.keys[0, 0], read.keys[1, 0])


@pytest.mark.parametrize("name", ["tiny-bert", "tiny-opt"])
@pytest.mark.parametrize("method", ["wanda", "sparsegpt"])
@pytest.mark.parametrize("amount", [{"sparsity": 0.5}, {"pattern": "2:4"}])
def test_calibrated_methods_prune_the_text_model_as_they_prune_it_alone(name, method, amount):
    windows = torch.randint(5, 40, (4, 12), generator=torch.Generator().manual_seed(0))
    request = Request(**amount, calibration=windows)
    model, plain = load_equation_model(name, "gru", 0), loading.load_model(name)
    of_model, of_plain = (prune(each, method, request).mask for each in (model, plain.base_model))
    assert of_model.pruned == of_plain.pruned == BLOCKS // 2
    for key, kept in of_plain.keep.items():
        assert torch.equal(of_model.keep[f"encoder.{key}"], kept)


def test_a_wide_beam_takes_no_more_memory_than_a_narrow_one():
    sizes = []
    task = tasks.get("tiny-arithmetic")
    test = TASK_HEADS[task.head].encode(task.splits().test, "tiny-bert", 32)
    for beam in (1, 5, 64, 128):
        model = load_equation_model("tiny-bert", "gru", 0, beam)
        model.decoder.register_forward_pre_hook(lambda _, given: sizes.append(len(given[1])))
        write_equations(model, test, device.accelerator(), batch_size=128)
    assert max(sizes) == 128


@pytest.mark.parametrize("name", ["tiny-bert", "tiny-mpnet", "tiny-opt"])
@pytest.mark.parametrize("decoder", ["gru", "tree"])
def test_the_prunable_weights_are_those_of_the_text_model(name, decoder):
    model, plain = load_equation_model(name, decoder, 0), loading.load_model(name)
    assert [f"encoder.{key}" for key in prunable_weights(plain)] == list(prunable_weights(model))
    assert sum(weight.numel() for weight in prunable_weights(model).values()) == BLOCKS
    head = {id(parameter) for parameter in head_parameters(model)}
    assert head == {id(parameter) for parameter in model.decoder.parameters()}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_the_decoder_depends_on_the_seed_and_the_text_model_on_its_files():
    first, again, other = (load_equation_model("tiny-bert", "gru", seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    changed = {key.partition(".")[0] for key in first if not torch.equal(first[key], other[key])}
    assert changed == {"decoder"}


def test_random_weights_are_drawn_by_the_seed_and_leave_nothing_of_the_files():
    drawn = replace(DENSE, training=replace(QUICK, random_weights=True))
    states = [fresh_model(replace(drawn, seed=seed)).state_dict() for seed in (3, 3, 4)]
    usual = fresh_model(replace(DENSE, seed=3)).state_dict()
    name = "encoder.encoder.layer.0.output.dense.weight"
    assert torch.equal(states[0][name], states[1][name]) and not torch.equal(states[0][name], states[2][name])
    assert not torch.equal(states[0][name], usual[name])
    assert all(torch.equal(states[0][key], usual[key]) for key in usual if key.startswith("decoder."))
    classifier = replace(drawn, task="tiny-sentiment", seed=3)
    assert not torch.equal(
        fresh_model(classifier).state_dict()["bert.encoder.layer.0.output.dense.weight"],
        usual["encoder.encoder.layer.0.output.dense.weight"],
    )


def test_an_image_model_writes_no_equation_and_equations_have_no_other_head():
    with pytest.raises(InputError, match="has no equation head"):
        execute(replace(DENSE, model="tiny-vit"))
    with pytest.raises(InputError, match="unknown head 'equation'"):
        loading.load_with_head("tiny-bert", "equation", 0, 0)


def test_a_question_whose_numbers_are_cut_off_is_refused():
    with pytest.raises(InputError, match=r"max_length 6 is not allowed: it cuts numbers off.*give 15"):
        execute(replace(DENSE, training=replace(QUICK, max_length=6)))
    with pytest.raises(InputError, match="max_length 0 is not allowed"):
        execute(replace(DENSE, training=replace(QUICK, max_length=0)))


@pytest.mark.parametrize(
    ("most", "advice"),
    [
        (None, "give 8, the tokens of the longest question"),
        (8, "give 8, the tokens of the longest question"),
        (7, "give 7, the most that this model takes, or choose a model that takes 8"),
        (4, "it cuts numbers off from a question; choose a model that takes 8"),
    ],
)
def test_what_to_do_about_a_question_that_is_cut_can_be_done(most, advice):
    data = Problems([Problem(question="a b c film good number0", numbers=(1,), equation=("number0",))])
    with pytest.raises(InputError, match=f"max_length 4 is not allowed: .*{advice}"):
        encode(data, loading.tokenizer_of("tiny-bert"), 4, most)


def test_a_tokenizer_without_a_token_for_a_number_is_refused():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    characters = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate("film ")}, merges=[]))
    characters.pre_tokenizer = pre_tokenizers.Whitespace()
    data = Problems([Problem(question="film number0", numbers=(1,), equation=("number0",))])
    with pytest.raises(InputError, match="the tokenizer has no token for 'number0'"):
        encode(data, PreTrainedTokenizerFast(tokenizer_object=characters), 16)
    one = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    one.pre_tokenizer = pre_tokenizers.Whitespace()
    assert encode(data, PreTrainedTokenizerFast(tokenizer_object=one, pad_token="[UNK]"), 16).slots[0, 0] == 1


@pytest.mark.parametrize(
    ("task", "special"), [("tiny-arithmetic", 2), ("tiny-sentiment", 2), ("tiny-pairs", 3), ("tiny-questions", 0)]
)
def test_a_length_without_room_for_text_is_refused(task, special):
    trial = replace(DENSE, task=task)
    for length in range(special + 1):
        with pytest.raises(InputError, match=f"max_length {length} is not allowed"):
            execute(replace(trial, training=replace(QUICK, max_length=length)))


def test_numbers_are_read_at_the_last_token_of_their_word():
    data = Problems([Problem(question="film number0 good number1 .", numbers=(1, 2), equation=("number1",))])
    encoded = encode(data, loading.tokenizer_of("tiny-bert"), 16)
    assert encoded.slots.tolist() == [[2, 4, -1, -1, -1, -1, -1]]
    batch = encoded.batch(np.array([0]))
    assert batch["equations"].tolist() == [[FIXED + 1]] and batch["slots"].shape == (1, len(SLOTS))


def test_a_rate_of_the_head_is_that_of_the_decoder_alone():
    model = load_equation_model("tiny-bert", "gru", 0)
    for decay in (0.0, 0.1):
        groups = _parameter_groups(model, Schedule(steps=1, learning_rate=1e-5, head_rate=1e-3, weight_decay=decay))
        by_rate = {1e-5: set(), 1e-3: set()}
        for group in groups:
            assert group["lr"] == group["initial_lr"]
            by_rate[group["lr"]] |= {id(parameter) for parameter in group["params"]}
        assert by_rate[1e-3] == {id(parameter) for parameter in model.decoder.parameters()}
        assert by_rate[1e-5] == {id(parameter) for parameter in model.encoder.parameters()}
        assert len(groups) == (4 if decay else 2)
    assert len(_parameter_groups(model, Schedule(steps=1, learning_rate=1e-5))) == 1


# Trials and their records


@pytest.fixture(scope="module")
def learned():
    return execute(replace(DENSE, training=LEARNING))


def test_the_tiny_problems_are_learned_in_seconds(learned):
    assert learned.status == "ok" and learned.metrics["value_accuracy"] > 95
    kept = learned.values["equations"]
    assert kept["leaked"] == "1" * 16 + "0" * 112
    assert (len(learned.predictions), learned.labels) == (2 * 128, "")
    written = [from_numbers(metrics.from_digits(word)) for word in kept["written"].split()]
    test = tasks.get("tiny-arithmetic").splits().test
    assert metrics.shares(learned.predictions).tolist() == test.right(written)
    assert kept["exact"] == metrics.to_digits(map(int, test.exact(written)))
    assert learned.metrics["value_accuracy"] >= learned.metrics["exact_equation"] > 95
    assert learned.metrics["prunable"] == BLOCKS
    assert Record.from_line(learned.line()) == learned


def test_scores_of_epochs_are_kept_and_change_nothing_of_the_training(learned, monkeypatch):
    scores = learned.values["epochs"]
    assert len(scores) == LEARNING.epochs and scores[-1] == learned.metrics["value_accuracy"] > scores[0]
    equations = TASK_HEADS[Head.EQUATION]
    monkeypatch.setitem(TASK_HEADS, Head.EQUATION, replace(equations, watch=None))
    alone = execute(replace(DENSE, training=LEARNING))
    assert "epochs" not in alone.values
    assert (alone.metrics, alone.predictions) == (learned.metrics, learned.predictions)
    assert alone.values == {name: kept for name, kept in learned.values.items() if name != "epochs"}


def test_the_tree_decoder_learns_as_well():
    training = replace(LEARNING, decoder="tree", head_rate=2e-3, max_train=256)
    record = execute(replace(DENSE, training=training))
    assert record.status == "ok" and record.metrics["value_accuracy"] > 60


@pytest.mark.parametrize("pruning", [Pruning(sparsity=0.37), Pruning(sparsity=0.37, timing="after")])
@pytest.mark.parametrize("model", ["tiny-bert", "tiny-mpnet", "tiny-opt"])
def test_every_architecture_writes_equations_with_exactly_the_wanted_zeros(model, pruning):
    trial = Trial(model=model, task="tiny-arithmetic", seed=0, training=QUICK, pruning=pruning)
    first, again = execute(trial), execute(trial)
    assert (first.status, first.reason) == ("ok", "")
    assert (first.metrics["prunable"], first.metrics["zeros"]) == (BLOCKS, 6062)
    assert first.outcome() == again.outcome()


def test_a_copy_of_the_right_equations_scores_all(monkeypatch):
    task = tasks.get("tiny-arithmetic")
    test = TASK_HEADS[task.head].encode(task.splits().test, "tiny-bert", 32)
    model = load_equation_model("tiny-bert", "gru", 0)
    right = [problem.equation for problem in test.problems.items]
    for equations, expected in ((right, 100.0), ([()] * len(right), 0.0)):
        monkeypatch.setattr(task_heads, "write_equations", lambda *_, equations=equations: equations)
        scored = TASK_HEADS[task.head].score(model, task, test, device.accelerator())
        assert scored.metrics == {"value_accuracy": expected, "exact_equation": expected}


def test_a_beam_has_an_effect_on_equations_alone():
    usual = replace(QUICK, beam=3, decoder="tree")
    assert replace(DENSE, training=usual).id != DENSE.id
    classified = replace(DENSE, task="tiny-sentiment")
    assert replace(classified, training=usual) == classified
    with pytest.raises(InputError, match="unknown decoder 'lstm': choose from gru, tree"):
        replace(QUICK, decoder="lstm")
    for change, message in (
        ({"beam": 0}, "beam 0 is not allowed"),
        ({"beam": 1000}, "beam 1000 is not allowed"),
        ({"head_rate": 0}, "head_rate 0 is not allowed.*or None"),
        ({"random_weights": 1}, "random_weights 1 is not allowed: give True or False"),
    ):
        with pytest.raises(InputError, match=message):
            replace(QUICK, **change)


def test_new_settings_leave_earlier_ids_as_they_were():
    trial = Trial(
        model="minilm-l6",
        task="rte",
        seed=0,
        training=Training(epochs=3, batch_size=16, learning_rate=1e-4, max_length=64, max_train=1500),
        pruning=Pruning(sparsity=0.5),
    )
    assert trial.canonical() == {
        "model": "minilm-l6",
        "task": "rte",
        "seed": 0,
        "training": {"epochs": 3, "batch_size": 16, "learning_rate": 1e-4, "max_length": 64, "max_train": 1500},
        "pruning": {"sparsity": 0.5},
    }


STUDY = Study(
    figure="fig4",
    scale="tiny",
    models=("tiny-bert",),
    tasks=("tiny-arithmetic",),
    training={"*": LEARNING},
    variants={"one-shot": at_sparsities((0.5,))},
    seeds=(0,),
)


def test_curves_with_and_without_leaked_problems_are_of_one_record(learned):
    records = {learned.spec.id: learned}
    (whole,), (rest,) = curves(STUDY, records), curves(STUDY, without_leaked(records))
    right = metrics.shares(learned.predictions)
    assert (whole.examples, rest.examples) == (128, 112)
    assert whole.scores[0, 0] == pytest.approx(100 * right.mean())
    assert rest.scores[0, 0] == pytest.approx(100 * right[16:].mean())
    commonest = learned.values["equations"]["commonest"]
    assert whole.majority == pytest.approx(100 * commonest.count("1") / 128)
    assert rest.majority == pytest.approx(100 * commonest[16:].count("1") / 112)
    assert whole.learned() and leaked_share(learned) == 16 / 128
    unleaked = without_leaked(records)[learned.spec.id]
    assert Record.from_line(unleaked.line())
    assert unleaked.values["equations"]["written"].split() == learned.values["equations"]["written"].split()[16:]


def test_a_diverged_trial_scores_what_the_commonest_equation_does(learned):
    pruned = replace(learned.spec, pruning=Pruning(sparsity=0.5))
    records = {learned.spec.id: learned, pruned.id: Record(spec=pruned, status="diverged", reason="x")}
    (curve,) = curves(STUDY, without_leaked(records))
    assert curve.scores[0, 1] == pytest.approx(curve.majority)


def test_records_without_marks_stay_as_they_are_and_no_problem_left_is_an_error(learned):
    other = execute(replace(DENSE, task="tiny-sentiment"))
    assert without_leaked({"a": other}) == {"a": other} and leaked_share(other) == 0
    marked = {**learned.values["equations"], "leaked": "1" * 128}
    with pytest.raises(InputError, match="all problems of the record of .* leaked"):
        without_leaked({"a": replace(learned, values={"equations": marked})})


def changed(record, **equations):
    return replace(record, values={"equations": {**record.values["equations"], **equations}})


def line_ended(record, name):
    """The record with a line's end for the last digit of a row of digits."""
    return changed(record, **{name: f"{record.values['equations'][name][:-1]}\n"})


def epochs(record, scores):
    return replace(record, values={**record.values, "epochs": scores})


def half_right(record):
    scores = {"value_accuracy": 100 * 648 / 1295, "exact_equation": 0.0}
    half = replace(record, predictions="i0" * 128, metrics={**record.metrics, **scores})
    return changed(half, exact="0" * 128)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: replace(r, values={}), "only one of value_accuracy and values of equations"),
        (lambda r: changed(r, exact="1"), "exact has 1 entries, not 128"),
        (lambda r: changed(r, leaked="2" * 128), "its values"),
        (lambda r: changed(r, written="0lm 1lm"), "written has 2 entries, not 128"),
        (lambda r: changed(r, written="+ number0 number1"), "its values"),
        (lambda r: changed(r, exact="0" * 128), "that of its equations 0.0000"),
        (lambda r: changed(r, more="0" * 128), "its values"),
        (lambda r: replace(r, metrics={**r.metrics, "value_accuracy": 1.0}), "that of its predictions"),
        (lambda r: replace(r, values={**r.values, "removed": {"blocks": [0, 1]}}), "it says how many weights"),
        (
            lambda r: replace(r, predictions="00" * 128, metrics={**r.metrics, "value_accuracy": 0.0}),
            "an exact equation without the right value",
        ),
        *(
            (lambda r, name=name: line_ended(r, name), "its (values|exact_equation)")
            for name in ("exact", "leaked", "commonest")
        ),
        (lambda r: epochs(r, []), "scores of 0 epochs, and its training"),
        (lambda r: epochs(r, r.values["epochs"] + [1.0]), "epochs, and its training"),
        (lambda r: epochs(r, [-1.0, *r.values["epochs"][1:]]), "not within 0 and 100"),
        (lambda r: epochs(r, [*r.values["epochs"][:-1], 1.0]), "the score after its last epoch is 1.0"),
        (lambda r: epochs(r, ["much", *r.values["epochs"][1:]]), "its values"),
        (lambda r: half_right(r), "a problem that is neither right nor wrong"),
        (
            lambda r: replace(r, metrics={"accuracy": 100.0}, predictions="1", labels="1", values={}),
            "has no value_accuracy",
        ),
        (lambda r: replace(r, spec=replace(r.spec, task="tiny-sentiment")), "has value_accuracy, other than trials on"),
    ],
)
def test_records_that_do_not_follow_are_refused(learned, change, message):
    with pytest.raises(ValueError, match=message):
        Record.from_line(change(learned).line())


def test_a_run_goes_on_where_it_was_ended(tmp_path):
    store = Store(tmp_path / "results")
    study = replace(STUDY, training={"*": QUICK}, variants={"one-shot": at_sparsities((0.3, 0.6))})
    first, *rest = study.trials()
    run([first], store)
    before = store.records()[first.id].line()
    assert missing(study.trials(), store.records()) == rest
    run(study.trials(), store)
    assert store.records()[first.id].line() == before and not missing(study.trials(), store.records())


# Pruning beyond the blocks


EXTENTS = {"blocks": {"blocks"}, "embeddings": {"blocks", "embeddings"}, "head": {"blocks", "head"}}
EXTENTS["all"] = EXTENTS["embeddings"] | EXTENTS["head"]


@pytest.mark.parametrize("extent", EXTENTS)
@pytest.mark.parametrize("method", ["magnitude", "random"])
def test_a_pruning_that_extends_says_what_each_part_lost(extent, method):
    trial = replace(DENSE, pruning=Pruning(sparsity=0.5, extent=extent, method=method, scope="global"))
    record = execute(trial)
    assert record.status == "ok", record.reason
    model = fresh_model(trial)
    size = sum(weight.numel() for weight in weights_of(model, extent).values())
    assert record.metrics["prunable"] == size and record.metrics["zeros"] >= size // 2  # padding's embedding is zero
    if extent == "blocks":
        assert "removed" not in record.values
        return
    removed = record.values["removed"]
    assert set(removed) == EXTENTS[extent] and removed["blocks"][1] == BLOCKS
    assert sum(pruned for pruned, _ in removed.values()) == size // 2
    assert Record.from_line(record.line()) == record
    size = record.metrics["prunable"]
    for parts, message in (
        ({}, "does not say how many weights each part"),
        ({"moon": [0, size]}, "weights of 'moon'"),
        ({"blocks": [2, 1], "head": [0, size - 1]}, "2 of the 1 weights of blocks"),
        ({"blocks": [0, 1]}, "0 of 1 weights of its parts are removed, which its metrics do not say"),
    ):
        with pytest.raises(ValueError, match=message):
            Record.from_line(replace(record, values={**record.values, "removed": parts}).line())


def test_extents_are_of_the_parts_that_they_name():
    model = load_equation_model("tiny-bert", "gru", 0)
    blocks, everything = (set(matrices_of(model, extent)) for extent in ("blocks", "all"))
    embeddings = {key for key in everything if key.startswith("encoder.embeddings.")}
    head = {key for key in everything if key.startswith("decoder.")}
    assert everything == blocks | embeddings | head and embeddings and not embeddings & blocks
    assert embeddings == {f"encoder.embeddings.{kind}_embeddings.weight" for kind in ("word", "position", "token_type")}
    assert head == {f"decoder.{name}" for name, value in model.decoder.named_parameters() if value.dim() > 1}
    assert list(matrices_of(model)) == list(prunable_weights(model))


def test_a_classifier_has_a_head_and_a_plain_model_none():
    classifier = loading.classifier("tiny-bert", 2, 0)
    components = {name: entry.component for name, entry in matrices_of(classifier, "head").items()}
    assert [name for name, kind in components.items() if kind == "head"] == ["classifier.weight"]
    assert set(matrices_of(loading.load_model("tiny-bert"), "head")) == set(
        prunable_weights(loading.load_model("tiny-bert"))
    )


@pytest.mark.parametrize("options", [{"method": "lottery"}, {"pattern": "2:4"}])
def test_what_an_extent_does_not_go_with_is_refused(options):
    amount = {} if "pattern" in options else {"sparsity": 0.5}
    with pytest.raises(InputError, match="extent 'all' goes with magnitude and random at a sparsity"):
        Pruning(extent="all", **amount, **options)
    with pytest.raises(InputError, match="unknown extent 'everything'"):
        Pruning(extent="everything", sparsity=0.5)


def test_a_calibrated_method_does_not_extend():
    model = loading.classifier("tiny-opt", 2, 0)
    request = Request(sparsity=0.5, extent="all", calibration=torch.zeros(1, 4, dtype=torch.long))
    with pytest.raises(InputError, match="method 'wanda' prunes the matrices of blocks alone"):
        prune(model, "wanda", request)


def test_the_dense_model_has_no_extent_and_the_words_say_one():
    assert Pruning(extent="all") == Pruning()
    assert str(Pruning(sparsity=0.5, extent="all")) == "50% pruned with embeddings and the head"
    assert Pruning(sparsity=0.5).canonical() == {"sparsity": 0.5}


def test_a_model_of_any_kind_of_module_can_be_written_with():
    model = load_equation_model("tiny-opt", "gru", 0)
    assert isinstance(model, EquationModel) and model.base_model is model.encoder
