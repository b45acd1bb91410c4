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

from IPython.display import Markdown

from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.errors import check_sparsity
from essparse_lib.figures import curve_plots, fig3, findings, panel_chart, panels, parameters, points, style
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
fresh = interactive.run(interactive.unrecorded(study, records, [Pruning(sparsity=sparsity)], tasks_to_run), scale)
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

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig3-curves", "caption": "Change of the score against the dense model as one-shot magnitude pruning removes more, after fine-tuning, for each vision task. Thick lines are means over the seeds, thin lines single seeds, bands 95% intervals over seeds and evaluation images; the dashed line lies \u03b5 below the dense model; the mark at the bottom is the essential sparsity with its interval; the diamond is the point asked for; crosses, if any, are runs that diverged or failed. Each panel has its own vertical scale."}, "image": {"alt": "One panel for each vision task: the change from the dense model in points against the percentage of weights removed, flat at first and then falling, with interval bands.", "align": "center"}}
fig3.draw(all_curves, asked_points, epsilon);

# %% tags=["remove-input"]
panel = panels.of_curves(
    panels.by_model(all_curves),
    "A line for each task and model: the change from the dense model against the share of the weights removed.",
    start=100 * sparsity,
)
panel_chart.show(panel)

# %% tags=["remove-input"]
curve_plots.table(all_curves, epsilon).style.hide(axis="index")

# %% [markdown]
# ## At the sparsity asked for

# %% tags=["remove-input"]
nothing = f"Nothing has been run at a sparsity of {sparsity:g}: name a task in `live_tasks` to run it."
Markdown("\n\n".join(map(points.sentence, asked_points)) or nothing)

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. ViT-Base and ViT-Large keep their performance on CIFAR-10, CIFAR-100 and Tiny-ImageNet up to
# an essential sparsity as models of language do (claim C1), and beyond it fall more sharply than these (C4). What sharp means is not said, and each
# point is one run.
#
# **What is done here.** The weights are pruned and the models fine-tuned as in [Figure 2](fig2.ipynb). At lab scale the models are small vision
# transformers that were trained here, from random weights, on the classes of CIFAR-10 ([Figure 6](fig6.ipynb) tells how well). *Sharp* is made a number:
# the slope of the curve after the point where it turns.

# %% [markdown]
# ## How sharp the turn is
#
# Two straight lines that meet are fitted to each curve; the slope of the second is what is lost per further tenth of the weights. In points, a task of ten
# classes has much more to lose than one of two. So the slope is also given as a share of all that there is to lose: what the dense model scores above
# always saying the commonest class.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig3-turns", "caption": "Slope of each curve after the point where it turns, per tenth of the weights: left in points, right in percent of what the dense model scores above always saying the commonest class. Bars are 95% intervals over seeds and evaluation examples, dashed lines the means of the curves that count. Hollow points do not count: among them are the vision models that were trained for longer, which are told beside. A curve without a bend has no row."}, "image": {"alt": "Two panels of horizontal error bars, a row for each model and task, vision, vision models trained for longer and language in different colours: the slope after the turn in points, and as a share of what can be lost.", "align": "center"}}
fig3.draw_turns(all_turns);

# %% tags=["remove-input"]
fig3.table(all_turns).style.hide(axis="index")

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
Markdown(sharp.text)

# %% tags=["remove-input"]
Markdown(verdict.text)

# %% [markdown]
# The models learned the classes of `cifar10` in their pre-training, from 25 times as many labels as the fine-tuning has; the other tasks are new to them. Its
# curves count here all the same, unlike in [Figure 6](fig6.ipynb), where models that know the classes meet models that do not; the words on C4 give
# the difference without them as well, once there is one. They also say what it would be with models that learned the same classes for longer, which [Figure 6](fig6.ipynb) tells of.
#
# C4 is *not tested*, whatever these curves look like. A curve without a turn has no slope after it and is left out: what is compared was chosen by what was measured of it. And the two sides differ in architecture, size,
# pre-training and tasks as well as in what they read. Both differences, of the share and in points, are shown for whoever wants to see them. The unit is the curve, one model on one task. Curves of one
# model, or on one task, have more in common than the interval allows for: at lab scale those in vision are of two pre-trainings of one architecture on the same tasks. The rule for C1 is that of [Figure 2](fig2.ipynb).
#
# A fairer comparison would be with the models of language that were trained here, from random weights, as the vision transformers are. As far as theirs have no turn
# in the table, vision is held against the public model alone, which was distilled from a larger one and then trained on a billion pairs of sentences.
#
# **What would test it.** Models of one architecture, size and pre-training that read images and texts, and a measure of sharpness that every curve has: a slope may be the task's, the model's or its size's as well as the modality's. The paper's ViTs,
# at 86 and 307 million parameters and pre-trained on millions of images, are the `paper` scale of this notebook.

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)

# %% [markdown]
# C4 also rests on the records of the models of language, and of the vision models that were trained for longer. Where those come from stands on the pages of
# [Figure 2](fig2.ipynb), [Figure 8](fig8.ipynb) and [Figure 6](fig6.ipynb), and `essparse run fig2`, `fig8` and `fig6` make them.
#
# To run it again: `essparse run fig3`, then `papermill notebooks/fig3.ipynb out.ipynb -p sparsity 0.4`.

# %% tags=["remove-input"]
paper = figures.study("fig3", "paper")
Markdown(cost.sentence(paper))

# %% tags=["remove-cell"]
parameters.glue_verdict(sharp)
