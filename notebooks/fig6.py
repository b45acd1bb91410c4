# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure 6: supervised against self-supervised pre-training
#
# **Question.** Can more weights be removed from a vision transformer that was pre-trained without labels than from one that was pre-trained with them?

# %% tags=["remove-input", "setup"]
from importlib.util import find_spec

from IPython import get_ipython

if find_spec("essparse_lib") is None:  # as in Colab
    get_ipython().run_line_magic("pip", "install -q 'essparse[draw,images] @ git+https://github.com/essential-sparsity/companion'")

# %% tags=["parameters", "hide-input"]
sparsity: float = 0.4  # the point to mark
tasks: str = "all"  # the tasks, such as "cifar10,elpv"; "all": those of the scale
scale: str = "lab"  # "tiny", "lab" or "paper"
seeds: str = "all"  # the seeds of the fine-tuning, such as "0,1"
epsilon: float = 1.0  # the tolerated loss, in points

# %% tags=["hide-input"]
from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.errors import check_sparsity
from essparse_lib.figures import fig6, fig6_floor, fig6_learned, fig6_tables, findings, html, panel_chart, parameters, prunability_plots, style, tables
from essparse_lib.records import cost, store, summary
from essparse_lib.analysis import curves, prunability
from essparse_lib.claims import c07_self_supervision, prunability_clauses

parameters.check(globals())
style.apply()
sparsity = check_sparsity(sparsity)
study = interactive.checked_study(parameters.narrowed(figures.study("fig6", scale), "all", tasks, seeds, live=False))

# %% tags=["hide-input"]
records = figures.records(study)
records |= interactive.run_for(study, records, interactive.unrecorded(study, records, [], []))
all_curves = curves.curves(study, records)
floor = fig6_floor.floor_curves(study, records)
deciding, *others = fig6.comparisons(study)
verdict = c07_self_supervision.judge(study, records, all_curves, deciding, others)

# %% tags=["remove-input", "finding"]
findings.box(verdict, words=fig6_tables.equal_time(study, records))

# %% [markdown]
# ## Drop against sparsity

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig6-curves", "caption": "Change of the score against the dense model, after pruning and fine-tuning. First panel: the mean over learned tasks with classes not seen in pre-training. Dotted black: random weights. [How to read](../book/how-to-read.md)."}, "image": {"alt": "Panels of the change from the dense model against the percentage of weights removed: supervised, DINO and other pre-trainings in different colours, two lines each.", "align": "center"}}
fig6.draw(study, all_curves, sparsity, epsilon, floor);

# %% tags=["remove-input"]
panel = fig6.panel(
    study,
    all_curves,
    "A line for each pre-trained model and task: the change from the dense model against the share of the weights removed.",
    start=100 * sparsity,
)
panel_chart.show(panel)

# %% [markdown]
# Essential sparsity in percent, for each pre-trained model and task:

# %% tags=["remove-input"]
tables.show(fig6_tables.essential_table(study, all_curves, epsilon))

# %% tags=["remove-input"]
tables.show(fig6_tables.dense_table(study, all_curves), collapsed="Scores without pruning")

# %% tags=["remove-input"]
html.paragraphs(fig6_learned.learned_again(study, records, all_curves))

# %% [markdown]
# All models are fine-tuned in the same way: a new head, at most 2,000 images, and one learning rate. This rate suits models that must learn a task from the beginning.
# A model that knows the classes already may therefore lose some of its accuracy.

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. DINO-Base {cite:p}`caron2021emerging` is more robust than ViT-Base on every task, with no drop up to
# 30–40%, and has 14.37% more zero weights (claim C7).
#
# **What is done here.** The paper compares two published models: a ViT trained on the 14 million labelled images of ImageNet-21k, and a DINO trained on
# the 1.3 million images of ImageNet-1k. They differ in objective, images and length of training.
# At lab scale all models have the same architecture and the same training images, those of CIFAR-10. Each objective has two pre-trainings, which differ in their seed.
#
# - *Supervised* and *DINO* see equally many images.
# - DINO takes longer for an image, because it looks at several views of it. *Supervised for as long* is trained with labels for as much time as DINO takes.
# - *Masked images* fills in hidden patches {cite:p}`xie2022simmim`. It shows whether another kind of self-supervision does the same as DINO.

# %% tags=["remove-input"]
html.paragraphs(" ".join(filter(None, (summary.missing(study, records), summary.added(study, store.results(scale).records_of_studies(study))))))

# %% [markdown]
# ## What the pre-trainings learned

# %% tags=["remove-input"]
tables.show(fig6_learned.quality_table(study, records))

# %% [markdown]
# Accuracies on CIFAR-10's test images, in percent, without fine-tuning.
#
# - *k-NN*: the 20 nearest of all 50,000 training images vote, weighted by their cosine similarity. *Linear probe*: a linear classifier on the features.
# - The features are those of the class token, which fine-tuning uses as well. *Patches*: the mean over the patches, which masked images train directly.
# - *Its own head*: the classifier that a supervised model was trained with. The self-supervised models saw no label.
#
# Why is k-NN on pixels so high? Published values of about 34–40% are for Euclidean distance between raw pixels. Here images are standardised by channel and compared by
# cosine, which ignores contrast. The features are compared in the same way.
#
# What pre-training adds to k-NN, in points:

# %% tags=["remove-input"]
tables.show(fig6_learned.gains_table(study, records))

# %% [markdown]
# Ten passes over 50,000 images are few for learning without labels: DINO's authors made hundreds, over 1.3 million images. DINO is compared here after equal training, not after enough training.

# %% tags=["remove-input"]
tables.show(fig6_learned.cost_table(study, records))

# %% [markdown]
# The steps of *supervised for as long* take DINO's time on a quiet machine (`benchmarks/vision.py`). The minutes in the table are from machines that had other work as well.

# %% tags=["remove-input"]
html.paragraphs(fig6_learned.published())

# %% [markdown]
# These models {cite:p}`hassani2021escaping` have six and seven blocks; ours have four. They were trained with strong augmentation. Our copy of CIFAR-10
# differs a little from the original ([Data](../book/data.md)).

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig6-learning", "caption": "What was measured during pre-training, against the images seen. Colours are objectives, line styles pre-trainings. Dotted: the largest possible entropy. Losses are those of 256 test images, in each objective's own unit."}, "image": {"alt": "A panel for each quantity, such as k-NN accuracy and each objective's loss, against images seen, with a line for each pre-training.", "align": "center"}}
fig6_learned.draw_learning(study, records);

# %% [markdown]
# During training, k-NN uses 500 test images and 2,000 training images, so it is mostly lower than in the table. The entropies, in nats, are those of DINO's teacher. A
# collapsed teacher gives every image the same output: both entropies are 0 or both are at the dotted line, and the k-NN accuracy falls.

# %% [markdown]
# ## The floor: no pre-training
#
# How much of the loss to pruning comes from pre-training? The same vision transformer is fine-tuned from random weights, with the same tasks, settings
# and seeds. It has only its task to lose. It is shown for comparison and not used for the verdict; its rule was [written down](../book/methods.md) before the run.

# %% tags=["remove-input"]
html.paragraphs(fig6_floor.answer(study, records, all_curves))

# %% tags=["remove-input"]
tables.show(fig6_floor.table(study, all_curves, floor))

# %% [markdown]
# *Above the floor*: the dense score minus that from random weights. Intervals are over fine-tunings and test images. They leave out the difference that another pre-training would make.

# %% [markdown]
# ## What the objective does

# %% tags=["remove-input"]
tables.show(fig6_tables.effect_table(study, all_curves))

# %% [markdown]
# Each column compares the models of two objectives: the mean of those before the minus sign, minus the mean of those after it. The means are over learned tasks with classes not seen in
# pre-training. A negative drop, in points, or a positive essential sparsity, in points of sparsity, says that the models before the sign are more robust.
# The 95% intervals come from the spread between pre-trainings. Of so many intervals, one or two miss zero by chance alone.

# %% [markdown]
# ## Without fine-tuning
#
# Here pruned models are not fine-tuned. Their features are frozen, and the classes of the test images are predicted from them, by the nearest training images and by a linear classifier.
# This leaves out what fine-tuning recovers, and its noise.

# %% tags=["remove-input"]
features = prunability.feature_curves(study, records)
loss_curves = prunability.loss_curves(study, records)
styles = fig6.named_line_styles(study)
html.paragraphs(" ".join(filter(None, (prunability_plots.unmeasured(study, records, kind) for kind in ("feature-accuracy", "held-out-loss")))))

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig6-features", "caption": "Accuracy of nearest neighbours on the frozen features of pruned models, against sparsity. Up to 2,000 training and 2,000 test images, the same for all models. Dotted: the commonest class."}, "image": {"alt": "A panel for each task: the accuracy of nearest neighbours on the features against the percentage of weights removed, a line for each pre-trained model.", "align": "center"}}
prunability_plots.draw_features(features, styles);

# %% tags=["remove-input"]
tables.show(prunability_plots.feature_table(features, styles))

# %% tags=["remove-input"]
statements = [prunability_clauses.pruned_features(study, records, deciding, reading).clause.text for reading in prunability_clauses.READINGS]
html.paragraphs("Shown for comparison with C7; not used for the verdict:\n\n" + "\n".join(f"- {statement}." for statement in statements))

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig6-emergence", "caption": "Prunability during pre-training, by each model's own loss on held-out images. Left: the sparsity at which the loss rises by 1%. Right: the share of what was learned that is lost with half of the weights."}, "image": {"alt": "Two panels against pre-training steps: the sparsity at which each objective's loss rises by 1%, and the share of what was learned that is lost at half the weights; a line for each pre-training.", "align": "center"}}
prunability_plots.draw_emergence(study, loss_curves, styles);

# %% [markdown]
# In DINO the student is pruned and compared with the whole teacher. A model has no point if its loss rises by less than 1% at any sparsity, or is not below the loss at the first step.

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
html.paragraphs(verdict.text)

# %% [markdown]
# Two quantities decide C7, after equally many images:
#
# - *Robustness*: how many points less the DINO models lose. It is the mean of the drops at 10, 20, … and 60%, over learned tasks with classes not seen in pre-training. The smallest
#   effect that would matter is one point.
# - *Zeros*: how many percent more weights the DINO models have below a hundredth of their matrix's standard deviation. The smallest effect that would matter is the paper's 14.37%.
#
# A quantity *agrees* if its 95% interval lies above 0 and reaches the smallest effect. It *differs* if its interval lies below that effect. Otherwise it is *inconclusive*. The claim *agrees* if both
# quantities agree, *differs* if one of them differs, and is *inconclusive* otherwise. [Methods](../book/methods.md) has the reasons.
#
# Shown for comparison; not used for the verdict: the essential sparsities, CIFAR-10, and the comparisons after equal time, with masked images, and of the two lengths of training.
# CIFAR-10 is not used because only the supervised models have seen its labels, 25 times as many as the fine-tuning has. [Figure 7](fig7.ipynb) has the zeros by every reading.
#
# **What the controlled comparison adds.** The paper's two models differ in objective, images, labels and length of training at once. Here they differ only in the
# objective and what belongs to it: the views of an image and, in DINO, the moving average of the weights ([Figure 7](fig7.ipynb) shows what this does to the zeros).
# *Longer − shorter supervised training* shows the effect of length alone. If masked images and DINO point in opposite directions, self-supervision as such is not the cause.
# None of this shows what happens on a million images, where the objectives may first differ.
#
# A model that loses little is not always robust. A model that brings little from pre-training into a task has little to lose, and its score after fine-tuning does not
# show how much that was.
#
# **What would change our mind.** More pre-trainings of each objective, and longer ones on more images. The `paper` scale of this notebook has the paper's two checkpoints. There is one of each, so
# they cannot separate the objective from the other differences.
#
# **Which pre-trainings come next** was decided by a rule before the run. If DINO's k-NN accuracy lies less than half as far above that of pixels as the supervised models' does, longer pre-trainings
# come first. Otherwise more of the same length come first.

# %% tags=["remove-input"]
html.paragraphs(fig6_learned.next_pretrainings(study, records))

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)

# %% [markdown]
# To run it again: `essparse run fig6`, then `papermill notebooks/fig6.ipynb out.ipynb -p sparsity 0.4`.

# %% tags=["remove-input"]
paper = figures.study("fig6", "paper")
html.paragraphs(cost.sentence(paper))

# %% tags=["remove-cell"]
parameters.glue_verdict(verdict)
