# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure 5: N:M patterns
#
# **Question.** Hardware multiplies faster where of each M consecutive weights at most N are not zero. Does essential sparsity hold
# under such a pattern, or does the pattern cost more than unstructured pruning at the same sparsity?

# %% tags=["remove-input", "setup"]
from importlib.util import find_spec

from IPython import get_ipython

if find_spec("essparse_lib") is None:  # as in Colab
    get_ipython().run_line_magic("pip", "install -q 'essparse[draw] @ git+https://github.com/essential-sparsity/companion'")

# %% tags=["parameters", "hide-input"]
pattern: str = "2:4"  # the pattern to name; run live if it has no record
model: str = "all"  # the models, such as "minilm-l6"; "all": those of the scale
tasks: str = "all"  # the tasks, such as "sst2"; "all": those of the scale
scale: str = "lab"  # "tiny", "lab" or "paper"
seeds: str = "all"  # the seeds, such as "0,1"
live_tasks: str = "first"  # where the pattern is run if it has no record: "first", "none", "all", or names

# %% tags=["hide-input"]
from IPython.display import Markdown

from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.figures import contrast_plots, curve_plots, fig5, findings, forest_plots, noise_tables, panel_chart, panels, parameters, style, within_panels
from essparse_lib.analysis import contrasts, curves
from essparse_lib.records import cost, summary
from essparse_lib.specs.trial import Pruning
from essparse_lib.claims import c06_n_m_patterns
from essparse_lib.claims.pools import deciding

parameters.check(globals())
style.apply()
patterned = Pruning(pattern=pattern)
unstructured = Pruning(sparsity=patterned.sparsity)
study = interactive.checked_study(parameters.narrowed(figures.study("fig5", scale), model, tasks, seeds))
tasks_to_run = parameters.live_tasks(study, live_tasks)

# %% tags=["hide-input"]
records = figures.records(study)
records |= interactive.run(interactive.unrecorded(study, records, [patterned, unstructured], tasks_to_run), scale)
pairs = [(p, Pruning(sparsity=p.sparsity)) for variant in (fig5.M4, fig5.M8) for p in study.variants[variant]]
asked_pairs = [(patterned, Pruning()), (patterned, unstructured)]
all_contrasts = contrasts.contrasts(study, records, [*pairs, *asked_pairs])
differences = [c for c in all_contrasts if (c.pruning, c.baseline) in pairs]
verdict = c06_n_m_patterns.judge(study, records)

# %% tags=["remove-input", "finding"]
findings.box(verdict)

# %% [markdown]
# ## Patterns and unstructured pruning

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig5-curves", "caption": "Change of the score against the dense model, for patterns of M = 4 (thick line, with 95% interval; thin lines single seeds), of M = 8 (dotted), and for unstructured pruning of the same sparsities (dashed); a colour is a model. The grey dashed line lies one point below the dense model; marks at the bottom are essential sparsities with their intervals."}, "image": {"alt": "A panel for each task: three lines for each model of the change in points at 25, 50 and 75% of the weights removed.", "align": "center"}}
variants = {variant: curves.curves(study, records, variant) for variant in study.variants}
curve_plots.draw(variants[fig5.M4], variants={name: group for name, group in variants.items() if name != fig5.M4});

# %% tags=["remove-input"]
kinds = panels.by_model_and_variant(variants)
panel = panels.of_curves(
    kinds,
    "A line for each task, model and kind of pattern: the change from the dense model against the share of the weights removed.",
    shown=[kind for kind in kinds if kind.endswith(fig5.M4)],
    start=50,
)
panel_chart.show(panel)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig5-differences", "caption": "What a pattern costs beside its sparsity: its score less that of unstructured pruning at the same sparsity, the seeds paired, with 95% intervals. The shaded band is one point either way."}, "image": {"alt": "A panel for each task: differences in points with error bars at 25, 50 and 75% sparsity, for M = 4 and M = 8.", "align": "center"}}
contrast_plots.draw(differences, lambda c: f"M = {c.pruning.pattern.split(':')[1]}", patterned.sparsity);

# %% tags=["remove-input"]
contrast_plots.table(differences, {"pattern": lambda c: c.pruning.pattern}).style.hide(axis="index")

# %% tags=["remove-input"]
Markdown(f"{contrast_plots.tally(differences)} {curve_plots.unfalling(study, variants[fig5.M4])}")

# %% [markdown]
# ## By the pattern asked for

# %% tags=["remove-input"]
asked_contrasts = [c for c in all_contrasts if (c.pruning, c.baseline) in asked_pairs]
contrast_plots.table(asked_contrasts, {"pattern": lambda c: c.pruning.pattern, "against": lambda c: str(c.baseline)}).style.hide(axis="index")

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. Essential sparsity holds for N:M patterns, on OPT-350M (claim C6). Which
# patterns it does not say.
#
# **What is done here.** Of each M consecutive weights in a row the N largest stay {cite:p}`zhou2021learning`; then the model is fine-tuned as
# in [Figure 2](fig2.ipynb). Beside each pattern stands unstructured magnitude pruning at the same sparsity, with the same seed,
# head and data order. At lab scale the models are a public encoder and, as the paper's is a decoder, a small OPT that was pre-trained here,
# on little text ([Methods](../book/methods.md)).

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
Markdown(verdict.text)

# %% [markdown]
# C6 *agrees* if the mean loss of each of the lightest patterns, which remove a quarter of the weights, lies at or below one point by its
# whole 95% interval, and *differs* if one lies above after Holm's correction. The means are over the models and tasks that count; a new
# task, and each task by itself, stand beside them ([Methods](#verdict-rules)).
#
# **What would change our mind.** The paper's model and data (the `paper` scale of this notebook); more seeds, where the interval spans a point.

# %% [markdown]
# ## Task by task
#
# A row is a task, or a model on a task; [How to read this book](../book/how-to-read.md) explains the marks.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig5-forest", "caption": "The drop that each of the lightest patterns costs on each task with its 95% interval, and the tolerated loss as a broken line. Hollow grey circles are shown and do not count, for the reason in their row. The diamond is the mean of those that count, with its interval, which the verdict rests on; the thick bar is where the drop on a new task is expected, in 95% of cases. An arrow says that an interval goes on beyond the axis."}, "image": {"alt": "A row for each task: a dot with a horizontal bar; below them a diamond for the mean and a thick bar for a new task; a vertical broken line at one point.", "align": "center"}}
pools = c06_n_m_patterns.pools(study, records)
forest_plots.draw(deciding(pools));

# %% tags=["remove-input"]
Markdown(forest_plots.shared_texts(pools))

# %% [markdown]
# **What chance alone does.** How much the drop varies (standard deviation, in points) because training is repeated, because other examples are drawn, and both together.
# *Smallest that shows* is the smallest drop that these seeds and examples tell from none with a power of 80%. *One run shows* is where a single
# run without repetition lands in 95% of cases if the true drop is none.

# %% tags=["remove-input"]
noise_tables.floor_table(deciding(pools)).style.hide(axis="index")

# %% [markdown]
# **How sure it is that the drop lies within ε.** For each pattern the share of resamples in which the drop, on average over the tasks that count, is at most ε. The slider moves ε. It is
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
# **Would another reading say something else?** The mean with ε in points and in percent of the dense score, and with three readings of the noise: by the rule of the
# verdict; none from training, the examples alone; and with what the examples explain left in, so that it counts twice. [Methods](../book/methods.md) has the rule.

# %% tags=["remove-input"]
noise_tables.sensitivity_table(deciding(pools)).style.hide(axis="index")

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)

# %% [markdown]
# To run it again: `essparse run fig5`, then `papermill notebooks/fig5.ipynb out.ipynb -p pattern 2:4`.

# %% tags=["remove-input"]
paper = figures.study("fig5", "paper")
Markdown(cost.sentence(paper))

# %% tags=["remove-cell"]
parameters.glue_verdict(verdict)
