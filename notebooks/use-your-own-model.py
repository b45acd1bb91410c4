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
# ```{admonition} What you get
# :class: tip
# One command tells how much of your model can go before your own data suffer. A dozen lines of Python prune the model, check the mask, save
# the model and load it again.
# ```
#
# ```python
# from pathlib import Path
#
# from essparse_lib import Recipe, load_model, prune, save_pruned
#
# name = "minilm-l6"  # or an id of the hub, or a folder
# recipe = Recipe(sparsity=0.3)  # the smallest 30% of the blocks' weights
# mask = prune(load_model(name), name, recipe).mask
# print(f"{mask.pruned:,} of {mask.size:,} weights go ({mask.sparsity:.1%})")
#
# save_pruned(name, recipe, Path("pruned"))  # with tokenizer and licence
# again = load_model("pruned")  # or by from_pretrained of transformers
# assert mask.drift(again) == 0  # every removed weight is zero in the file
# ```
#
# The rest of this page says how to choose the 30%, what it costs in memory and disk, and how to train the pruned model.

# %% tags=["remove-input", "setup"]
from importlib.util import find_spec

from IPython import get_ipython

if find_spec("essparse_lib") is None:  # as in Colab
    get_ipython().run_line_magic("pip", "install -q 'essparse[draw] @ git+https://github.com/essential-sparsity/companion'")

# %% tags=["parameters", "hide-input"]
model: str = "minilm-l6"  # or another name here, an id of the hub, a folder
sparsity: float = 0.3  # of the checkpoint: the share of the weights that goes
method: str = "magnitude"  # `essparse prune --help` lists the others
text: str = ""  # for a method that reads a text: the path of one
out: str = ""  # a new folder for the checkpoint; empty: a temporary one
task: str = "movie-reviews"  # of the curve: a task on the page on data
scale: str = "lab"  # of the fine-tuning: "tiny", "lab" or "paper" (Table 1)
data: str = ""  # a file of your own to sweep; empty: show an earlier sweep
live_tasks: str = "first"  # "first": train what has no record; "none": do not
epsilon: float = 1.0  # the tolerated loss, in points

# %% tags=["remove-input"]
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from IPython.display import Markdown, display

from essparse_lib import TENTHS, MaskCallback, Pruning, Recipe, SweepSettings, check_sparsity, curves, figures
from essparse_lib import load_model, load_with_head, mask_from_zeros, prunable_matrices, prunable_weights, prune
from essparse_lib import save_pruned, sweep, tasks
from essparse_lib.figures import choice_plots, fig1, html, parameters, points, style
from essparse_lib.plans import memory
from essparse_lib.records import cost, summary
from essparse_lib.runner import interactive
from essparse_lib.sweeps import kept
from essparse_lib.wording import size_text

parameters.check(globals())
style.apply()
sparsity = check_sparsity(sparsity)
recipe = Recipe(sparsity=sparsity, method=method, text=Path(text) if text else None)
# whose settings and records serve this model: Figure 8 has those that were trained from scratch
home = "fig8" if model in figures.study("fig8", scale).models else "fig2"
study = interactive.checked_study(figures.study(home, scale).narrowed(models=[model], tasks=[task]))
tasks_to_run = parameters.live_tasks(study, live_tasks)
# what a method that reads a text reads for the curve: a corpus that a record can name
corpora = {
    "tiny": {"calibration": "tiny-corpus", "windows": 16, "length": 32},
    "lab": {"calibration": "packaged-english"},
    "paper": {"calibration": "wikipedia"},
}
point, *levels = (Pruning(sparsity=at, method=method, **corpora[scale]) for at in (sparsity, *study.sparsities[1:]))
study = replace(study, variants={"one-shot": tuple(levels)})

# %% [markdown]
# ## 1. Ask your own data
#
# Put your data into a CSV file with a column of texts and a column of labels:
#
# ```text
# text,label
# "A warm and funny film, and well acted.",positive
# "Dull from the first scene to the last.",negative
# ```
#
# One command does the rest. It prunes the model to several sparsities, fine-tunes each on your data with several seeds, and looks closer where
# the loss is reached. Stopped at any moment, the same command goes on.
#
# ```bash
# essparse sweep minilm-l6 --data reviews.csv --out reviews-sweep
# ```
#
# In Python it is one call:
#
# ```python
# from essparse_lib import SweepSettings, sweep
#
# settings = SweepSettings(tolerance=1.0)
# result = sweep("minilm-l6", "reviews.csv", "reviews-sweep", settings)
# print(result.sentence)
# print(f"prune to {result.answer.essential.low:.0%}")
# ```

# %% tags=["remove-input"]
temporary = TemporaryDirectory(ignore_cleanup_errors=True)
if data:
    place = Path(f"{out}-sweep") if out else Path(temporary.name) / "sweep"
    settings = SweepSettings(tolerance=epsilon)
    sweep(model, data, place, settings, say=lambda line: print(line.replace(str(place), place.name)))
    swept = kept.read_summary(place / "summary.json")
    heading = f"**Your data.** {swept.sentence}"
else:
    swept = kept.example()
    heading = (
        f"**What came of it** on sentences from film reviews (`tests/data/{swept.data}`): {swept.sentence}\n\n"
        f"A small test set cannot show a small loss. A first run with 1 point gave an interval too wide to use, "
        f"so this run tolerates {swept.tolerance:g} points. "
        f"Its {swept.records} trainings took {swept.seconds / 60:.0f} minutes on two busy cores. "
        f"{swept.reason[:1].upper()}{swept.reason[1:]}.\n\n```bash\n{swept.command_lines()}\n```"
        if swept
        else "No sweep is kept beside these records: name a file of your own with `data`."
    )
html.paragraphs(heading)

# %% tags=["remove-input"] mystnb={"figure": {"name": "own-sweep", "caption": "What a sweep measured on data of one's own: the change of the score at each sparsity, with its 95% interval. The band marks the sparsity to prune to."}, "image": {"alt": "Change of the score in points against sparsity, an interval at each measured sparsity, a dashed line at the tolerated loss.", "align": "center"}}
choice_plots.draw(swept.losses, swept.tolerance, swept.essential.low or 0.0) if swept else style.note();

# %% [markdown]
# The folder `reviews-sweep` holds `report.html` with the curve and a slider, the pictures, all numbers as `summary.json`, and the records. Useful options:
#
# | option | what it does |
# | --- | --- |
# | `--epsilon 1%` | tolerates 1% of the dense score in place of 1 point |
# | `--save` | saves the model, pruned as far as is safe and trained with its mask held |
# | `--budget 8h` | stops in time, and says what is left |
# | `--text`, `--label` | name the columns, if they are called otherwise |
# | `--jobs 2` | runs two trainings at a time |
#
# Parquet, JSON lines, a folder of images by class, a data set of the hub and plain text work as well. A language model on plain text is not
# trained: its perplexity is measured. `-p data FILE` runs a sweep in this notebook.
# [The reference](../book/api-sweeps.md) has all settings.
#
# ## 2. Choose a sparsity
#
# **The rule.** Take the largest measured sparsity at which the whole 95% interval of the loss lies at or below ε, the loss that you tolerate.
# `choose_sparsity` applies the rule to a curve, and `essparse sweep` applies it to your data.

# %% tags=["remove-input"]
every_task = figures.study(home, scale)
every_task = replace(every_task.narrowed(models=[model]) if model in every_task.models else study, variants=study.variants)
records = figures.records(study, every_task)
fresh = interactive.run_for(study, records, interactive.unrecorded(study, records, [*levels, point], tasks_to_run))
records |= fresh

# %%
from essparse_lib import choose_sparsity

curves_of_model = curves(study, records)
for curve in curves_of_model:
    choice = choose_sparsity(curve, epsilon)
    print(f"{curve.model} on {curve.task}: prune to {choice.sparsity:.0%}")

# %% tags=["remove-input"] mystnb={"figure": {"name": "own-choice", "caption": "How the rule reads a curve: the change of the score at each sparsity, with its 95% interval. The rule takes the largest sparsity whose whole interval lies above the dashed line."}, "image": {"alt": "Change of the score in points against sparsity. Intervals are coloured by whether they lie above, across or below the dashed line.", "align": "center"}}
choice_plots.draw_curve(curves_of_model[0], epsilon) if curves_of_model else style.note();

# %% tags=["remove-input"]
asked = points.at_pruning(study, records, point, live=fresh)
said = [choice_plots.sentence(curve, epsilon) for curve in curves_of_model] + [points.sentence(each) for each in asked]
html.paragraphs("\n\n".join(said) or f"Of {model} on {task} there is no record: run it with `live_tasks` set to `{task}`.")

# %% [markdown]
# **Why not the mean?** The mean loss reaches ε at a larger sparsity, the *essential sparsity*. At that sparsity the true loss is as likely
# above ε as below it. The interval says how far the seeds and the test examples may have misled the mean.
#
# The answer differs from task to task:

# %% tags=["remove-input"]
choice_plots.table(curves(every_task, records), epsilon).style.hide(axis="index")

# %% [markdown]
# **If the curve never falls**, the model has nothing to lose on this task within the sparsities measured. The chosen sparsity is then a
# lower bound. Measure larger sparsities, or take a harder task before you trust it.
#
# **If the task was not learned**, a small loss means nothing: a model that guesses cannot get worse. Train the dense model until it beats
# the commonest class with its whole interval. Then prune.
#
# **If no sparsity is safe**, the intervals are too wide or the task needs all weights. More seeds and more test examples narrow the intervals.
# `essparse sweep` says how many would do.
#
# ## 3. Memory and disk
#
# Pruning saves neither memory nor disk by itself: a zero is stored like any other number. This is what a model of each size takes:

# %%
sizes = (100_000_000, 350_000_000, 1_300_000_000, 7_000_000_000)
memory.table(sizes, sparsity).style.hide(axis="index")

# %% [markdown]
# The assumptions:
#
# - *Prune* holds the weights in bf16 and the mask, one byte a weight. Ranking the weights by magnitude takes little more.
# - *Fine-tune* holds weights, gradients and the two moments of AdamW, each in fp32, and the mask. Activations come on top. They grow with the batch
#   and the length of the texts.
# - *File* is the saved model. It is as large as before the pruning.
# - *Compressed* is `essparse prune --compressed` in bf16: the weights that stay, and one bit for each weight. It saves disk, not memory: the model is
#   unpacked when it is loaded.
# - Every weight counts as prunable. Embeddings and heads are not, so that a real model compresses a little less.
#
# ## 4. Prune, step by step

# %% tags=["remove-input"]
at_hand = interactive.model_at_hand(model)
if at_hand != model:
    shown = f"From here on the page shows {at_hand}, a small model that comes with this book."
    how = f"`essparse stats {model}` fetches them; then this notebook takes {model}."
    display(Markdown(f"The weights of {model} are not on this machine. {shown} {how}"))

# %% [markdown]
# **Load the model.** `AutoModel.from_pretrained` of transformers does as well: what follows takes any PyTorch module made of
# transformer blocks.

# %%
network = load_model(at_hand)
matrices = prunable_matrices(network)
print(type(network).__name__, f"{network.num_parameters():,} parameters")

# %% tags=["remove-input"]
total = sum(m.weight.numel() for m in matrices.values())
Markdown(
    f"**What can be pruned.** {total:,} weights in {len(matrices)} matrices of the blocks, {total / network.num_parameters():.0%} of all parameters. "
    "Embeddings, biases, norms and heads stay. So does whatever a rule leaves dense; saving says how much that is. "
    "A matrix that is stored in an unknown way is an error that names it."
)

# %% [markdown]
# **Prune.** `prune` returns a mask and leaves the model alone. Each column is one sparsity over all matrices together. A row above it loses
# more than its share, since it has more small weights.

# %%
gone_at = {}
for at in sorted({*TENTHS[1:], sparsity} - {0.0}):
    mask = prune(network, at_hand, replace(recipe, sparsity=at)).mask
    counts = mask.count(lambda name: matrices[name].component)
    gone = {part: f"{count.sparsity:.0%}" for part, count in counts.items()}
    gone_at[f"{at:.4g}"] = gone

# %% tags=["remove-input"]
columns = sorted({"0.1", f"{sparsity:.4g}", "0.5", "0.7", "0.9"} & set(gone_at), key=float)
pd.DataFrame(gone_at)[columns]

# %% tags=["remove-input"]
mask = prune(network, at_hand, recipe).mask if sparsity else mask_from_zeros(prunable_weights(network))
removed = mask.count(str)
shares = [{"depth": m.depth, "component": m.component, **vars(removed[name])} for name, m in matrices.items()]

# %% tags=["remove-input"] mystnb={"figure": {"name": "own-shares", "caption": "The percentage of each matrix that goes at the sparsity of the checkpoint, by component and block. The dashed line is the percentage over all matrices."}, "image": {"alt": "A line for each component: the percentage of its weights that is removed, against the number of the block.", "align": "center"}}
fig1.draw_shares(shares);

# %% [markdown]
# **Save the model, and load it again.** The folder holds the pruned model, all files beside its weights as they were, and `essparse.json`, which says what
# was done. `essparse prune MODEL --sparsity 0.3 --out DIR` does the same.

# %%
folder = Path(out) if out else Path(temporary.name) / "pruned"
message = save_pruned(at_hand, recipe, folder)
print(message.removeprefix(f"{folder}: "))

again = load_model(str(folder))
in_file = mask_from_zeros(prunable_weights(again))
pairs = [(in_file.keep[name], stays) for name, stays in mask.keep.items()]
unlike = sum(int((read != stays).sum()) for read, stays in pairs)
print(f"{in_file.pruned:,} of {in_file.size:,} weights are zero;", end=" ")
print(f"places where mask and file differ: {unlike}")

# %% tags=["remove-input", "hide-output"]
print((folder / "essparse.json").read_text())

# %% tags=["remove-input"]
on_disk = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
html.paragraphs(f"The weights take {size_text(on_disk)} on disk, as the dense model's do: {size_text(again.num_parameters() * again.dtype.itemsize)}.")

# %% [markdown]
# ## 5. Fine-tune with the `Trainer`, the mask held
#
# An optimiser fills zeros again. `MaskCallback` sets the removed weights to zero after every step, also with several processes, mixed precision or
# from a checkpoint on. The data are a CSV file as in step 1, here of made-up sentences.

# %% tags=["remove-input"]
practice = tasks.get("tiny-sentiment")
splits = practice.splits()
rows = zip((text for (text,) in splits.train.texts), (practice.classes[label] for label in splits.train.labels), strict=True)
csv = Path(temporary.name) / "sentences.csv"
pd.DataFrame(rows, columns=["text", "label"]).to_csv(csv, index=False)
learning_rate = study.trial(model, task, Pruning(), seed=0).training.learning_rate
checkpoints, trained = Path(temporary.name) / "checkpoints", Path(temporary.name) / "trained"

# %%
from transformers import AutoTokenizer, Trainer, TrainingArguments

sentences = pd.read_csv(csv)
classes = sorted(sentences["label"].unique())
tokenizer = AutoTokenizer.from_pretrained(folder)
tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token


def encode(row):
    tokens = tokenizer(row.text, truncation=True, max_length=32)
    return {**tokens, "labels": classes.index(row.label)}


examples = [encode(row) for row in sentences.itertuples()]
head = "sequence-classification"
classifier = load_with_head(str(folder), head, len(classes), seed=0)
held = mask_from_zeros(prunable_weights(classifier))
arguments = TrainingArguments(
    str(checkpoints), max_steps=20, learning_rate=learning_rate,
    save_strategy="no", report_to="none", disable_tqdm=True,
    dataloader_pin_memory=False,
)
trainer = Trainer(
    classifier, arguments, train_dataset=examples,
    processing_class=tokenizer, callbacks=[MaskCallback(held)],
)
trainer.train()
trainer.save_model(str(trained))

# %%
in_memory = held.drift(classifier)
in_file = held.drift(load_model(str(trained)))
print(f"{held.pruned:,} weights were gone before;", end=" ")
print(f"{in_memory} have come back in the training,", end=" ")
print(f"{in_file} in the saved file")

# %% [markdown]
# In a training loop of your own one line does the same:
#
# ```python
# with mask.held(model, optimizer):  # applied now, and after every step
#     train(model, optimizer)
# ```
#
# ## More
#
# - `essparse prune --help` lists Wanda, SparseGPT and patterns such as 2:4. `--include '*.mlp.*'` and `--exclude` choose a part of the blocks.
# - [Which architectures](../book/architectures.md) were tried has a page of its own. For models of images see [Figure 3](fig3.ipynb).
# - Do you come from another tool? [Here are its calls beside ours](../book/coming-from.md).
# - `papermill notebooks/use-your-own-model.ipynb out.ipynb -p model bert-base-uncased` does all of this page to BERT-base.

# %% tags=["remove-input"]
tried = summary.used(study, records)
minutes = sum(record.provenance.get("seconds", 0) for record in tried) / 60
devices = " and ".join(sorted({record.provenance.get("device", "") for record in tried}))
took = f"The {len(tried)} fine-tunings of {model} on {task} took {minutes:.0f} minutes together ({devices}). "
reference = figures.study("fig2", "paper").narrowed(models=["bert-base-uncased"], tasks=["sst2"], seeds=[0])
reference = replace(reference, variants={"one-shot": reference.variants[reference.main]})
Markdown(
    f"**How long a curve takes.** {took if tried else ''}The paper's own settings are a scale of this notebook: "
    f"`-p model bert-base-uncased -p scale paper -p task sst2 -p live_tasks sst2`. {cost.sentence(reference)}"
)

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)
