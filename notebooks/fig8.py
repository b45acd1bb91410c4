# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure 8: zero weights during pre-training
#
# **Question.** Do weights become zero all at once while a model is pre-trained, and does more text to train on give a model with more zeros, that
# can be pruned further?

# %% tags=["remove-input", "setup"]
from importlib.util import find_spec

from IPython import get_ipython

if find_spec("essparse_lib") is None:  # as in Colab
    get_ipython().run_line_magic("pip", "install -q 'essparse[draw] @ git+https://github.com/essential-sparsity/companion'")

# %% tags=["parameters", "hide-input"]
sparsity: float = 0.4  # the point to name and to mark
tasks: str = "all"  # the tasks, such as "sst2"; "all": those of the scale
scale: str = "lab"  # "tiny", "lab" or "paper"
seeds: str = "all"  # the seeds of the fine-tuning, such as "0,1"
checkpoints: str = "trained"  # whose weights are watched: "trained" here, or "multiberts" of the hub

# %% tags=["hide-input"]
from IPython.display import Markdown

from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.errors import check_sparsity
from essparse_lib.figures import fig8, fig8_rates, fig8_tables, findings, panel_chart, panels, parameters, prunability_plots, style
from essparse_lib.records import cost, summary
from essparse_lib.analysis import curves, prunability, series, text_effects
from essparse_lib.claims import c08_zeros_jump, c09_more_text, prunability_clauses

parameters.check(globals())
style.apply()
sparsity = check_sparsity(sparsity)
study = interactive.checked_study(parameters.narrowed(figures.study("fig8", scale), "all", tasks, seeds, live=False))

# %% tags=["hide-input"]
records = figures.records(study)
records |= interactive.run(interactive.unrecorded(study, records, [], []), scale)
watched, watched_records = (study, records) if checkpoints == "trained" else (fig8.MULTIBERTS, figures.records(fig8.MULTIBERTS))
trained = series.series(study, records)
runs = trained if watched is study else series.series(watched, watched_records)
jumps = series.jumps(runs)
all_curves = curves.curves(study, records)
scores = text_effects.score_effects(study, all_curves)
abrupt = c08_zeros_jump.judge(watched, watched_records)
volume = c09_more_text.judge(study, records, all_curves)

# %% tags=["remove-input", "finding"]
findings.box(abrupt, volume)

# %% [markdown]
# ## Zero weights

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig8-zeros", "caption": "Zero weights, in percent of the block matrices' weights, against pre-training steps: a panel for each reading of zero by which there are any, a line for each pre-training. Triangles, if any, mark abrupt jumps; grey bands, if any, are where the paper saw its jumps, as a share of its run. Steps are spread by their square root. Each panel has its own vertical scale."}, "image": {"alt": "A panel for each reading of zero: the percentage of weights that count as zero against pre-training steps, a line for each pre-training.", "align": "center"}}
fig8.draw_zeros(watched, runs, jumps);

# %% [markdown]
# By every reading of zero, in percent of the weights:

# %% tags=["remove-input"]
panel_chart.show(fig8.panel(runs))

# %% tags=["remove-input"]
Markdown(fig8_tables.nowhere(runs))

# %% tags=["remove-input"]
fig8_tables.jump_table(runs, jumps).style.hide(axis="index")

# %% [markdown]
# An arrow is an abrupt jump, and between which steps it lies. Elsewhere stand the clearest jump that there is, as a share of all that the count
# ranges over, and the probability *p* that chance alone brings one as clear. A jump is abrupt if *p* is below 5% and the share is a fifth or more: the
# count changes within at most 2% of the run by more than its course before and after explains. It cannot be told within the first two and
# the last two looks.

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. Five BERT-base are trained from scratch for 50,000 steps on 100, 90, 80, 70 and 60% of a corpus. The
# number of zero weights jumps, at 22,000–25,000 steps with 80% of the data and more, at about 40,000 with less (claim C8). More data gives more zeros,
# better scores at every sparsity, and better dense scores (C9). When a weight counts as zero is not stated; the authors' code compares with 0. Each
# curve is one run.
#
# **What is done here.** A BERT is trained from random weights on each part of a corpus, for the same number of steps; on the largest and on the smallest
# part with two seeds, since without a second run nobody can tell what the text does from what chance does. Every hundredth part of the run, and more
# often at its beginning, the zero weights are counted by every reading: exact zeros, zeros after a cast to fp16 or bf16, weights below a threshold,
# and weights below a share of the standard deviation (sd) of their matrix. Then each model is pruned and fine-tuned as in [Figure 2](fig2.ipynb).

# %% tags=["remove-input"]
Markdown("\n\n".join(dict.fromkeys((summary.missing(study, records), summary.missing(watched, watched_records)))))

# %% [markdown]
# ## The pre-trainings

# %% tags=["remove-input"]
fig8_tables.run_table(study, records).style.hide(axis="index")

# %% [markdown]
# *Passes* are how often each text of the part is read. All models read the same number of tokens: less text means that it is read more often.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig8-losses", "caption": "Cross-entropy on text that no model is trained on, and on the text that each is trained on (mean of the steps since the look before). The dashed line is what knowing the tokens' frequencies alone would give. Steps are spread by their square root."}, "image": {"alt": "Two panels of loss against steps, on held-out text and on training text, a line for each pre-training, beside a dashed line.", "align": "center"}}
fig8.draw_losses(study, trained, records);

# %% tags=["remove-input"]
Markdown(fig8_tables.learned(study, trained))

# %% [markdown]
# ## What else the weights do

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig8-weights", "caption": "Left: effective sparsity, the largest share of the weights that can go and leave 99% of the sum of squares, which needs no threshold. Right: Euclidean norm of each component's matrices as a multiple of the first; lines are means over the pre-trainings, bands their range."}, "image": {"alt": "Two panels against steps: effective sparsity with a line for each pre-training, and the norm of each component relative to its first.", "align": "center"}}
fig8.draw_weights(runs);

# %% [markdown]
# A count below a fixed threshold falls when all weights grow and rises when they shrink, though magnitude pruning, which ranks them, would remove the
# same ones. A count against the matrix's own standard deviation changes with the shape of the distribution alone.

# %% [markdown]
# ## Scores against sparsity

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig8-scores", "caption": "Score after one-shot pruning and fine-tuning, against sparsity, for models that were pre-trained on parts of the text; means over the seeds of the fine-tuning. The first panel, if any dense model has learned a task, is the mean over these tasks; the vertical line is the point asked for, the dotted one always saying the commonest class. Each panel has its own vertical scale."}, "image": {"alt": "The score against the percentage of weights removed, a panel for the mean over the tasks and for each task, a line for each pre-trained model.", "align": "center"}}
fig8.draw_scores(study, all_curves, sparsity);

# %% tags=["remove-input"]
panel = panels.of_curves(
    {task: [curve for curve in all_curves if curve.task == task] for task in study.tasks},
    "A line for each pre-trained model and task: its change from the dense model against the share of the weights removed.",
    name_of=lambda curve: curve.model,
    legends=("Models", "Tasks"),
    shown=study.tasks[:1],
    start=100 * sparsity,
)
panel_chart.show(panel)

# %% tags=["remove-input"]
at_sparsity = {level: effect for level, effect in scores.items() if abs(level - sparsity) < 1e-9}
Markdown(
    f"At a sparsity of {sparsity:g} the models of the most text score {at_sparsity[sparsity].difference.text()} points above those of the least."
    if at_sparsity
    else f"There are no complete scores at a sparsity of {sparsity:g}."
)

# %% tags=["remove-input"]
fig8_tables.effect_table(study, scores, "sparsity", 1).style.hide(axis="index")

# %% tags=["remove-input"]
Markdown(fig8_tables.cost_of_pruning(scores))

# %% [markdown]
# Means over the tasks that some dense model has learned. *Difference* is what a straight line through all pre-trainings changes by from the least text to the most, with its 95% interval over
# pre-trainings; *trend* is the rank correlation with the part of the text over all models.

# %% [markdown]
# ## The learning rate of the smallest models
#
# Models that gain from pruning cannot show which of them can be pruned further. Is that the learning rate's doing? One model is fine-tuned at others, half, two and four times as large, on two tasks, dense and at the last sparsity. What its answer means was
# [written down](../book/methods.md) before it was run: the best rate is that of the highest dense scores, and if the model has something to lose there, the scores of C9 are run again at this rate.

# %% tags=["remove-input"]
Markdown(fig8_rates.answer(study, records))

# %% tags=["remove-input"]
fig8_rates.table(study, records).style.hide(axis="index")

# %% [markdown]
# The first row is the rate of the study. Rates that lack records are not in the table.

# %% [markdown]
# ## Dense scores

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig8-dense", "caption": "Score without pruning against the part of the text that the model was pre-trained on, a point for each pre-trained model; bars are 95% intervals over the seeds of its fine-tuning and the evaluation examples, and leave out what another pre-training would give. The dotted line is always saying the commonest class. Each panel has its own vertical scale."}, "image": {"alt": "A panel for each task: the dense score with error bars against the percentage of the text used for pre-training.", "align": "center"}}
fig8.draw_dense(study, all_curves);

# %% [markdown]
# ## Zeros at the end
#
# In percent of the weights, when the pre-training is over.

# %% tags=["remove-input"]
fig8_tables.effect_table(study, text_effects.zero_effects(study, trained), "zero if", 3).style.hide(axis="index")

# %% [markdown]
# ## Verdicts

# %% tags=["remove-input"]
Markdown(abrupt.text)

# %% tags=["remove-input"]
Markdown(volume.text)

# %% [markdown]
# By one reading C8 *agrees* if the count rises abruptly in every pre-training, *differs* if it does so in none, and is *inconclusive* otherwise (the last column
# of the table above). The verdict *agrees* if some reading does, and *differs* if none leaves it open.
#
# C9 rests on a straight line through all pre-trainings, for three quantities: zeros below a hundredth of the matrix's standard deviation, the dense score, and the mean of the scores over the sparsities. Two runs a side would say too
# little for a test of the two ends. The smallest effects that would matter are 1% of the zeros and one point. A quantity *agrees* if the interval of what its line changes by lies above 0 and reaches that effect; it *differs* if it lies below that effect,
# tested at 2.5% with Holm's adjustment for the three. C9 *agrees* if all three do, *differs* if one does, and is *inconclusive* otherwise. Where the text has just these effects, chance makes it differ in fewer than 5 of 100 simulated studies (`tests/test_emergence.py`).
# The mean over the sparsities counts only the tasks on which every pre-training's curve loses more than a point at the last sparsity, by its whole interval: a model that loses nothing cannot show how well it prunes. Where there is no such task,
# this part of the claim is not tested.
#
# **What this scale can and cannot say.** It can say whether the zeros of models this small jump while they are trained so, reading by reading, looked at
# a hundred times in a run several times as long as what they take to learn more than which words go together; and whether more text shows in zeros and scores beyond what
# another seed does. It cannot say what a model of a hundred times the size does on a corpus that it never reads twice, nor what happens after more steps than
# were taken; and of effects that are smaller than the difference between two seeds, it can say nothing.
#
# **What would change our mind.** More pre-trainings on each part: seven show a difference only if it is larger than what another seed does, and of two seeds one may end in a worse place than the other. A larger model, trained longer: the paper's BERT-base on its corpus is the `paper` scale of this notebook. And the weights of others:
# the MultiBERTs {cite:p}`sellam2022multiberts` are BERT-base trained for two million steps, whose checkpoints are on the hub;
# `-p checkpoints multiberts` draws the zeros from them. They lie 20,000 steps apart at first, and a jump in the
# first 40,000 cannot be told there.

# %% [markdown]
# ## How prunability emerges
#
# Here nothing is fine-tuned: at ten points of its pre-training, each model loses its smallest weights, in steps of 5%, and is asked for the same hidden tokens of text that it
# is never trained on. What is reported is the sparsity at which this loss is 1% above that of the whole model. The number is exact for this text.

# %% tags=["remove-input"]
loss_curves = prunability.loss_curves(study, records)
styles = fig8.line_styles(series.text_pretrainings(study))
Markdown(prunability_plots.unmeasured(study, records, "held-out-loss"))

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig8-emergence", "caption": "How prunability emerges. Left: the sparsity at which the held-out loss, after one-shot pruning and without fine-tuning, is 1% above that of the whole model, against the pre-training steps. Right: how much half of the weights hold of what was learned since the first step, in percent of the fall of the loss since then. A line is a pre-training, a point a snapshot. Models that lose less than 1% at any sparsity have nothing to lose, and no point. Steps are spread by their square root."}, "image": {"alt": "Two panels against pre-training steps: the sparsity at which the loss rises by 1%, and the share of what was learned that is lost at half the weights; a line for each pre-training.", "align": "center"}}
prunability_plots.draw_emergence(study, loss_curves, styles);

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig8-pruned-loss", "caption": "Rise of the held-out loss of the trained models against sparsity, in percent of the whole model's loss; the dashed line is 1%. The vertical scale is linear up to there, and logarithmic above."}, "image": {"alt": "The rise of the held-out loss in percent against the percentage of weights removed, a line for each pre-trained model.", "align": "center"}}
prunability_plots.draw_losses(study, loss_curves, styles);

# %% tags=["remove-input"]
prunability_plots.loss_table(study, loss_curves).style.hide(axis="index")

# %% tags=["remove-input"]
Markdown(f"Beside C9, and deciding nothing: {prunability_clauses.held_out_loss(study, records).clause.text}.")

# %% [markdown]
# In the left panel a fall is to be expected whatever the weights do: a model that has learned nothing has nothing to lose, and 1% of a smaller loss is less. The right panel measures the loss against what
# was learned, and is free of this. [Methods](#prunability-without-fine-tuning) says when this is measured.

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)

# %% [markdown]
# To run it again: `essparse run fig8`, then `papermill notebooks/fig8.ipynb out.ipynb -p sparsity 0.4`. For the MultiBERTs:
# `essparse run fig8 --checkpoints multiberts`.

# %% tags=["remove-input"]
paper = figures.study("fig8", "paper")
first = paper.pretrainings()[0]
Markdown(f"{cost.sentence(paper)} Among them are {len(paper.pretrainings())} pre-trainings of {first.steps:,} steps of {first.batch_size} × {first.length} tokens.")

# %% tags=["remove-cell"]
parameters.glue_verdict(abrupt)
parameters.glue_verdict(volume)
