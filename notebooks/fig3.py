# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure 3: one-shot pruning on vision tasks
#
# **Question.** How many of a vision transformer's weights can be removed by magnitude before its performance falls, and does it then fall
# more sharply than that of a model of language?

# %% tags=["remove-input", "setup"]
from importlib.util import find_spec

from IPython import get_ipython

if find_spec("essparse_lib") is None:  # as in Colab
    get_ipython().run_line_magic("pip", "install -q 'essparse[draw,images] @ git+https://github.com/essential-sparsity/companion'")

# %% tags=["parameters", "hide-input"]
sparsity: float = 0.4  # the point to name and to mark
model: str = "all"  # the models, such as "vit-4x192-supervised-0"; "all": those of the scale
tasks: str = "all"  # the tasks, such as "cifar10,elpv"; "all": those of the scale
scale: str = "lab"  # "tiny", "lab" or "paper"
seeds: str = "all"  # the seeds, such as "0,1"
live_tasks: str = "none"  # where the point is run if it has no record: "first", "none", "all", or names
epsilon: float = 1.0  # the tolerated loss, in points

# %% tags=["hide-input"]
from dataclasses import replace

from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.errors import check_sparsity
from essparse_lib.figures import curve_plots, curve_tables, fig3, findings, html, panel_chart, panels, parameters, points, style, tables
from essparse_lib.records import cost, summary
from essparse_lib.analysis import curves, turns
from essparse_lib.claims import c01_essential_sparsity, c04_sharper_in_vision
from essparse_lib.specs.trial import Pruning

parameters.check(globals())
style.apply()
sparsity = check_sparsity(sparsity)
study = interactive.checked_study(parameters.narrowed(figures.study("fig3", scale), model, tasks, seeds))
tasks_to_run = parameters.live_tasks(study, live_tasks)

# %% tags=["hide-input"]
records = figures.records(study, *fig3.compared_with(study))
fresh = interactive.run_for(study, records, interactive.unrecorded(study, records, [Pruning(sparsity=sparsity)], tasks_to_run))
records |= fresh
all_curves = curves.curves(study, records)
asked_points = points.at_sparsity(study, records, sparsity, live=fresh)
seen = turns.turns(study, all_curves, fig3.VISION)
longer, read = fig3.longer(study, records), fig3.language(scale, records)
all_turns = [*seen, *turns.for_comparison_only(longer), *read]
sharp = c04_sharper_in_vision.judge(study, seen, read, longer)
verdict = replace(c01_essential_sparsity.judge(study, all_curves), claim="C1 in vision")

# %% tags=["remove-input", "finding"]
findings.box(sharp, verdict)

# %% [markdown]
# ## The curve

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig3-curves", "caption": "Change of the score against the dense model, after one-shot magnitude pruning and fine-tuning. A panel is a vision task, a colour a model. Marks: [How to read](../book/how-to-read.md)."}, "image": {"alt": "One panel for each vision task: the change from the dense model in points against the percentage of weights removed, flat at first and then falling, with interval bands.", "align": "center"}}
fig3.draw(all_curves, asked_points, epsilon);

# %% tags=["remove-input"]
panel = panels.of_curves(
    panels.by_model(all_curves),
    "A line for each task and model: the change from the dense model against the share of the weights removed.",
    start=100 * sparsity,
)
panel_chart.show(panel)

# %% tags=["remove-input"]
tables.show(curve_tables.table(all_curves, epsilon))

# %% tags=["remove-input"]
tables.show(curve_tables.tolerance_table(all_curves, epsilon), collapsed="Commonest class, and ε in percent of the dense score")

# %% [markdown]
# ## At the sparsity chosen

# %% tags=["remove-input"]
html.paragraphs(points.heading(asked_points, sparsity))

# %% tags=["remove-input"]
tables.show(points.table(asked_points)) if asked_points else None

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. ViT-Base and ViT-Large keep their performance on CIFAR-10, CIFAR-100 and Tiny-ImageNet up to
# an essential sparsity, as language models do (claim C1). Beyond it they fall more sharply than language models (C4). The paper does not define "sharply", and each
# point is one run.
#
# **What is done here.** The weights are pruned and the models fine-tuned as in [Figure 2](fig2.ipynb). At lab scale the models are small vision
# transformers that were trained here, from random weights, on the classes of CIFAR-10. [Figure 6](fig6.ipynb) shows how well they learned them.
# The tasks are CIFAR-10 (objects), Fashion-MNIST (clothes) and ELPV (defects of solar cells). *Sharp* is made a number: the slope of the curve after the point where it turns.

# %% [markdown]
# ## How sharp the turn is
#
# Two straight lines that meet are fitted to each curve. The slope of the second line is what is lost per extra 10% sparsity. In points, a task of ten
# classes has much more to lose than a task of two. So the slope is also given in percent of the score above chance: what the dense model scores above the commonest class.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig3-turns", "caption": "What each curve loses per extra 10% sparsity after its turning point, with 95% intervals: in points (left), in percent of the score above chance (right). Hollow points do not count. Curves without a bend have no row."}, "image": {"alt": "Two panels of horizontal error bars, a row for each model and task, vision, vision models trained for longer and language in different colours: the slope after the turn in points, and as a share of what can be lost.", "align": "center"}}
fig3.draw_turns(all_turns);

# %% tags=["remove-input"]
tables.show(fig3.table(all_turns))

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
html.paragraphs(sharp.text)

# %% tags=["remove-input"]
html.paragraphs(verdict.text)

# %% [markdown]
# The models learned the classes of CIFAR-10 in their pre-training, from 25 times as many labels as the fine-tuning has. The other tasks are new to them. The curves on CIFAR-10
# count here all the same, unlike in [Figure 6](fig6.ipynb), where models that know the classes meet models that do not. The text on C4 also gives
# the difference without these curves, once there is one. And it gives the difference with models that learned the same classes for longer, which are on the page of [Figure 6](fig6.ipynb).
#
# C4 *cannot be tested here*, whatever these curves look like, for three reasons:
#
# - A curve without a turn has no slope after it and is left out. So the measurement itself selects what is compared.
# - The two sides differ in architecture, size, pre-training and tasks as well as in modality.
# - Curves of one model, or on one task, have more in common than the interval allows for. At lab scale the vision curves come from two pre-trainings of one architecture, on the same tasks.
#
# Both differences, of the share and in points, are shown for comparison. The unit is the curve: one model on one task. The rule for C1 is that of [Figure 2](fig2.ipynb).
#
# A fairer comparison would use the language models that were trained here from random weights, as the vision transformers are. If their curves have no turn
# in the table, vision is compared with the public model alone. That model was distilled from a larger one and then trained on a billion pairs of sentences.
#
# **What would test it.** Models of one architecture, size and pre-training that read images and texts, and a measure of sharpness that every curve has. Otherwise a slope may come from the task, the model or its size as well as from the modality.
# The paper's ViTs have 86 and 307 million parameters and were pre-trained on millions of images: the `paper` scale of this notebook.

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
tables.show(summary.provenance(study, records).reset_index(names="about"), collapsed="Records, code, devices and weights")

# %% [markdown]
# C4 also uses the records of the language models, and of the vision models that were trained for longer. The pages of
# [Figure 2](fig2.ipynb), [Figure 8](fig8.ipynb) and [Figure 6](fig6.ipynb) give their sources. `essparse run fig2`, `fig8` and `fig6` make them.
#
# To run it again: `essparse run fig3`, then `papermill notebooks/fig3.ipynb out.ipynb -p sparsity 0.4`.

# %% tags=["remove-input"]
paper = figures.study("fig3", "paper")
html.paragraphs(cost.sentence(paper))

# %% tags=["remove-cell"]
parameters.glue_verdict(sharp)
