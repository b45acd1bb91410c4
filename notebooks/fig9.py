# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure 9: lottery tickets against one-shot pruning
#
# **Question.** A lottery ticket {cite:p}`frankle2019lottery,chen2020lottery` is found by training on the task, removing the smallest tenth of the weights,
# rewinding the others to their pre-trained values, and beginning again. That costs a whole training for every tenth. Is the ticket any
# better than removing as much at once, before any training?

# %% tags=["remove-input", "setup"]
from importlib.util import find_spec

from IPython import get_ipython

if find_spec("essparse_lib") is None:  # as in Colab
    get_ipython().run_line_magic("pip", "install -q 'essparse[draw,images] @ git+https://github.com/essential-sparsity/companion'")

# %% tags=["parameters", "hide-input"]
sparsity: float = 0.4  # the point to name; run live if it has no record, round by round
model: str = "all"  # the models, such as "minilm-l6"; "all": those of the scale, each on the tasks of its kind
tasks: str = "all"  # the tasks, such as "sst2,cifar10"; "all": those of the scale
scale: str = "lab"  # "tiny", "lab" or "paper"
seeds: str = "all"  # the seeds, such as "0,1"
live_tasks: str = "first"  # where the point is run if it has no record: "first", "none", "all", or names

# %% tags=["hide-input"]
from IPython.display import Markdown

from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.errors import check_sparsity
from essparse_lib.figures import contrast_plots, fig9, findings, forest_plots, noise_tables, panel_chart, panels, parameters, style, within_panels
from essparse_lib.analysis import contrasts, curves
from essparse_lib.records import cost, store, summary
from essparse_lib.specs.trial import Pruning
from essparse_lib.claims import c10_tickets_like_one_shot
from essparse_lib.claims.pools import deciding

parameters.check(globals())
style.apply()
sparsity = check_sparsity(sparsity)
asked_pair = [Pruning(sparsity=sparsity, method="lottery"), Pruning(sparsity=sparsity)]
study = interactive.checked_study(parameters.narrowed(figures.study("fig9", scale), model, tasks, seeds))
tasks_to_run = parameters.live_tasks(study, live_tasks)

# %% tags=["hide-input"]
records = figures.records(study)
records |= interactive.run(interactive.unrecorded(study, records, asked_pair, tasks_to_run), scale)
pairs = [(ticket, Pruning(sparsity=ticket.sparsity)) for ticket in study.variants[fig9.LOTTERY]]
all_contrasts = contrasts.contrasts(study, records, [*pairs, tuple(asked_pair)])
differences = [c for c in all_contrasts if (c.pruning, c.baseline) in pairs]
verdict = c10_tickets_like_one_shot.judge(study, records)

# %% tags=["remove-input", "finding"]
findings.box(verdict)

# %% [markdown]
# ## Tickets less one-shot

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig9-differences", "caption": "Score of the lottery ticket less that of the one-shot mask at the same sparsity, the seeds paired, with 95% intervals over seeds and evaluation examples. The shaded band is one point either way: an interval within it says that the two are equivalent. A colour is a model, if there are several. Each panel has its own vertical scale."}, "image": {"alt": "A panel for each task: the difference in points with error bars against the sparsity, with a shaded band of one point either way.", "align": "center"}}
contrast_plots.draw(differences, marked=sparsity);

# %% tags=["remove-input"]
panel = panels.of_curves(
    {variant: curves.curves(study, records, variant) for variant in study.variants},
    "A line for each task and kind of mask: the change from the dense model against the share of the weights removed.",
    start=100 * sparsity,
)
panel_chart.show(panel)

# %% tags=["remove-input"]
contrast_plots.table(differences, {"steps for the ticket": fig9.steps(study, records)}).style.hide(axis="index")

# %% tags=["remove-input"]
Markdown(contrast_plots.tally(differences))

# %% [markdown]
# *Steps for the ticket* are the training steps spent to find the mask, before the fine-tuning that both get. A one-shot mask needs none: it takes
# one look at the pre-trained weights, and serves every task. *Better* and *worse* say that the ticket's whole interval lies on one side of zero, not that it
# lies beyond one point, for which the verdict asks; of so many intervals a few miss zero by chance alone.

# %% [markdown]
# ## At the sparsity asked for

# %% tags=["remove-input"]
asked_contrasts = [c for c in all_contrasts if (c.pruning, c.baseline) == tuple(asked_pair)]
contrast_plots.table(asked_contrasts, {}).style.hide(axis="index")

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. Below 50% sparsity the two fine-tune to the same performance (claim C10).
#
# **What is done here.** Both masks are fine-tuned from the same pre-trained weights with the same seed, head and data order. "The same
# performance" is a claim of equivalence: it needs an interval that lies within a margin, here one point, and not merely a
# difference that is not significant. As in the paper there are two rows: a model of language, and a vision transformer on two tasks
# of images (at lab scale one that was trained here on the classes of `cifar10`, see [Figure 6](fig6.ipynb); `fashion-mnist` is new to it).

# %% tags=["remove-input"]
Markdown(" ".join(filter(None, (summary.missing(study, records), summary.added(study, store.results(scale).records_of_studies(study))))))

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
Markdown(verdict.text)

# %% [markdown]
# The difference is averaged over the sparsities below 50%, and over the models and tasks that count. C10 *agrees* if the whole 95% interval of this mean
# lies within one point of zero, *differs* if it lies wholly beyond, and is *inconclusive* otherwise. A mean can hide opposite signs: every task
# at every sparsity stands beside it ([Methods](#verdict-rules)). A model that lacks records is named and not counted.
#
# **What would change our mind.** Intervals narrower than the margin: more seeds, larger evaluation sets, and full training sets, which the `paper`
# scale of this notebook has.

# %% [markdown]
# ## Task by task
#
# A row is a task, or a model on a task; [How to read this book](../book/how-to-read.md) explains the marks.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig9-forest", "caption": "The difference between ticket and one-shot mask, averaged over the sparsities below 50%, on each task with its 95% interval, and one point either way as a shaded band. Hollow grey circles are shown and do not count, for the reason in their row. The diamond is the mean of those that count, with its interval, which the verdict rests on; the thick bar is where the difference on a new task is expected, in 95% of cases. An arrow says that an interval goes on beyond the axis."}, "image": {"alt": "A row for each task: a dot with a horizontal bar; below them a diamond for the mean and a thick bar for a new task; a vertical broken line at one point either way.", "align": "center"}}
pools = c10_tickets_like_one_shot.pools(study, records)
forest_plots.draw(deciding(pools), "ticket less one-shot");

# %% tags=["remove-input"]
Markdown(forest_plots.shared_texts(pools))

# %% [markdown]
# **What chance alone does.** How much that difference varies (standard deviation, in points) because training is repeated, because other examples are drawn, and both together.
# *Smallest that shows* is the smallest difference that these seeds and examples tell from none with a power of 80%. *One run shows* is where a single
# run without repetition lands in 95% of cases if the true difference is none.

# %% tags=["remove-input"]
noise_tables.floor_table(deciding(pools)).style.hide(axis="index")

# %% [markdown]
# **How sure it is that the difference lies within ε.** At each sparsity, and on average below 50%, the share of resamples in which the difference, on average over the tasks that count, is at most ε either way. The slider moves ε. It is
# a bootstrap share: how often the mean difference stays within ε when examples and the noise of training are drawn anew, not the probability that the claim is true.

# %% tags=["remove-input"]
panel_chart.show(within_panels.of_pools(pools))

# %% tags=["remove-input"]
noise_tables.within_table(pools).style.hide(axis="index")

# %% [markdown]
# **What would decide it.** Where the mean is inconclusive: how many seeds, with how many test examples, would bring its whole interval to one side.

# %% tags=["remove-input"]
Markdown(noise_tables.needs_text(deciding(pools), study, records))

# %% [markdown]
# **Would another reading say something else?** The mean with ε in points and in percent of the dense score, and with three readings of the noise: by the rule of the
# verdict; none from training, the examples alone; and with what the examples explain left in, so that it counts twice. [Methods](../book/methods.md) has the rule.

# %% tags=["remove-input"]
noise_tables.sensitivity_table(deciding(pools)).style.hide(axis="index")

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)

# %% [markdown]
# To run it again: `essparse run fig9`, then `papermill notebooks/fig9.ipynb out.ipynb -p sparsity 0.4`.

# %% tags=["remove-input"]
paper = figures.study("fig9", "paper")
Markdown(cost.sentence(paper))

# %% tags=["remove-cell"]
parameters.glue_verdict(verdict)
