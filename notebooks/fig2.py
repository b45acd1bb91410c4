# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure 2: one-shot pruning on language tasks
#
# **Question.** How many of a pre-trained model's weights can be removed by magnitude, all at once and before any
# fine-tuning, until its performance on a task falls?

# %% tags=["remove-input", "setup"]
from importlib.util import find_spec

from IPython import get_ipython

if find_spec("essparse_lib") is None:  # as in Colab
    get_ipython().run_line_magic("pip", "install -q 'essparse[draw] @ git+https://github.com/essential-sparsity/companion'")

# %% tags=["parameters", "hide-input"]
sparsity: float = 0.4  # the point to name and to mark; run live if it has no record
model: str = "all"  # the models, such as "minilm-l6"; "all": those of the scale
tasks: str = "all"  # the tasks, such as "rte,sst2"; "all": those of the scale
scale: str = "lab"  # "tiny", "lab" or "paper"
seeds: str = "all"  # the seeds, such as "0,1"
live_tasks: str = "first"  # where the point is run if it has no record: "first", "none", "all", or names
epsilon: float = 1.0  # the tolerated loss, in points

# %% tags=["hide-input"]
from IPython.display import Markdown

from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.errors import check_sparsity
from essparse_lib.figures import curve_plots, fig2, findings, forest_plots, noise_tables, panel_chart, panels, parameters, points, secondary_metrics, style, within_panels
from essparse_lib.records import cost, summary
from essparse_lib.analysis import curves
from essparse_lib.specs.trial import Pruning
from essparse_lib.claims import c01_essential_sparsity, c03_task_not_size
from essparse_lib.claims.pools import deciding

parameters.check(globals())
style.apply()
sparsity = check_sparsity(sparsity)
study = interactive.checked_study(parameters.narrowed(figures.study("fig2", scale), model, tasks, seeds))
tasks_to_run = parameters.live_tasks(study, live_tasks)

# %% tags=["hide-input"]
records = figures.records(study)
fresh = interactive.run(interactive.unrecorded(study, records, [Pruning(sparsity=sparsity)], tasks_to_run), scale)
records |= fresh
all_curves = curves.curves(study, records)
asked_points = points.at_sparsity(study, records, sparsity, live=fresh)
verdict = c01_essential_sparsity.judge(study, all_curves)
size = c03_task_not_size.judge(study, all_curves)

# %% tags=["remove-input", "finding"]
findings.box(verdict, size)

# %% [markdown]
# ## The curve

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig2-curves", "caption": "Change of the score against the dense model as one-shot magnitude pruning removes more, after fine-tuning, for each task. Thick lines are means over the seeds, thin lines single seeds, bands 95% intervals over seeds and evaluation examples; the grey dashed line lies \u03b5 below the dense model; a colour is a model; the mark at the bottom is the essential sparsity with its interval; thin broken lines are random pruning (dotted) and pruning after the fine-tuning with no training to follow (dashed), with a dot at each sparsity that has a record; the diamond is the point asked for; crosses, if any, are runs that diverged or failed. Each panel has its own vertical scale."}, "image": {"alt": "One panel for each task: the change from the dense model in points against the percentage of weights removed, flat at first and then falling, with interval bands.", "align": "center"}}
variants = {variant: curves.curves(study, records, variant) for variant in (fig2.RANDOM, fig2.AFTER)}
curve_plots.draw(all_curves, asked_points, epsilon, variants);

# %% tags=["remove-input"]
panel = panels.of_curves(
    {**panels.by_model(all_curves), **panels.by_model_and_variant(variants)},
    "A line for each task and way to prune: the change from the dense model against the share of the weights removed.",
    shown=study.models,
    start=100 * sparsity,
)
panel_chart.show(panel)

# %% [markdown]
# ## At the sparsity asked for

# %% tags=["remove-input"]
nothing = f"Nothing has been run at a sparsity of {sparsity:g}: name a task in `live_tasks` to run it."
Markdown("\n\n".join(map(points.sentence, asked_points)) or nothing)

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. About 30–50% of the weights of bert-base and of OPT with 125M,
# 350M and 1.3B parameters can go without a significant drop, about 40% of OPT-1.3B's (claim C1); where the curve turns depends on the
# task rather than on the size: on RTE bert-base turns at about 60% and OPT-1.3B at 40%, and bert-base tolerates more than OPT-125M on
# every task (C3). It shows one run for each point, and no intervals.
#
# **What is done here.** The smallest weights of the transformer blocks' matrices are set to zero over one global threshold,
# the model is fine-tuned with these weights held at zero, and its score is compared with that of the same model, seed, head
# and data order without pruning. Thin broken lines stand beside it: *random* pruning at the same sparsity, which any
# choice of weights must beat (drawn where it has records), and magnitude pruning *after* the fine-tuning, with no training to follow, which is what the
# words "without re-training" of the paper's abstract say but none of its experiments on BERT does. At lab scale the models are two public
# encoders and, as the paper has decoders too, a small OPT that was pre-trained here, on little text ([Methods](../book/methods.md)).

# %% tags=["remove-input"]
Markdown(summary.missing(study, records))

# %% [markdown]
# ## What the curves say

# %% tags=["remove-input"]
curve_plots.table(all_curves, epsilon).style.hide(axis="index")

# %% tags=["remove-input"]
Markdown(secondary_metrics.sentence(study, records))

# %% [markdown]
# *Essential sparsity* is where the mean curve, made monotone, first falls by more than ε, *turning point* where two straight lines meet that
# fit it best; brackets are 95% intervals. A task on which the dense model does not beat always saying the commonest class
# cannot show either. [Methods](../book/methods.md) has the definitions.

# %% tags=["remove-input"]
Markdown(curve_plots.unfalling(study, all_curves, epsilon))

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
Markdown(verdict.text)

# %% tags=["remove-input"]
Markdown(size.text)

# %% [markdown]
# C1 *agrees* if the mean loss with 30% of the weights gone, over all curves that count, lies at or below one point by its whole 95%
# interval, and *differs* if it lies above. This speaks of these models and tasks; what is to be expected on a new task, and whether the claim
# holds everywhere, stand beside it. A curve counts if its model has learned the task and has something to lose
# ([Methods](#verdict-rules)). The tolerance is always one point: the paper's 1%, read as absolute. C3 *agrees* if essential sparsities of two tasks lie further apart than those
# of two models, by the whole 95% interval of the difference; it takes two models with three seeds whose curves fall on the same two tasks.
# Curves that never fall are left out of it, though a model that can lose everything differs from one that cannot.
#
# **What would change our mind.** Longer fine-tuning on all training examples, as in the paper's Table 1, could let pruned models
# recover more, or dense ones learn more that pruning then costs: the paper's models and data are the `paper` scale of this
# notebook. More seeds would narrow the intervals. At lab scale every task is trained on at most 4,000 examples and for few steps ([Methods](../book/methods.md) lists the settings), so a curve here
# speaks of pruning *and* of learning from few examples.

# %% [markdown]
# ## Task by task
#
# A row is a task, or a model on a task; [How to read this book](../book/how-to-read.md) explains the marks.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig2-forest", "caption": "The drop with 30% of the weights gone on each task with its 95% interval, and the tolerated loss as a broken line. Hollow grey circles are shown and do not count, for the reason in their row. The diamond is the mean of those that count, with its interval, which the verdict rests on; the thick bar is where the drop on a new task is expected, in 95% of cases. An arrow says that an interval goes on beyond the axis."}, "image": {"alt": "A row for each task: a dot with a horizontal bar; below them a diamond for the mean and a thick bar for a new task; a vertical broken line at one point.", "align": "center"}}
pools = c01_essential_sparsity.pools(study, all_curves)
forest_plots.draw(deciding(pools));

# %% tags=["remove-input"]
Markdown(forest_plots.shared_texts(pools))

# %% [markdown]
# **What chance alone does.** How much the drop at 30% varies (standard deviation, in points) because training is repeated, because other examples are drawn, and both together.
# *Smallest that shows* is the smallest drop that these seeds and examples tell from none with a power of 80%. *One run shows* is where a single
# run without repetition lands in 95% of cases if the true drop is none.

# %% tags=["remove-input"]
noise_tables.floor_table(deciding(pools)).style.hide(axis="index")

# %% [markdown]
# **How sure it is that the drop lies within ε.** At each sparsity the share of resamples in which the drop, on average over the tasks that count, is at most ε. The slider moves ε. It is
# a bootstrap share: how often the mean drop stays within ε when examples and the noise of training are drawn anew, not the probability that the claim is true.

# %% tags=["remove-input"]
panel_chart.show(within_panels.of_pools(pools))

# %% tags=["remove-input"]
noise_tables.within_table(pools).style.hide(axis="index")

# %% [markdown]
# **What would decide it.** Where the mean is inconclusive: how many seeds, with how many test examples, would bring its whole interval to one side.

# %% tags=["remove-input"]
Markdown(noise_tables.needs_text(deciding(pools), study, records))

# %% [markdown]
# **Would another reading say something else?** The mean with ε in points and in percent of the dense score, at the sparsities around 30% that have records, and with three readings of the noise: by the rule of the
# verdict; none from training, the examples alone; and with what the examples explain left in, so that it counts twice. [Methods](../book/methods.md) has the rule.

# %% tags=["remove-input"]
noise_tables.sensitivity_table(c01_essential_sparsity.pools_near(study, records, all_curves)).style.hide(axis="index")

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)

# %% [markdown]
# To run it again: `essparse run fig2`, then `papermill notebooks/fig2.ipynb out.ipynb -p sparsity 0.4`.

# %% tags=["remove-input"]
paper = figures.study("fig2", "paper")
Markdown(cost.sentence(paper))

# %% tags=["remove-cell"]
parameters.glue_verdict(verdict)
parameters.glue_verdict(size)
parameters.glue("fig2_trials", len(summary.used(study, records)))
parameters.glue("fig2_essential", curve_plots.range_text(study, all_curves, epsilon))
parameters.glue("paper_assumed", cost.ASSUMED)
