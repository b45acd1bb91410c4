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
# **Question.** A lottery ticket {cite:p}`frankle2019lottery,chen2020lottery` is found in rounds: train on the task, remove the smallest tenth of the weights,
# set the others back to their pre-trained values, and repeat. Each tenth costs a whole training. Is the ticket
# better than removing as many weights at once, before any training?

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
from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.errors import check_sparsity
from essparse_lib.figures import contrast_plots, fig9, findings, forest_plots, html, noise_tables, panel_chart, panels, parameters, style, tables, within_panels
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
records |= interactive.run_for(study, records, interactive.unrecorded(study, records, asked_pair, tasks_to_run))
pairs = [(ticket, Pruning(sparsity=ticket.sparsity)) for ticket in study.variants[fig9.LOTTERY]]
all_contrasts = contrasts.contrasts(study, records, [*pairs, tuple(asked_pair)])
differences = [c for c in all_contrasts if (c.pruning, c.baseline) in pairs]
verdict = c10_tickets_like_one_shot.judge(study, records)

# %% tags=["remove-input", "finding"]
pools = c10_tickets_like_one_shot.pools(study, records)
findings.box(verdict, words=fig9.seen(pools, differences))

# %% [markdown]
# ## Tickets − one-shot

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig9-differences", "caption": "Score of the lottery ticket minus that of the one-shot mask at the same sparsity and seed, with 95% intervals. Shaded: one point either way; the two are alike if the interval lies within it. A colour is a model."}, "image": {"alt": "A panel for each task: the difference in points with error bars against the sparsity, with a shaded band of one point either way.", "align": "center"}}
contrast_plots.draw(differences, marked=sparsity);

# %% tags=["remove-input"]
panel = panels.of_curves(
    {variant: curves.curves(study, records, variant) for variant in study.variants},
    "A line for each task and kind of mask: the change from the dense model against the share of the weights removed.",
    start=100 * sparsity,
)
panel_chart.show(panel)

# %% tags=["remove-input"]
rows = contrast_plots.table(differences, {"steps for the ticket": fig9.steps(study, records)})
tables.show(rows.drop(columns="seeds"), collapsed="Tickets − one-shot at every sparsity")

# %% tags=["remove-input"]
html.paragraphs(contrast_plots.tally(differences), fig9.narrow(differences), fig9.other_tests(study, figures.study("fig2", scale)))

# %% [markdown]
# *Steps for the ticket* are the training steps that find the mask, before the fine-tuning that both masks get. A one-shot mask needs none:
# it depends only on the pre-trained weights and serves every task. Of so many intervals, a few miss zero by chance alone.

# %% [markdown]
# ## At the sparsity chosen

# %% tags=["remove-input"]
asked_contrasts = [c for c in all_contrasts if (c.pruning, c.baseline) == tuple(asked_pair)]
tables.show(contrast_plots.table(asked_contrasts, {}).drop(columns="seeds"))

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. Below 50% sparsity, lottery tickets and one-shot masks fine-tune to the same performance (claim C10).
#
# **What is done here.** Both masks are fine-tuned from the same pre-trained weights with the same seed, head and data order. "The same
# performance" is a claim of equivalence. It needs an interval that lies within a margin, here one point. A
# difference that is not significant is not enough. As in the paper there is a language model and a vision transformer.
# At lab scale they are `minilm-l6`, on texts, and `vit-4x192-supervised-0`, on images. The latter is the supervised ViT, pre-training 1, of [Figure 6](fig6.ipynb): it has seen the classes of CIFAR-10 in pre-training, not those of Fashion-MNIST.

# %% tags=["remove-input"]
html.paragraphs(" ".join(filter(None, (summary.missing(study, records), summary.added(study, store.results(scale).records_of_studies(study))))))

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
html.paragraphs(verdict.text)

# %% [markdown]
# The difference is averaged over the sparsities below 50%, and over the models and tasks that count. C10 *agrees* if the whole 95% interval of this mean
# lies within one point of zero, *differs* if it lies wholly outside, and is *inconclusive* otherwise. A mean can hide opposite signs, so the tables also give every task
# at every sparsity ([Methods](#verdict-rules)). A model with missing records is named and not counted.
#
# **What would change our mind.** Narrower intervals on single tasks, by more seeds and larger evaluation sets; and full training sets, which the `paper`
# scale of this notebook has.

# %% [markdown]
# ## Task by task
#
# Each row is a task, or a model on a task. [How to read](../book/how-to-read.md) explains the marks.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig9-forest", "caption": "Ticket \u2212 one-shot mask, averaged over the sparsities below 50%, by task, with 95% intervals. Hollow grey circles do not count, for the reason in their row. The diamond is the mean that the verdict rests on."}, "image": {"alt": "A row for each task: a dot with a horizontal bar; below them a diamond for the mean and a thick bar for a new task; a vertical broken line at one point either way.", "align": "center"}}
forest_plots.draw(deciding(pools), "ticket − one-shot");

# %% tags=["remove-input"]
html.paragraphs(forest_plots.shared_texts(pools))

# %% [markdown]
# **What chance alone does.** The standard deviation (sd) of the difference, in points, when training is repeated, and when other examples are drawn.
# *Smallest detectable*: the smallest difference that these seeds and examples detect with a power of 80%. *One run*: where a single
# run lands in 95% of cases if the true difference is zero.

# %% tags=["remove-input"]
tables.show(noise_tables.floor_table(deciding(pools)))

# %% [markdown]
# **How often the difference lies within ε.** The share of bootstrap resamples in which the mean difference over the tasks that count is at most ε either way, at each sparsity and on average below 50%. The slider moves ε.
# The share says how often the mean stays within ε with other examples and other training noise. It is not the probability that the claim is true.

# %% tags=["remove-input"]
panel_chart.show(within_panels.of_pools(pools))

# %% tags=["remove-input"]
tables.show(noise_tables.within_table(pools))

# %% [markdown]
# **What would decide it.** If the mean is inconclusive: the seeds and test examples that would bring its whole interval to one side.

# %% tags=["remove-input"]
html.paragraphs(noise_tables.needs_text(deciding(pools), study, records))

# %% [markdown]
# **Would another reading change the verdict?** The table gives the mean with ε in points and in percent of the dense score. It has three readings of the noise: as in the
# verdict, from the examples only, and with the examples counted twice. [Methods](../book/methods.md) has the rule.

# %% tags=["remove-input"]
tables.show(noise_tables.sensitivity_table(deciding(pools)))

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)

# %% [markdown]
# To run it again: `essparse run fig9`, then `papermill notebooks/fig9.ipynb out.ipynb -p sparsity 0.4`.

# %% tags=["remove-input"]
paper = figures.study("fig9", "paper")
html.paragraphs(cost.sentence(paper))

# %% tags=["remove-cell"]
parameters.glue_verdict(verdict)
