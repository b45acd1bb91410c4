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
# **Question.** A pre-trained model's smallest weights are removed at once, before any fine-tuning. How many can go until its performance on a task falls?

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
from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.errors import check_sparsity
from essparse_lib.figures import curve_plots, curve_tables, fig2, findings, forest_plots, html, noise_tables, panel_chart, panels, parameters, points, secondary_metrics, style, tables, within_panels
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
fresh = interactive.run_for(study, records, interactive.unrecorded(study, records, [Pruning(sparsity=sparsity)], tasks_to_run))
records |= fresh
all_curves = curves.curves(study, records)
asked_points = points.at_sparsity(study, records, sparsity, live=fresh)
verdict = c01_essential_sparsity.judge(study, all_curves)
size = c03_task_not_size.judge(study, all_curves)

# %% tags=["remove-input", "finding"]
findings.box(verdict, size)

# %% [markdown]
# ## The curve

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig2-curves", "caption": "Change of the score against the dense model, after one-shot magnitude pruning and fine-tuning. A panel is a task, a colour a model. Thin lines: random pruning (dotted), no training after pruning (dashed). Marks: [How to read](../book/how-to-read.md)."}, "image": {"alt": "One panel for each task: the change from the dense model in points against the percentage of weights removed, flat at first and then falling, with interval bands.", "align": "center"}}
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
# ## At the sparsity chosen

# %% tags=["remove-input"]
html.paragraphs(points.heading(asked_points, sparsity))

# %% tags=["remove-input"]
tables.show(points.table(asked_points)) if asked_points else None

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. About 30–50% of the weights of bert-base and of OPT with 125M,
# 350M and 1.3B parameters can be removed without a significant drop (claim C1). For OPT-1.3B it is about 40%.
# Where the curve turns depends on the task rather than on the size (C3). On RTE bert-base turns at about 60% and OPT-1.3B at 40%; bert-base tolerates more than OPT-125M on
# every task. The paper shows one run for each point, and no intervals.
#
# **What is done here.** The smallest weights of the transformer blocks' matrices are set to zero, with one threshold for all matrices.
# The model is fine-tuned with these weights held at zero. Its score is compared with that of the same model, seed, head and data order without pruning.
#
# Two thin broken lines are shown for comparison:
#
# - *random pruning* at the same sparsity, which any choice of weights must beat;
# - *no training after pruning*: the model is fine-tuned first and pruned by magnitude afterwards. The paper's abstract says "without re-training"; none of its experiments on BERT does this.
#
# At lab scale the models are two public encoders and a small OPT, as the paper has decoders too. This OPT was pre-trained here, on little text ([Methods](../book/methods.md)).
# The tasks are movie-reviews and SST-2 (sentiment), bbc-news and wiki-topics (topics), RTE (does one sentence follow from another?), CoLA (is a sentence grammatical?) and SQuAD (questions about a text). [Data](../book/data.md) has their sources.

# %% tags=["remove-input"]
html.paragraphs(summary.missing(study, records))

# %% [markdown]
# ## What the curves say

# %% tags=["remove-input"]
tables.show(curve_tables.table(all_curves, epsilon))

# %% tags=["remove-input"]
tables.show(curve_tables.tolerance_table(all_curves, epsilon), collapsed="Commonest class, and ε in percent of the dense score")

# %% tags=["remove-input"]
by_another_metric = secondary_metrics.table(study, records)
title = "CoLA by Matthews' correlation: shown for comparison; not used for the verdict"
tables.show(by_another_metric, collapsed=title) if len(by_another_metric) else None

# %% [markdown]
# *Essential sparsity* is where the mean curve, made monotone, first falls by more than ε. The *turning point* is where the two straight lines meet that
# fit the curve best. Brackets are 95% intervals; ≥ says that the curve had not fallen by its last point. A task is *not learned* if the dense model does not beat the commonest class. Its curve
# can show neither number. [Methods](../book/methods.md) has the definitions.

# %% tags=["remove-input"]
html.paragraphs(curve_plots.unfalling(study, all_curves, epsilon))

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
html.paragraphs(verdict.text)

# %% tags=["remove-input"]
html.paragraphs(size.text)

# %% [markdown]
# C1 *agrees* if the mean loss with 30% of the weights removed lies at or below one point by its whole 95% interval. It *differs* if the whole interval lies above.
# The mean is over all curves that count: the model has learned the task and has something to lose ([Methods](#verdict-rules)). It speaks of these models and tasks.
# What to expect on a new task, and whether the claim holds everywhere, are shown for comparison. The tolerance is always one point: the paper's 1%, read as absolute.
#
# C3 *agrees* if the essential sparsities of two tasks lie further apart than those of two models, by the whole 95% interval of the difference. It needs two models with three seeds whose curves fall on the same two tasks.
# Curves that never fall are left out of it. A model that can lose everything still differs from one that cannot.
#
# **What would change our mind.** Longer fine-tuning on all training examples, as in the paper's Table 1. It could let pruned models
# recover more. It could also let dense models learn more that pruning then costs. The same code can run the paper's models and data (the `paper` scale of this notebook); we have not run them yet.
# More seeds would narrow the intervals. At lab scale every task has at most 4,000 training examples and few steps. So a curve here
# speaks of pruning *and* of learning from few examples. [Methods](../book/methods.md) lists the settings.

# %% [markdown]
# ## Task by task
#
# Each row is a task, or a model on a task. [How to read](../book/how-to-read.md) explains the marks.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig2-forest", "caption": "Drop with 30% of the weights removed, by task, with 95% intervals. Hollow grey circles do not count, for the reason in their row. The diamond is the mean that the verdict rests on."}, "image": {"alt": "A row for each task: a dot with a horizontal bar; below them a diamond for the mean and a thick bar for a new task; a vertical broken line at one point.", "align": "center"}}
pools = c01_essential_sparsity.pools(study, all_curves)
forest_plots.draw(deciding(pools));

# %% tags=["remove-input"]
html.paragraphs(forest_plots.shared_texts(pools))

# %% [markdown]
# **What chance alone does.** The drop varies because training is repeated and because other examples are drawn. *sd* is the standard deviation of each, in points.
# *Smallest detectable* is the drop that these seeds and examples tell from none in 80% of cases. *One run* is where a single run lands in 95% of cases if the true drop is zero.

# %% tags=["remove-input"]
tables.show(noise_tables.floor_table(deciding(pools)))

# %% [markdown]
# **How often the drop stays within ε.** Examples and the noise of training are drawn anew many times. The panel shows in what share of these draws the mean drop is at most ε.
# The slider moves ε. This share is not the probability that the claim is true.

# %% tags=["remove-input"]
panel_chart.show(within_panels.of_pools(pools))

# %% tags=["remove-input"]
tables.show(noise_tables.within_table(pools))

# %% [markdown]
# **What would decide it.** If the mean is inconclusive, these seeds and test examples would bring its whole interval to one side.

# %% tags=["remove-input"]
html.paragraphs(noise_tables.needs_text(deciding(pools), study, records))

# %% [markdown]
# **Do other readings agree?** The tolerance ε is read in points and in percent of the dense score. The noise is read in three ways: as in the verdict, from the examples only, and with the examples counted twice.
# [Methods](../book/methods.md) has the rules.

# %% tags=["remove-input"]
tables.show(noise_tables.sensitivity_table(c01_essential_sparsity.pools_near(study, records, all_curves)), collapsed="Other readings, at the sparsities near 30%")

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
tables.show(summary.provenance(study, records).reset_index(names="about"), collapsed="Records, code, devices and weights")

# %% [markdown]
# To run it again: `essparse run fig2`, then `papermill notebooks/fig2.ipynb out.ipynb -p sparsity 0.4`.

# %% tags=["remove-input"]
paper = figures.study("fig2", "paper")
html.paragraphs(cost.sentence(paper))

# %% tags=["remove-cell"]
parameters.glue_verdict(verdict)
parameters.glue_verdict(size)
parameters.glue("fig2_trials", len(summary.used(study, records)))
parameters.glue("fig2_essential", curve_plots.range_text(study, all_curves, epsilon))
parameters.glue("paper_assumed", cost.ASSUMED)
