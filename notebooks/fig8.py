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
# **Question.** Do many weights become zero at once during pre-training? Does more pre-training text give a model with more zeros that can be pruned further?

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
from essparse_lib.figures import fig8, fig8_rates, fig8_scores, fig8_tables, findings, html, panel_chart, parameters, prunability_plots, style, tables
from essparse_lib.records import cost, summary
from essparse_lib.analysis import curves, prunability, series, text_effects
from essparse_lib.claims import c08_zeros_jump, c09_more_text, prunability_clauses

parameters.check(globals())
style.apply()
sparsity = check_sparsity(sparsity)
study = interactive.checked_study(parameters.narrowed(figures.study("fig8", scale), "all", tasks, seeds, live=False))

# %% tags=["hide-input"]
records = figures.records(study)
records |= interactive.run_for(study, records, interactive.unrecorded(study, records, [], []))
watched, watched_records = (study, records) if checkpoints == "trained" else (fig8.MULTIBERTS, figures.records(fig8.MULTIBERTS))
trained = series.series(study, records)
runs = trained if watched is study else series.series(watched, watched_records)
jumps = series.jumps(runs)
all_curves = curves.curves(study, records)
scores = text_effects.score_effects(study, all_curves)
abrupt = c08_zeros_jump.judge(watched, watched_records)
volume = c09_more_text.judge(study, records, all_curves)

# %% tags=["remove-input", "finding"]
findings.box(abrupt, volume, words=fig8_tables.seen(runs, jumps))

# %% [markdown]
# ## Zero weights

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig8-zeros", "caption": "Zero weights against pre-training steps, in percent of the blocks' weights: a panel for each reading of zero, a line for each pre-training. Grey bands: where the paper saw jumps, as a share of its run. Triangles: abrupt jumps here."}, "image": {"alt": "A panel for each reading of zero: the percentage of weights that count as zero against pre-training steps, a line for each pre-training.", "align": "center"}}
fig8.draw_zeros(watched, runs, jumps);

# %% [markdown]
# The panel has every reading of zero, in percent of the weights. Steps are drawn on a square-root scale.

# %% tags=["remove-input"]
panel_chart.show(fig8.panel(runs))

# %% tags=["remove-input"]
html.paragraphs(fig8_tables.nowhere(runs))

# %% tags=["remove-input"]
tables.show(fig8_tables.jump_table(runs, jumps), collapsed="Jumps by every reading of zero")

# %% [markdown]
# A jump is *abrupt* if the count changes within at most 2% of the run by at least a fifth of its whole range, and chance alone brings such a jump in fewer than 5% of cases.
# A run has *enough zeros* if a jump of this size is larger than the noise of the count. A jump within the first two or the last two
# snapshots cannot be seen ([Methods](../book/methods.md)).

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. Five BERT-base models are trained from scratch for 50,000 steps, on 100, 90, 80, 70 and 60% of a corpus. The
# number of zero weights jumps at 22,000–25,000 steps with 80% of the data or more, and at about 40,000 with less (claim C8). More data gives more zeros,
# better scores at every sparsity, and better dense scores (C9). The paper does not state when a weight counts as zero; the authors' code compares with 0. Each
# curve is one run.
#
# **What is done here.** A BERT is trained from random weights on each part of a corpus, for the same number of steps. The largest and the smallest
# part have two seeds, to separate the effect of the text from chance. The zeros are counted a hundred times in the run, and more
# often at its beginning. The readings of zero are: exact zeros, zeros after a cast to fp16 or bf16, weights below a threshold,
# and weights below a share of the standard deviation (sd) of their matrix. Then each model is pruned and fine-tuned as in [Figure 2](fig2.ipynb).

# %% tags=["remove-input"]
html.paragraphs("\n\n".join(dict.fromkeys((summary.missing(study, records), summary.missing(watched, watched_records)))))

# %% [markdown]
# ## The pre-trainings

# %% tags=["remove-input"]
tables.show(fig8_tables.run_table(study, records))

# %% [markdown]
# *Passes* says how often each text is read. All models read equally many tokens, so a smaller part is read more often.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig8-losses", "caption": "Cross-entropy on held-out text, which no model is trained on, and on each model's own training text. Dashed: the loss of a model that knows only how frequent each token is."}, "image": {"alt": "Two panels of loss against steps, on held-out text and on training text, a line for each pre-training, beside a dashed line.", "align": "center"}}
fig8.draw_losses(study, trained, records);

# %% tags=["remove-input"]
html.paragraphs(fig8_tables.learned(study, trained))

# %% [markdown]
# ## What else the weights do

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig8-weights", "caption": "Left: effective sparsity, the largest share of the weights that can be removed and leave 99% of the sum of squares. Right: norm of each component's matrices, relative to the first snapshot; mean and range over the pre-trainings."}, "image": {"alt": "Two panels against steps: effective sparsity with a line for each pre-training, and the norm of each component relative to its first.", "align": "center"}}
fig8.draw_weights(runs);

# %% [markdown]
# A count below a fixed threshold falls when all weights grow, and rises when they shrink. Magnitude pruning ranks the weights and would remove the
# same ones. A count below a share of the matrix's standard deviation changes only with the shape of the distribution.

# %% [markdown]
# ## Scores against sparsity

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig8-scores", "caption": "Score after one-shot pruning and fine-tuning, against sparsity: a line for each pre-trained model, the mean over fine-tuning seeds. First panel: the mean over the learned tasks. Dotted: the commonest class. Vertical: the sparsity chosen."}, "image": {"alt": "The score against the percentage of weights removed, a panel for the mean over the tasks and for each task, a line for each pre-trained model.", "align": "center"}}
fig8_scores.draw_scores(study, all_curves, sparsity);

# %% tags=["remove-input"]
panel_chart.show(fig8_scores.panel(study, all_curves, start=100 * sparsity))

# %% tags=["remove-input"]
at_sparsity = {level: effect for level, effect in scores.items() if abs(level - sparsity) < 1e-9}
Markdown(
    f"At {100 * sparsity:.4g}% sparsity the score changes by {at_sparsity[sparsity].difference.text()} points from the least text to the most."
    if at_sparsity
    else f"There are no complete scores at {100 * sparsity:.4g}% sparsity."
)

# %% tags=["remove-input"]
tables.show(fig8_tables.effect_table(study, scores, "sparsity", 1))

# %% tags=["remove-input"]
html.paragraphs(fig8_tables.cost_of_pruning(scores))

# %% [markdown]
# The scores are means over the tasks that some dense model has learned. *Difference* is the change from the least text to the most, along a straight line through all pre-trainings, with its 95% interval.
# *Trend* is the rank correlation with the amount of text.

# %% [markdown]
# ## The learning rate of the smallest models
#
# Models that gain from pruning cannot show which of them can be pruned further. Is the learning rate the reason? One model is fine-tuned at half, two and four times the rate, on two tasks, dense and at the last sparsity.
# The rule was [written down](../book/methods.md) before the run. The best rate is that of the highest dense scores. If the model has something to lose at this rate, the scores of C9 are run again at it.

# %% tags=["remove-input"]
html.paragraphs(fig8_rates.answer(study, records))

# %% tags=["remove-input"]
tables.show(fig8_rates.table(study, records))

# %% [markdown]
# The first row is the rate of the study. A rate with missing records has no row.

# %% [markdown]
# ## Dense scores

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig8-dense", "caption": "Score without pruning against the part of the text that a model was pre-trained on. Bars: 95% intervals over fine-tuning seeds and evaluation examples, not over pre-trainings. Dotted: the commonest class."}, "image": {"alt": "A panel for each task: the dense score with error bars against the percentage of the text used for pre-training.", "align": "center"}}
fig8_scores.draw_dense(study, all_curves);

# %% [markdown]
# ## Zeros at the end
#
# In percent of the weights, at the end of the pre-training.

# %% tags=["remove-input"]
tables.show(fig8_tables.effect_table(study, text_effects.zero_effects(study, trained), "zero if", 3), collapsed="Zeros at the end, by every reading")

# %% [markdown]
# ## Verdicts

# %% tags=["remove-input"]
html.paragraphs(abrupt.text)

# %% tags=["remove-input"]
html.paragraphs(volume.text)

# %% [markdown]
# **The rule of C8.** By one reading of zero, C8 *agrees* if the count rises abruptly in every pre-training, *differs* if it does so in none, and is *inconclusive* otherwise (last column
# of the table above). The verdict *agrees* if some reading agrees, *differs* if all readings differ, and is *inconclusive* otherwise.
#
# **The rule of C9.** It rests on a straight line through all pre-trainings, for three quantities: zeros below a hundredth of the matrix's standard deviation, the dense score, and the mean score over the sparsities.
# The smallest effects that would matter are 1% of the zeros and one point. A quantity *agrees* if the interval of its change lies above 0 and reaches that effect. It *differs* if the interval lies below that effect,
# tested at 2.5% with Holm's adjustment. C9 *agrees* if all three agree, *differs* if one differs, and is *inconclusive* otherwise.
# The mean score counts only tasks on which every pre-training's curve loses more than a point at the last sparsity. Without such a task, this part *cannot be tested here*.
# [Methods](../book/methods.md) gives the error rates.
#
# **What this scale can and cannot say.** It can say, reading by reading, whether the zeros of models this small jump during such a pre-training. It can say whether more text changes zeros and scores by more than
# another seed does. It cannot say what a model of a hundred times the size does on a corpus that it reads only once, or what happens after more steps. It says
# nothing about effects that are smaller than the difference between two seeds.
#
# **What would change our mind.** More pre-trainings on each part: seven show only a difference that is larger than that between seeds. A larger model, trained longer: the paper's BERT-base on its corpus is the `paper` scale of this notebook.
# Published checkpoints: the MultiBERTs {cite:p}`sellam2022multiberts` are BERT-base models trained for two million steps, and
# `-p checkpoints multiberts` draws their zeros. Their first checkpoints lie 20,000 steps apart, so a jump in the
# first 40,000 steps cannot be seen.

# %% [markdown]
# ## How prunability emerges
#
# Here nothing is fine-tuned. At ten points of its pre-training, each model is pruned by magnitude in steps of 5% and predicts hidden tokens of held-out text.
# The table gives the sparsity at which this loss is 1% above that of the dense model. The number is exact for this text.

# %% tags=["remove-input"]
loss_curves = prunability.loss_curves(study, records)
styles = fig8.line_styles(series.text_pretrainings(study))
html.paragraphs(prunability_plots.unmeasured(study, records, "held-out-loss"))

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig8-emergence", "caption": "Prunability during pre-training, without fine-tuning. Left: the sparsity at which the held-out loss rises by 1%. Right: the share of what was learned that is lost with half of the weights. A point is a snapshot."}, "image": {"alt": "Two panels against pre-training steps: the sparsity at which the loss rises by 1%, and the share of what was learned that is lost at half the weights; a line for each pre-training.", "align": "center"}}
prunability_plots.draw_emergence(study, loss_curves, styles);

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig8-pruned-loss", "caption": "Rise of the held-out loss of the trained models against sparsity, in percent of the dense model's loss. Dashed: 1%. The vertical scale is linear below 1% and logarithmic above."}, "image": {"alt": "The rise of the held-out loss in percent against the percentage of weights removed, a line for each pre-trained model.", "align": "center"}}
prunability_plots.draw_losses(study, loss_curves, styles);

# %% tags=["remove-input"]
tables.show(prunability_plots.loss_table(study, loss_curves, styles))

# %% tags=["remove-input"]
html.paragraphs(f"Shown for comparison with C9; not used for the verdict: {prunability_clauses.held_out_loss(study, records).clause.text}.")

# %% [markdown]
# A fall in the left panel is expected in any case: a model that has learned nothing has nothing to lose, and 1% of a smaller loss is less. The right panel measures the rise against
# what was learned, and does not have this problem. A model whose loss rises by less than 1% at every sparsity has no point ([Methods](#prunability-without-fine-tuning)).

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
html.paragraphs(f"{cost.sentence(paper)} Among them are {len(paper.pretrainings())} pre-trainings of {first.steps:,} steps of {first.batch_size} × {first.length} tokens.")

# %% tags=["remove-cell"]
parameters.glue_verdict(abrupt)
parameters.glue_verdict(volume)
