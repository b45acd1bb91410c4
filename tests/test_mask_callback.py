"""transformers' Trainer holds a mask with the callback: in every mode no removed weight comes back."""

import itertools
import re

import pytest
import torch
from helpers import ROOT, launch
from safetensors.torch import load_file
from transformers import Trainer, TrainerCallback, TrainingArguments, trainer_pt_utils

from essparse_lib import MaskCallback, load_with_head, merge_adapters
from essparse_lib.errors import InputError
from essparse_lib.pruning.magnitude import global_magnitude
from essparse_lib.pruning.masks import Mask
from essparse_lib.pruning.prunable import prunable_weights

STEPS = 200

#: transformers and peft warn of each other's versions.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing", "ignore:.*pin_memory")


def bert():
    return load_with_head("tiny-bert", "sequence-classification", 2, 0)


@pytest.fixture
def model():
    return bert()


@pytest.fixture
def mask(model):
    return global_magnitude(prunable_weights(model), 0.5)


@pytest.fixture(scope="module")
def examples():
    generator = torch.Generator().manual_seed(1)
    return [{"input_ids": torch.randint(5, 20, (8,), generator=generator), "labels": i % 2} for i in range(48)]


def trainer(model, folder, examples, *callbacks, **settings):
    """Return a trainer of 200 steps in batches of four."""
    fixed = {"use_cpu": True, "report_to": [], "disable_tqdm": True, "dataloader_pin_memory": False}
    chosen = {"max_steps": STEPS, "per_device_train_batch_size": 4, "learning_rate": 1e-2, "save_strategy": "no"}
    arguments = TrainingArguments(str(folder), **fixed, **{**chosen, **settings})
    return Trainer(model, arguments, train_dataset=examples, eval_dataset=examples[:8], callbacks=list(callbacks))


def nonzero_by_hand(tensors, mask, prefix=""):
    """Return how many removed weights are not zero in a ``state_dict`` or a file, from the tensors themselves."""
    return sum(int((tensors[prefix + name][~kept] != 0).sum()) for name, kept in mask.keep.items())


class Watch(TrainerCallback):
    """Counts removed weights that are not zero after every step."""

    def __init__(self, mask):
        self.mask = mask
        self.counts = []

    def on_step_end(self, args, state, control, model, **kwargs):
        self.counts.append(nonzero_by_hand(dict(model.named_parameters()), self.mask))


class Writes(TrainerCallback):
    """Writes a removed weight at an event of a step."""

    def __init__(self, mask, event, step):
        self.mask = mask
        self.step = step
        setattr(self, event, self.write)

    def write(self, args, state, control, model, **kwargs):
        name, kept = next(iter(self.mask.keep.items()))
        if state.global_step == self.step:
            with torch.no_grad():
                dict(model.named_parameters())[name][~kept] = 1.0


MODES = {
    "plain": {},
    "accumulation": {"gradient_accumulation_steps": 3},
    "bf16": {"bf16": True},
    "weight decay": {"weight_decay": 0.1, "optim": "sgd"},
    "Adafactor": {"optim": "adafactor"},
}


@pytest.mark.slow
@pytest.mark.parametrize("mode", [*MODES, "weights in bf16"])
def test_no_weight_comes_back_in_two_hundred_steps(mode, model, mask, examples, tmp_path):
    if mode == "weights in bf16":
        model.to(torch.bfloat16)
    before = {name: weight.clone() for name, weight in prunable_weights(model).items()}
    watch = Watch(mask)
    trained = trainer(model, tmp_path, examples, MaskCallback(mask), watch, **MODES.get(mode, {}))
    trained.train()
    assert watch.counts == [0] * STEPS
    assert mask.drift(model) == 0
    for name, weight in prunable_weights(model).items():
        assert (weight[mask.keep[name]] != before[name][mask.keep[name]]).any()
    hooks = trained.optimizer.optimizer._optimizer_step_post_hooks.values()
    assert not any("after_steps" in hook.__qualname__ for hook in hooks)


def test_without_the_callback_they_come_back(model, mask, examples, tmp_path):
    mask.apply(model)
    trainer(model, tmp_path, examples, max_steps=3).train()
    assert mask.drift(model) > mask.pruned / 2


@pytest.mark.parametrize("settings", [{}, {"gradient_accumulation_steps": 2, "bf16": True}], ids=["plain", "both"])
def test_a_training_that_goes_on_from_a_checkpoint_ends_with_the_same_weights(settings, mask, examples, tmp_path):
    saves = {"save_strategy": "steps", "save_steps": STEPS // 2, **settings}
    whole = bert()
    trainer(whole, tmp_path, examples, MaskCallback(mask), **saves).train()
    for step in (STEPS // 2, STEPS):
        assert nonzero_by_hand(load_file(tmp_path / f"checkpoint-{step}/model.safetensors"), mask) == 0
    resumed, watch = bert(), Watch(mask)
    again = trainer(resumed, tmp_path, examples, MaskCallback(mask), watch, **saves)
    again.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{STEPS // 2}"))
    assert watch.counts == [0] * (STEPS // 2)
    assert mask.drift(resumed) == 0
    for name, values in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], values), name


def test_a_checkpoint_of_another_mask_is_said_with_numbers_and_held_from_then_on(model, mask, examples, tmp_path):
    saves = {"save_strategy": "steps", "save_steps": 2}
    trainer(model, tmp_path, examples, max_steps=2, **saves).train()
    again, watch = bert(), Watch(mask)
    going_on = trainer(again, tmp_path, examples, MaskCallback(mask), watch, max_steps=4, **saves)
    message = rf"at step 2 with [\d,]+ of the mask's {mask.pruned:,} removed weights not zero"
    with pytest.warns(UserWarning, match=message):
        going_on.train(resume_from_checkpoint=True)
    assert watch.counts == [0, 0]


class Scores:
    """Scores an evaluation worse than every one before it, so that the first checkpoint is the best."""

    def __init__(self):
        self.falling = itertools.count(0, -1)

    def __call__(self, predictions):
        return {"score": next(self.falling)}


BEST = {"eval_strategy": "steps", "eval_steps": 2, "save_strategy": "steps", "save_steps": 2, "max_steps": 6}
BEST |= {"load_best_model_at_end": True, "metric_for_best_model": "score"}


def test_the_best_checkpoint_that_is_loaded_at_the_end_has_its_zeros(model, mask, examples, tmp_path):
    trained = trainer(model, tmp_path, examples, MaskCallback(mask), **BEST)
    trained.compute_metrics = Scores()
    trained.train()
    assert trained.state.best_global_step == 2
    assert mask.drift(model) == 0
    best = load_file(tmp_path / "checkpoint-2/model.safetensors")
    assert all(torch.equal(values, best[name]) for name, values in model.state_dict().items())


@pytest.mark.filterwarnings("ignore:the training goes on")
def test_a_best_checkpoint_without_the_zeros_is_an_error_with_numbers(model, mask, examples, tmp_path):
    dense = trainer(model, tmp_path, examples, **{**BEST, "max_steps": 2})
    dense.compute_metrics = Scores()
    dense.train()
    masked = trainer(model, tmp_path, examples, MaskCallback(mask), **BEST)
    masked.compute_metrics = dense.compute_metrics
    with pytest.raises(InputError, match=rf"not held: [\d,]+ of its {mask.pruned:,} removed weights were not zero"):
        masked.train(resume_from_checkpoint=True)
    assert mask.drift(model) == 0


def test_what_another_callback_writes_is_an_error_with_numbers_at_the_checkpoint_and_at_the_end(
    model, mask, examples, tmp_path
):
    first = next(iter(mask.keep.values()))
    removed = int((~first).sum())
    saves = {"save_strategy": "steps", "save_steps": 2, "max_steps": 4}
    writing = trainer(model, tmp_path, examples, Writes(mask, "on_step_end", 2), MaskCallback(mask), **saves)
    message = rf"checkpoint-2 in .* was saved while {removed:,} of the mask's {mask.pruned:,} removed weights"
    with pytest.raises(InputError, match=message):
        writing.train()
    writing = trainer(model, tmp_path, examples, Writes(mask, "on_epoch_end", 4), MaskCallback(mask), max_steps=4)
    with pytest.raises(InputError, match=rf"the mask was not held: {removed:,} of its {mask.pruned:,} removed"):
        writing.train()
    assert mask.drift(model) == 0


class Stops(TrainerCallback):
    """Breaks the first training off at its third step."""

    def __init__(self):
        self.stopped = False

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 3 and not self.stopped:
            self.stopped = True
            raise KeyboardInterrupt


def test_a_training_that_was_broken_off_can_be_begun_again_with_the_same_callback(model, mask, examples, tmp_path):
    callback, watch = MaskCallback(mask), Watch(mask)
    trained = trainer(model, tmp_path, examples, Stops(), callback, watch, max_steps=5)
    with pytest.raises(KeyboardInterrupt):
        trained.train()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 1  # what happens between the two is not the callback's
    trained.train()
    assert watch.counts == [0] * 7
    assert callback._held is None
    trainer(other := bert(), tmp_path, examples, callback, max_steps=2).train()
    assert mask.drift(other) == 0


def test_a_mask_that_does_not_fit_is_refused_before_the_first_step(model, examples, tmp_path):
    watch = Watch(Mask({}))
    wrong = MaskCallback(Mask({"bert.nowhere.weight": torch.ones(2, 2, dtype=torch.bool)}))
    before = {name: values.clone() for name, values in model.state_dict().items()}
    with pytest.raises(InputError, match="of another model: bert.nowhere.weight"):
        trainer(model, tmp_path, examples, wrong, watch).train()
    assert not watch.counts
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())


def test_an_optimizer_that_steps_elsewhere_is_refused_before_the_first_step(model, mask, examples, tmp_path):
    elsewhere = trainer_pt_utils.LayerWiseDummyOptimizer()  # as of optim="galore_adamw_layerwise"
    trained = trainer(model, tmp_path, examples, MaskCallback(mask))
    trained.optimizer, trained.lr_scheduler = elsewhere, torch.optim.lr_scheduler.ConstantLR(elsewhere)
    with pytest.raises(InputError, match="none of the 1 parameters that the optimizer trains is the model's"):
        trained.train()
    assert trained.state.global_step == 0


@pytest.mark.parametrize("given", [None, {}, Mask])
def test_what_is_no_mask_is_refused(given):
    with pytest.raises(InputError, match=r"^MaskCallback holds a mask, not a (NoneType|dict|type): pass a Mask"):
        MaskCallback(given)


# Adapters


def test_a_model_with_an_adapter_keeps_its_zeros_through_the_training_and_the_merge(model, mask, examples, tmp_path):
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=4, target_modules=["query", "value"], task_type="SEQ_CLS")
    adapted = peft.get_peft_model(model, config)
    saves = {"save_strategy": "steps", "save_steps": STEPS // 2}
    trained = trainer(adapted, tmp_path, examples, MaskCallback(mask), **saves)
    trained.train()
    assert mask.drift(adapted) == 0

    again = peft.get_peft_model(bert(), config)
    mask.apply(again)
    going_on = trainer(again, tmp_path, examples, MaskCallback(mask), **saves)
    going_on.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{STEPS // 2}"))
    for name, values in adapted.state_dict().items():
        assert torch.equal(going_on.model.state_dict()[name], values), name

    merged = merge_adapters(adapted, mask)
    touched = [kept for name, kept in mask.keep.items() if "query" in name or "value" in name]
    assert merged.refilled == sum(int((~kept).sum()) for kept in touched) > 0
    assert merged.pruned == mask.pruned
    assert nonzero_by_hand(merged.model.state_dict(), mask) == 0
    merged.model.save_pretrained(tmp_path / "merged")
    assert nonzero_by_hand(load_file(tmp_path / "merged/model.safetensors"), mask) == 0


# Several processes

PROCESSES = """
import sys
import torch
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from safetensors.torch import save_file
from transformers import Trainer, TrainingArguments
from essparse_lib import MaskCallback, global_magnitude, load_with_head, prunable_weights, random_mask
from essparse_lib.errors import InputError

torch.set_num_threads(1)
rank, folder = torch.distributed.get_rank(), sys.argv[1]
examples = [{"input_ids": torch.arange(i, i + 8) % 15 + 5, "labels": i % 2} for i in range(48)]

class Sharded(Trainer):  # accelerate shards on accelerators alone: say that this is one
    def create_accelerator_and_postprocess(self):
        super().create_accelerator_and_postprocess()
        state = self.accelerator.state
        state.fsdp_plugin = FullyShardedDataParallelPlugin(**self.args.fsdp_plugin_args)
        state.distributed_type = DistributedType.FSDP
        self.is_fsdp_enabled = True

SHARDING = {"version": 2, "state_dict_type": "SHARDED_STATE_DICT", "transformer_layer_cls_to_wrap": ["BertLayer"]}
WAYS = {"ddp": (Trainer, {}), "fsdp2": (Sharded, {"fsdp": True, "fsdp_config": SHARDING})}

def train(way, make_mask, **options):
    kind, settings = WAYS[way]
    model = load_with_head("tiny-bert", "sequence-classification", 2, 0)
    mask = make_mask(model)
    arguments = TrainingArguments(
        f"{folder}/{way}", use_cpu=True, report_to=[], disable_tqdm=True, dataloader_pin_memory=False, max_steps=200,
        per_device_train_batch_size=2, learning_rate=1e-2, save_steps=100, ddp_find_unused_parameters=False, **settings,
    )
    trainer = kind(model, arguments, train_dataset=examples, callbacks=[MaskCallback(mask)])
    trainer.train(**options)
    values = {name: value.full_tensor() if hasattr(value, "full_tensor") else value
              for name, value in trainer.model.state_dict().items()}
    nonzero = sum(int((values[name][~kept] != 0).sum()) for name, kept in mask.keep.items())
    print(f"{way} {nonzero} {mask.drift(trainer.model)} of {mask.pruned}", flush=True)
    return {name: value.contiguous() for name, value in values.items()}

def magnitude(model):
    return global_magnitude(prunable_weights(model), 0.5)

for way in WAYS:
    save_file(train(way, magnitude), f"{folder}/{way}-whole-{rank}.safetensors")
    resumed = train(way, magnitude, resume_from_checkpoint=f"{folder}/{way}/checkpoint-100")
    save_file(resumed, f"{folder}/{way}-resumed-{rank}.safetensors")
try:
    train("ddp", lambda model: random_mask(prunable_weights(model), 0.5, seed=rank))
except InputError as error:
    print(f"refused: {error}", flush=True)
"""


@pytest.mark.slow
def test_two_processes_hold_the_mask_through_a_checkpoint_plain_and_sharded(mask, tmp_path):
    printed = launch(tmp_path, PROCESSES, 2)
    for way in ("ddp", "fsdp2"):
        assert printed.count(f"{way} 0 0 of {mask.pruned}") == 4, printed
        first = load_file(tmp_path / f"{way}-whole-0.safetensors")
        assert nonzero_by_hand(first, mask) == 0
        for file in ("whole-1", "resumed-0", "resumed-1"):
            other = load_file(tmp_path / f"{way}-{file}.safetensors")
            assert all(torch.equal(values, other[name]) for name, values in first.items()), (way, file)
    saved = load_file(tmp_path / "ddp/checkpoint-100/model.safetensors")
    assert nonzero_by_hand(saved, mask) == 0
    assert printed.count("refused: 1 of 2 processes have another mask than the first") == 2, printed


# The page


def examples_of_page():
    page = (ROOT / "book/api-training.md").read_text(encoding="utf-8")
    section = page[page.index("(masks-in-other-trainings)=") : page.index("## In the modules")]
    return re.findall(r"^```python\n(.*?)^```", section, re.M | re.S)


PAGE = """
import os, sys
import torch
from torch.utils.data import DataLoader
from essparse_lib import load_with_head

torch.set_num_threads(1)
os.chdir(sys.argv[1])
for code in {blocks!r}:
    model = load_with_head("tiny-bert", "sequence-classification", 2, 0)
    examples = [{{"input_ids": torch.arange(i, i + 8) % 15 + 5, "labels": i % 2}} for i in range(48)]
    batches = DataLoader(examples, batch_size=4)
    names = {{"model": model, "optimizer": torch.optim.AdamW(model.parameters(), lr=0.01), "batches": batches,
              "examples": examples}}
    exec(code, names)
    merged = names.get("merged")
    print("drift", names["mask"].drift(merged.model if merged else names["model"]), flush=True)
"""


@pytest.mark.slow
def test_what_the_page_shows_holds_the_mask(tmp_path):
    pytest.importorskip("peft")
    blocks = examples_of_page()
    assert len(blocks) == 4
    printed = launch(tmp_path, PAGE.format(blocks=blocks), 2)
    assert re.findall(r"drift (\d+)", printed) == ["0"] * 8, printed
    assert printed.count("removed weights; they are zero again") == 2
