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
# **Question.** Hardware multiplies faster if at most N of each M consecutive weights are not zero. Does essential sparsity hold
# under such a pattern? Or does the pattern cost more than unstructured pruning at the same sparsity?

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
from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.figures import contrast_plots, curve_plots, fig5, findings, forest_plots, html, noise_tables, panel_chart, panels, parameters, style, tables, within_panels
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
records |= interactive.run_for(study, records, interactive.unrecorded(study, records, [patterned, unstructured], tasks_to_run))
pairs = [(p, Pruning(sparsity=p.sparsity)) for variant in (fig5.M4, fig5.M8) for p in study.variants[variant]]
asked_pairs = [(patterned, Pruning()), (patterned, unstructured)]
all_contrasts = contrasts.contrasts(study, records, [*pairs, *asked_pairs])
differences = [c for c in all_contrasts if (c.pruning, c.baseline) in pairs]
verdict = c06_n_m_patterns.judge(study, records)

# %% tags=["remove-input", "finding"]
findings.box(verdict)

# %% [markdown]
# ## Patterns and unstructured pruning

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig5-curves", "caption": "Change of the score against the dense model: patterns with M = 4 (thick), with M = 8 (dotted), and unstructured pruning at the same sparsity (dashed). A panel is a task, a colour a model. Marks: [How to read](../book/how-to-read.md)."}, "image": {"alt": "A panel for each task: three lines for each model of the change in points at 25, 50 and 75% of the weights removed.", "align": "center"}}
variants = {variant: curves.curves(study, records, variant) for variant in study.variants}
curve_plots.draw(variants[fig5.M4], variants={name: group for name, group in variants.items() if name != fig5.M4});

# %% tags=["remove-input"]
kinds = panels.by_model_and_variant(variants)
panel = panels.of_curves(
    kinds,
    "A line for each task, model and kind of pattern: the change from the dense model against the share of the weights removed.",
    shown=[kind for kind in kinds if kind.endswith((fig5.M4, fig5.FREE))],
    start=50,
)
panel_chart.show(panel)

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig5-differences", "caption": "What a pattern costs beyond its sparsity: its score minus that of unstructured pruning at the same sparsity, on the same seeds, with 95% intervals. The shaded band is one point either way."}, "image": {"alt": "A panel for each task: differences in points with error bars at 25, 50 and 75% sparsity, for M = 4 and M = 8.", "align": "center"}}
contrast_plots.draw(differences, lambda c: f"M = {c.pruning.pattern.split(':')[1]}", patterned.sparsity);

# %% tags=["remove-input"]
tables.show(contrast_plots.table(differences, {"pattern": lambda c: c.pruning.pattern}).drop(columns="sparsity"), collapsed="The differences as a table")

# %% tags=["remove-input"]
html.paragraphs(f"{contrast_plots.tally(differences)}\n\n{curve_plots.unfalling(study, variants[fig5.M4])}")

# %% [markdown]
# ## With the pattern chosen

# %% tags=["remove-input"]
asked_contrasts = [c for c in all_contrasts if (c.pruning, c.baseline) in asked_pairs]
html.paragraphs(f"**With {patterned.pattern}**, against the dense model and against unstructured pruning at the same sparsity:")

# %% tags=["remove-input"]
tables.show(contrast_plots.table(asked_contrasts, {"against": lambda c: str(c.baseline)}).drop(columns="sparsity"))

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. Essential sparsity holds for N:M patterns, on OPT-350M (claim C6). The paper does not say which
# patterns.
#
# **What is done here.** Of each M consecutive weights in a row the N largest stay {cite:p}`zhou2021learning`. Then the model is fine-tuned as
# in [Figure 2](fig2.ipynb). Each pattern is compared with unstructured magnitude pruning at the same sparsity, with the same seed,
# head and data order. At lab scale the models are a public encoder and, as the paper's model is a decoder, a small OPT. This OPT was pre-trained here,
# on little text ([Methods](../book/methods.md)).

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
html.paragraphs(verdict.text)

# %% [markdown]
# C6 *agrees* if the mean loss of each of the lightest patterns, which remove a quarter of the weights, lies at or below one point by its
# whole 95% interval. It *differs* if the interval of one lies above, after Holm's correction. The means are over the models and tasks that count. A new
# task, and each task by itself, are shown for comparison; they are not used for the verdict ([Methods](#verdict-rules)).
#
# **What would change our mind.** The paper's model and data (the `paper` scale of this notebook); more seeds, where the interval spans a point.

# %% [markdown]
# ## Task by task
#
# Each row is a task, or a model on a task. [How to read](../book/how-to-read.md) explains the marks.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig5-forest", "caption": "Drop with the lightest patterns, by task, with 95% intervals. Hollow grey circles do not count, for the reason in their row. The diamond is the mean that the verdict rests on."}, "image": {"alt": "A row for each task: a dot with a horizontal bar; below them a diamond for the mean and a thick bar for a new task; a vertical broken line at one point.", "align": "center"}}
pools = c06_n_m_patterns.pools(study, records)
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
tables.show(noise_tables.sensitivity_table(deciding(pools)))

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
tables.show(summary.provenance(study, records).reset_index(names="about"), collapsed="Records, code, devices and weights")

# %% [markdown]
# To run it again: `essparse run fig5`, then `papermill notebooks/fig5.ipynb out.ipynb -p pattern 2:4`.

# %% tags=["remove-input"]
paper = figures.study("fig5", "paper")
html.paragraphs(cost.sentence(paper))

# %% tags=["remove-cell"]
parameters.glue_verdict(verdict)
