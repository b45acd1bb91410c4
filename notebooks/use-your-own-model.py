# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Prune your own model
#
# From any model of the Hugging Face hub, or a folder that `save_pretrained` wrote, to a sparse checkpoint, and to the answer to
# the paper's question for that model {cite:p}`jaiswal2023emergence`: how much of it can go before it costs something on *your* task?
#
# The model named below by default is small, and comes with this book: a BERT of two blocks that was trained here from scratch ([Figure 8](fig8.ipynb)).
# So this page runs anywhere in seconds, without fetching anything. Nothing in it is particular to that model: with
#
# ```bash
# papermill notebooks/use-your-own-model.ipynb out.ipynb -p model bert-base-uncased
# ```
#
# every cell does the same to BERT-base. Six of the eight steps need no GPU then either; the last two fine-tune the model ten times and more
# (how long that takes is said there). Encoders and decoders of text serve alike; for models of images, give `-p model` to
# [Figure 3](fig3.ipynb). [Which architectures](../book/architectures.md) were tried, with what result, has a page of its own.

# %% tags=["remove-input", "setup"]
from importlib.util import find_spec

from IPython import get_ipython

if find_spec("essparse_lib") is None:  # as in Colab
    get_ipython().run_line_magic("pip", "install -q 'essparse[draw] @ git+https://github.com/essential-sparsity/companion'")

# %% tags=["parameters"]
model: str = "bert-2x128-100-0"  # such as "minilm-l6", "bert-base-uncased", any other id of the hub, a folder
sparsity: float = 0.4  # of the checkpoint that is saved: the share of the blocks' weights that goes
method: str = "magnitude"  # or "random", the baseline; or "wanda", "sparsegpt", ..., which need a text: `essparse prune --help` lists all
text: str = ""  # for a method that needs a text: the path of a file with text like that which the model is for
out: str = ""  # a new folder for the checkpoint; empty: a temporary one, gone when this notebook ends
task: str = "movie-reviews"  # where the model is fine-tuned for its curve: a task's name on the page on data
scale: str = "lab"  # how it is fine-tuned: "tiny", "lab" (few examples), "paper" (the paper's Table 1)
data: str = ""  # of step 8: a file of your own (CSV, parquet, text, ...), a folder of images, an id of the hub; empty: made-up sentences
live_tasks: str = "first"  # "first": train now what has no record; "none": draw what there is. At paper scale, name the task
epsilon: float = 1.0  # the tolerated loss, in points

# %%
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from IPython.display import Markdown

from essparse_lib import TASK_HEADS, TENTHS, Pruning, Recipe, accelerator, check_sparsity, count_zeros_by_component
from essparse_lib import curves, figures, fine_tune, load_model, load_with_head, mask_from_zeros, prunable_matrices
from essparse_lib import SweepSettings, prunable_weights, prune, results, save_pruned, sweep, tasks
from essparse_lib.figures import curve_plots, fig1, parameters, points, style
from essparse_lib.records import cost, summary
from essparse_lib.runner import interactive

parameters.check(globals())
style.apply()
sparsity = check_sparsity(sparsity)
recipe = Recipe(sparsity=sparsity, method=method, text=Path(text) if text else None)
# whose settings and records serve this model: Figure 8 has those that were trained from scratch
home = "fig8" if model in figures.study("fig8", scale).models else "fig2"
study = interactive.checked_study(figures.study(home, scale).narrowed(models=[model], tasks=[task]))
tasks_to_run = parameters.live_tasks(study, live_tasks)
# what a method that needs a text reads in step 7: a corpus that a record can name (other methods ignore it)
corpora = {
    "tiny": {"calibration": "tiny-corpus", "windows": 16, "length": 32},
    "lab": {"calibration": "packaged-english"},
    "paper": {"calibration": "wikipedia"},
}
point, *curve = (Pruning(sparsity=at, method=method, **corpora[scale]) for at in (sparsity, *study.sparsities[1:]))
study = replace(study, variants={"one-shot": tuple(curve)})

# %% [markdown]
# ## 1. Load it
#
# The model with the heads and in the precision it was saved with. `transformers`' own `AutoModel.from_pretrained` would do as well: all
# that follows takes any PyTorch module that is made of transformer blocks.

# %%
network = load_model(model)
print(type(network).__name__, f"{network.num_parameters():,} parameters")

# %% [markdown]
# ## 2. What can be pruned
#
# As in the paper, the weight matrices of the transformer blocks; neither embeddings, biases and norms nor heads. They are found by
# walking the model's modules, under whatever names the architecture gives them. A matrix of a block that is stored in a way not known here is an error that
# names it. What is left dense by rule (routers, wide convolutions, tables) is said in numbers when the model is saved.

# %%
matrices = prunable_matrices(network)
listed = pd.DataFrame(
    {"component": m.component, "shape": " × ".join(map(str, m.weight.shape)), "weights": m.weight.numel()}
    for m in matrices.values()
)
by_shape = listed.groupby(["component", "shape"], sort=False)["weights"]
by_shape.agg(matrices="size", weights="sum").reset_index().style.format(thousands=",").hide(axis="index")

# %% tags=["remove-input"]
total = sum(m.weight.numel() for m in matrices.values())
Markdown(
    f"Together {total:,} weights, {total / network.num_parameters():.0%} of all parameters. The rest is embeddings, mostly: the smaller the model, "
    "the more of it. Of bert-base-uncased 84,934,656 weights are prunable, 78% of its parameters."
)

# %% [markdown]
# ## 3. Prune it at many sparsities
#
# At each sparsity the method chooses the weights that go: with `-p method magnitude` the smallest ones, over all matrices together. The
# model is left as it is until a mask is applied.

# %%
gone_at = {}
for at in sorted({*TENTHS[1:], sparsity} - {0.0}):
    mask = prune(network, model, replace(recipe, sparsity=at)).mask
    counts = mask.count(lambda name: matrices[name].component)
    gone_at[f"{at:.4g}"] = {component: f"{count.sparsity:.0%}" for component, count in counts.items()}
pd.DataFrame(gone_at)

# %% [markdown]
# Each column is one sparsity over all matrices together. Where a row lies above it, that component loses more than its share: by
# magnitude, as it has more small weights. Random pruning takes the same share everywhere (`-p method random`).
#
# Magnitude masks nest: what goes at 10% is gone at 20%. `magnitude_levels` finds all of them at once, in one byte a weight.
#
# ## 4. What is gone where
#
# At the sparsity of the checkpoint, matrix by matrix.

# %%
mask = prune(network, model, recipe).mask if sparsity else mask_from_zeros(prunable_weights(network))
removed = mask.count(str)
shares = [{"depth": m.depth, "component": m.component, **vars(removed[name])} for name, m in matrices.items()]

# %% tags=["remove-input"] mystnb={"figure": {"name": "own-shares", "caption": "The percentage of each matrix of the model that goes, by component and block. The dashed line is the percentage over all of them."}, "image": {"alt": "A line for each of the six components: the percentage of its weights that is removed, against the number of the block.", "align": "center"}}
fig1.draw_shares(shares);

# %% tags=["remove-input"]
fig1.table(shares).style.hide(axis="index")

# %% [markdown]
# ## 5. Save a sparse checkpoint, and load it back
#
# The folder holds the pruned model, all files beside its weights as they were, and `essparse.json`, which says what was done. On the command line:
# `essparse prune MODEL --sparsity 0.4 --out DIR`, which has Wanda, SparseGPT and N:M patterns besides. `--include '*.mlp.*'` and `--exclude` choose a part of
# the blocks by the names of parameters. Wanda and SparseGPT calibrate on `--windows` of `--length` tokens from a text (`--text FILE`), or on the images in a folder
# (`--images FOLDER`).

# %%
temporary = TemporaryDirectory(ignore_cleanup_errors=True)
folder = Path(out) if out else Path(temporary.name) / "pruned"
message = save_pruned(model, recipe, folder)
print(message.removeprefix(f"{folder}: "))
print((folder / "essparse.json").read_text())

# %% [markdown]
# Any program loads it as any model, with `from_pretrained`. The zeros are where the mask says, and so the mask need not be kept
# beside it.

# %%
again = load_model(str(folder))
in_file = mask_from_zeros(prunable_weights(again))
unlike = sum(int((in_file.keep[name] != kept).sum()) for name, kept in mask.keep.items())
print(f"{in_file.pruned:,} of {in_file.size:,} weights are zero; places where mask and file differ: {unlike}")
by_place = count_zeros_by_component(prunable_matrices(again).values())
zeros = {(part, f"block {depth + 1}"): f"{counts.sparsity:.1%}" for (depth, part), counts in by_place.items()}
pd.Series(zeros).unstack(sort=False)

# %% [markdown]
# The file is as large as before, and the model as fast: zeros are stored and multiplied like other numbers. Hardware gains from
# patterns such as 2:4 (`essparse prune --pattern 2:4`, `to_semi_structured`); here the question is what the model can do without.
#
# ## 6. Fine-tune it, the mask held
#
# The checkpoint gets a head for a task and is trained, and after every step of the optimiser the weights that are gone are set to zero again. To see
# that, a made-up task is enough, with sentences full of praise or of blame, which is there without fetching anything; do not read
# anything into its score.

# %%
practice = tasks.get("tiny-sentiment")
kind, splits, devices = TASK_HEADS[practice.head], practice.splits(), accelerator()
training = replace(study.trial(model, task, Pruning(), seed=0).training, max_length=32)
train, test = (kind.encode(part, str(folder), training.max_length) for part in (splits.train, splits.test))
classifier = load_with_head(str(folder), practice.head, classes=len(practice.classes), seed=0)
gone = mask_from_zeros(prunable_weights(classifier))
losses = fine_tune(classifier, train, training, seed=0, devices=devices, mask=gone)
score = kind.score(classifier, practice, test, devices)
print(f"{len(losses)} steps, loss {losses[0]:.2f} → {losses[-1]:.2f}, accuracy {score.metrics['accuracy']:.1f}")
print(f"{gone.pruned:,} weights were gone before; {gone.drift(classifier)} have come back")

# %% [markdown]
# In a training loop of your own the same takes one line:
#
# ```python
# with mask.held(model, optimizer):  # applied now, and after every step
#     train(model, optimizer)
# ```
#
# ## 7. Its essential sparsity on your task
#
# One checkpoint says little. The curve does: the model is pruned at every tenth, fine-tuned each time with the same seed, head and order of
# the data, and compared with itself unpruned. Runs that have a record are read; what is missing is run now, with one seed, and kept, so that asking again costs
# nothing. A method that needs a text reads windows of a named corpus here, not your file, so that its records say what it read.

# %%
records = results(scale).records_of_studies(study, figures.study("fig2", scale).narrowed(tasks=[task]))
needed = [*study.variants[study.main], point]
fresh = interactive.run(interactive.unrecorded(study, records, needed, tasks_to_run), scale)
records |= fresh
curves_of_model = curves(study, records)
asked_points = points.at_pruning(study, records, point, live=fresh)

# %% [markdown]
# Beside it stand the models of [Figure 2](fig2.ipynb) that have records on this task. At lab scale these are `minilm-l6`, with half the blocks of BERT-base and half
# its width; on one task and with one seed, `mpnet-base`, of BERT-base's size and shape; and, on four tasks, `opt-2x128`, a small decoder that was trained here.

# %%
others = replace(figures.study("fig2", scale), variants=study.variants).narrowed(tasks=[task])
other_curves = [curve for curve in curves(others, records) if curve.model != model]
tried = [record for record in summary.used(others, records) if "prunable" in record.metrics]
largest = max(tried, key=lambda record: record.metrics["prunable"]).spec.model if tried else ""
timed = [record for record in tried if record.spec.model == largest]

# %% tags=["remove-input"] mystnb={"figure": {"name": "own-curves", "caption": "Change of the score against the dense model as pruning removes more, after fine-tuning on the task. Thick lines are means over the seeds, thin lines single seeds, bands 95% intervals over seeds and evaluation examples; the dashed line lies \u03b5 below the dense model; the marks at the bottom are essential sparsities with their intervals; the diamond is the sparsity of the checkpoint."}, "image": {"alt": "Change from the dense model in points against the percentage of weights removed, a colour for each model, with interval bands.", "align": "center"}}
curve_plots.draw([*curves_of_model, *other_curves], asked_points, epsilon);

# %% tags=["remove-input"]
curve_plots.table([*curves_of_model, *other_curves], epsilon).style.hide(axis="index")

# %% tags=["remove-input"]
Markdown("\n\n".join(map(points.sentence, asked_points)) or f"Of {model} on {task} there is no record: run it with `live_tasks` set to `{task}`.")

# %% [markdown]
# *Essential sparsity* is where the mean curve, made monotone, first falls by more than ε; brackets are 95% intervals, over the seeds as well where there
# are several, and over the evaluation examples alone where there is one. "≥ 90" is a curve that does not fall so far within the sparsities tried.
#
# **How to read yours.** The small model that this page takes by default has little to lose: two blocks that have read few texts, and its curve never falls
# ([Figure 8](fig8.ipynb) says more). A fully trained model has more to lose, as the curves of `minilm-l6` and `mpnet-base` show: expect of `bert-base-uncased`
# a curve like those two, not like that of `opt-2x128`, which was trained here as well. The paper reports that 30–50% can go from such models. At lab scale a model is fine-tuned on 1,500 examples (one that was
# trained from scratch here on 4,000), in which a pruned model can recover less than in the paper's full fine-tuning.

# %% tags=["remove-input"]
minutes = sum(record.provenance.get("seconds", 0) for record in timed) / 60
device = " and ".join(sorted({record.provenance.get("device", "") for record in timed}))
took = f"The {len(timed)} fine-tunings of {largest} beside it took {minutes:.0f} minutes together ({device}). "
reference = figures.study("fig2", "paper").narrowed(models=["bert-base-uncased"], tasks=["sst2"], seeds=[0])
reference = replace(reference, variants={"one-shot": reference.variants[reference.main]})
Markdown(
    f"**How long it takes.** {took if timed else ''}The paper's own settings are a scale of this notebook: "
    f"`-p model bert-base-uncased -p scale paper -p task sst2 -p live_tasks sst2`. {cost.sentence(reference)}"
)

# %% [markdown]
# ## 8. How much can go, on your own data
#
# One command answers the question for a file of yours: `essparse sweep MODEL --data FILE --out DIR`. It reads CSV, TSV, JSON lines, parquet, plain text, a
# folder of images by class, and data sets of the hub. It prunes the model to coarse levels first, and then to levels between those where your loss is reached.
# It adds seeds until the interval is as narrow as you asked, or says what that would take. Killed at any moment, the same command goes on.
#
# With `-p data FILE` this notebook does so for your file. Without, it takes the made-up sentences of step 6, with little training, to show what is said.

# %% tags=["scroll-output"]
own_data, settings = data or str(Path(temporary.name) / "sentences.csv"), SweepSettings(tolerance=epsilon)
if not data:
    rows = [(text, practice.classes[label]) for part in (splits.train, splits.test) for (text,), label in zip(part.texts, part.labels, strict=True)]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(own_data, index=False)
    settings = replace(settings, epochs=2, learning_rate=1e-3, seeds=2, most_seeds=2, precision=50)
place = Path(f"{out}-sweep") if out else Path(temporary.name) / "sweep"
swept = sweep(model, own_data, place, settings, say=lambda line: print(line.replace(str(place), place.name)))

# %% tags=["remove-input"]
Markdown(f"**{swept.sentence}** {swept.reason[:1].upper()}{swept.reason[1:]}.")

# %% [markdown]
# The folder has `report.html` with the curve and a slider, the pictures, `summary.json` and the records. With `--save` it also gets the model, pruned to the
# lower end of the interval and trained with its mask held. `--epsilon 1%` asks for percent of the dense score, `--precision` for another width of the interval.
# A decoder on a plain text is not trained: what counts then is its perplexity. The interval begins at the largest level at which surely no more is lost than
# you tolerate, and ends at the smallest at which surely more is. `benchmarks/sweep_coverage.py` counts on made-up models how often it holds the truth. [The reference](../book/api-sweeps.md) has the same in Python.

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)
