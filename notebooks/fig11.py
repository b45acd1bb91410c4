# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure 11: a language model without fine-tuning
#
# **Question.** A language model is pruned, asked questions, and not trained again. How many of its weights can go until its answers get
# worse, and does SparseGPT, which lets the weights that stay make up for those that go, allow more than magnitude?

# %% tags=["remove-input", "setup"]
from importlib.util import find_spec

from IPython import get_ipython

if find_spec("essparse_lib") is None:  # as in Colab
    get_ipython().run_line_magic("pip", "install -q 'essparse[draw,llm] @ git+https://github.com/essential-sparsity/companion'")

# %% tags=["parameters", "hide-input"]
sparsity: float = 0.3  # the point to name and to mark; run live if it has no record
method: str = "magnitude"  # how that point is pruned: "magnitude", "SparseGPT", "Wanda", "random" or "magnitude by matrix"
model: str = "all"  # the models, such as "smollm2-135m"; "all": those of the scale
tasks: str = "all"  # the tasks, such as "blimp,arc-easy"; "all": those of the scale
scale: str = "lab"  # "tiny", "lab" or "paper"
seeds: str = "all"  # the seeds, such as "0,1"
live_tasks: str = "first"  # where the point is run if it has no record: "first", "none", "all", or names
epsilon: float = 1.0  # the tolerated loss, in points

# %% tags=["hide-input"]
from IPython.display import Markdown

from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.errors import check_sparsity
from essparse_lib.figures import fig11, fig11_plots, fig11_tables, findings, forest_plots, panel_chart, panels, parameters, points, style
from essparse_lib.analysis import curves, grouped
from essparse_lib.records import cost, summary
from essparse_lib.claims import c12_without_fine_tuning

parameters.check(globals())
style.apply()
study = interactive.checked_study(parameters.narrowed(figures.study("fig11", scale), model, tasks, seeds))
asked = fig11.pruning_at(study, method, check_sparsity(sparsity))
tasks_to_run = parameters.live_tasks(study, live_tasks)

# %% tags=["hide-input"]
records = figures.records(study)
fresh = interactive.run(interactive.unrecorded(study, records, [asked], tasks_to_run), scale)
records |= fresh
variants = {variant: curves.curves(study, records, variant) for variant in study.variants}
asked_points = points.at_pruning(study, records, asked, live=fresh, variant=method)
both = variants[fig11.MAGNITUDE], variants[fig11.SPARSEGPT]
verdict = c12_without_fine_tuning.judge(study, *both)

# %% tags=["remove-input", "finding"]
findings.box(verdict)

# %% [markdown]
# ## The curves
#
# The figures show the first model. The panel and the tables show all.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig11-curves", "caption": "Change of the accuracy against the dense model as more weights go, with no training to follow: magnitude and SparseGPT with 95% intervals over questions and calibration texts; other ways to prune thin, N:M patterns as markers. The grey dashed line lies \u03b5 below the dense model, the dotted one is guessing; marks at the bottom are essential sparsities with their intervals; the diamond is the point asked for."}, "image": {"alt": "A panel for each task: the change in points against the percentage of weights removed; magnitude falls first, SparseGPT later.", "align": "center"}}
fig11_plots.draw(variants, asked_points, epsilon, model=study.models[0]);

# %% tags=["remove-input"]
kinds = panels.by_model_and_variant({name: group for name, group in variants.items() if name not in fig11.PATTERNS})
panel = panels.of_curves(
    kinds,
    "A line for each task and way to prune: the change from the dense model against the share of the weights removed.",
    shown=[kind for kind in kinds if kind.endswith((fig11.MAGNITUDE, fig11.SPARSEGPT))],
    start=100 * asked.sparsity,
)
panel_chart.show(panel)

# %% [markdown]
# ## At the sparsity asked for

# %% tags=["remove-input"]
nothing = f"Nothing has been run at a sparsity of {asked.sparsity:g}: name a task in `live_tasks` to run it."
Markdown("\n\n".join(map(points.sentence, asked_points)) or nothing)

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. Essential sparsity holds for Vicuna-7B {cite:p}`zheng2023judging` on MMLU
# {cite:p}`hendrycks2021measuring`, by its groups of subjects, and SparseGPT {cite:p}`frantar2023sparsegpt` extends the range (claim C12). It is the
# only experiment of the paper that is "without re-training", as its abstract has it. The values of the curves are not in its text. Later work by some of the same authors
# {cite:p}`jaiswal2024compressing` finds that such models lose knowledge at 25–30% already, and fail under N:M patterns.
#
# **What is done here.** The weights of the blocks are removed, by magnitude over one threshold, or by SparseGPT, which reads some text. Then the model
# is asked: of a question's choices it gives the one that it finds most probable, as `lm-eval` {cite:p}`gao2024framework` has it. At lab scale the model is `smollm2-135m`
# {cite:p}`allal2025smollm2`, a decoder of Llama's kin, and tasks are chosen that a model of this size has learned. Its weights are to be had in 4 bits alone, and are turned back into floats. At most
# 16 values occur in each run of 32 weights. So the quantisation has a part in which weights are the smallest.

# %% tags=["remove-input"]
Markdown(summary.missing(study, records))

# %% [markdown]
# ## How much can go
#
# Essential sparsity in percent of the weights, by task and way to prune.

# %% tags=["remove-input"]
fig11_tables.essential_table(variants, epsilon).style.hide(axis="index")

# %% tags=["remove-input"]
sentences = (fig11_tables.guessed(variants), fig11_tables.cut_contexts(study, records), fig11_tables.held_out(study, records))
Markdown(" ".join(filter(None, sentences)))

# %% [markdown]
# **What SparseGPT adds.** The two essential sparsities of each task, paired by question.

# %% tags=["remove-input"]
pairs, _ = c12_without_fine_tuning.pairs(study, *both)
fig11_tables.shift_table(pairs).style.hide(axis="index")

# %% [markdown]
# **Patterns.** The drop in points with half of the weights gone: where a pattern says which of each M inputs may stay, and without one.

# %% tags=["remove-input"]
fig11_tables.pattern_table(variants).style.hide(axis="index")

# %% [markdown]
# ## Group by group

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig11-groups", "caption": "The same for each group of questions, of the tasks that the dense model has learned: BLiMP's fields of grammar, MMLU's groups of subjects. Lines and marks are those of the first figure."}, "image": {"alt": "A panel for each group of questions: the change in points against the percentage of weights removed, for magnitude and SparseGPT.", "align": "center"}}
by_group = {variant: grouped.group_curves(study, records, variant) for variant in (fig11.MAGNITUDE, fig11.SPARSEGPT)}
fig11_plots.draw({name: [curve for curve in group if curve.learned()] for name, group in by_group.items()}, (), epsilon, model=study.models[0]);

# %% [markdown]
# ## Below the answers: log-probabilities
#
# Accuracy hits the floor of guessing, and an answer may stay right by a hair. The log-probability of the right answer has no floor.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig11-nats", "caption": "Change of the mean log-probability of the right answer in nats, and of a token of running text, against the dense model. Bands are 95% intervals."}, "image": {"alt": "A panel for each task: the change in nats against the percentage of weights removed, falling from the first sparsities on.", "align": "center"}}
in_nats = fig11_tables.in_nats(study, records)
fig11_plots.draw(in_nats, model=study.models[0]);

# %% [markdown]
# **Perplexity** of running text, with its 95% interval over texts.

# %% tags=["remove-input"]
fig11_tables.perplexity_table(in_nats).style.hide(axis="index")

# %% [markdown]
# **The token before a sentence.** A sentence of BLiMP has nothing before it, and a model must be given a token to begin with. Which one is a choice:
# the control takes another than the tokenizer's own.

# %% tags=["remove-input"]
fig11_tables.prefix_table(study, records).style.hide(axis="index")

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
Markdown(verdict.text)

# %% [markdown]
# C12 has two clauses, and its verdict is the less favourable one. *It holds* if the mean drop with 30% of the weights gone by magnitude, over the tasks that
# count, lies at or below one point by its whole 95% interval, and does not if it lies above. *SparseGPT extends the range* if the essential sparsity by SparseGPT less that
# by magnitude, paired by question and averaged over the same tasks, lies above 0 by its whole interval, and does not if it lies at or below 0. A task counts if the dense model scores above guessing, and has something to lose
# ([Methods](#verdict-rules)). The rule was written before the first record. Whether language outlasts knowledge is told beside it, and not judged.
#
# **What would change our mind.** The paper's model (the `paper` scale of this notebook): one of 7 billion weights may have more to spare than one of 135 million. And weights that were
# never quantised.
#
# **What is chosen.** The paper names neither Vicuna's version nor prompt, shots, threshold or SparseGPT's text. The `paper` scale follows LLM-KICK, by the same
# first author: `vicuna-7b-v1.3`, five shots, Hendrycks' prompt and groups, magnitude by a threshold for each matrix; SparseGPT reads 128 windows of 2,048 tokens of C4. Where a prompt with five shots is too long for the model,
# LLM-KICK shows fewer; here the prompt loses its beginning, as in `lm-eval`, and the page says how often.
# LLM-KICK compares the one token that a model would write; here the four letters are compared.

# %% [markdown]
# ## Task by task
#
# A row is a task; [How to read this book](../book/how-to-read.md) explains the marks.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig11-forest", "caption": "The drop on each task with 30% of the weights gone by magnitude, with its 95% interval, and the tolerated loss as a broken line. Hollow grey circles do not count, for the reason in their row. The diamond is the mean of those that count, which the verdict rests on; the thick bar is where the drop on a new task is expected."}, "image": {"alt": "A row for each task: a dot with a horizontal bar; below them a diamond for the mean and a thick bar for a new task; a vertical broken line at one point.", "align": "center"}}
forest_plots.draw(c12_without_fine_tuning.pools(study, *both));

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)

# %% [markdown]
# To run it again: `essparse run fig11`, then `papermill notebooks/fig11.ipynb out.ipynb -p sparsity 0.45 -p method SparseGPT`. A decoder of your own is asked by `essparse evaluate MODEL`.

# %% tags=["remove-input"]
paper = figures.study("fig11", "paper")
Markdown(f"{cost.sentence(paper)} In 16 bits Vicuna's weights take 13 GB: one GPU of 24 GB will do.")

# %% tags=["remove-cell"]
parameters.glue_verdict(verdict)
