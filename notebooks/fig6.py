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
from IPython.display import Markdown

from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.errors import check_sparsity
from essparse_lib.figures import fig6, fig6_floor, fig6_learned, findings, panel_chart, parameters, prunability_plots, style
from essparse_lib.records import cost, store, summary
from essparse_lib.analysis import curves, prunability
from essparse_lib.claims import c07_self_supervision, prunability_clauses

parameters.check(globals())
style.apply()
sparsity = check_sparsity(sparsity)
study = interactive.checked_study(parameters.narrowed(figures.study("fig6", scale), "all", tasks, seeds, live=False))

# %% tags=["hide-input"]
records = figures.records(study)
records |= interactive.run(interactive.unrecorded(study, records, [], []), scale)
all_curves = curves.curves(study, records)
floor = fig6_floor.floor_curves(study, records)
deciding, *others = fig6.comparisons(study)
verdict = c07_self_supervision.judge(study, records, all_curves, deciding, others)

# %% tags=["remove-input", "finding"]
findings.box(verdict)

# %% [markdown]
# ## Drop against sparsity

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig6-curves", "caption": "Change of the score against the dense model as one-shot magnitude pruning removes more, after fine-tuning: the mean over the tasks that every model learned and none was pre-trained to tell, if there are several, and each task. A line is one pre-trained model, the mean of its fine-tunings, with their 95% interval but for the mean over tasks; colours are objectives, line styles pre-training seeds. The dotted black line, in the panels of tasks, is the same model fine-tuned from random weights, once all its records are there. The dashed grey line lies \u03b5 below the dense model, the vertical one is the point asked for. Each panel has its own vertical scale."}, "image": {"alt": "Panels of the change from the dense model against the percentage of weights removed: supervised, DINO and other pre-trainings in different colours, two lines each.", "align": "center"}}
fig6.draw(study, all_curves, sparsity, epsilon, floor);

# %% tags=["remove-input"]
panel = fig6.panel(
    study,
    all_curves,
    "A line for each pre-trained model and task: the change from the dense model against the share of the weights removed.",
    start=100 * sparsity,
)
panel_chart.show(panel)

# %% tags=["remove-input"]
fig6.essential_table(study, all_curves, epsilon).style.hide(axis="index")

# %% tags=["remove-input"]
Markdown(fig6_learned.learned_again(study, records, all_curves))

# %% [markdown]
# The fine-tuning is the same for all models and tasks: a new head, at most 2,000 images as they are, and the rate that suits models that must learn their task anew. Models that
# know the classes already may end below what they knew.

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. DINO-Base {cite:p}`caron2021emerging` is more robust than ViT-Base on every task, with no drop up to
# 30–40%, and has 14.37% more zero weights (claim C7).
#
# **What is done here.** The paper compares two models that it found: a ViT trained on the 14 million labelled images of ImageNet-21k and a DINO trained on
# the 1.3 million of ImageNet-1k, for as long as their authors chose. What differs between them may be the objective, or the images, or the training.
# At lab scale the objectives meet on the same architecture, the same training images of CIFAR-10 and the same number of images seen, each with two seeds.
# DINO looks at several views of each image and takes longer for it, so a third kind of model is trained with labels for as long as DINO takes. A fourth
# fills in hidden patches {cite:p}`xie2022simmim`: it hints at whether it is self-supervision that matters, or DINO.

# %% tags=["remove-input"]
Markdown(" ".join(filter(None, (summary.missing(study, records), summary.added(study, store.results(scale).records_of_studies(study))))))

# %% [markdown]
# ## What the pre-trainings learned

# %% tags=["remove-input"]
fig6_learned.quality_table(study, records).style.hide(axis="index")

# %% [markdown]
# Accuracies on the test images, in percent. *k-NN*: by the classes of the nearest training images, as the features of the model place them, with nothing
# trained. *Linear probe*: a linear classifier on the features. The features are the class token's, with which all models are fine-tuned as well; *patches*: the mean over
# the patches, which is all that hidden images teach directly; *random weights*: of the model before its training; *pixels*: the images themselves.
# *Own head*: of the classifier that a supervised model was trained with. While they were pre-trained the self-supervised models saw no label.

# %% tags=["remove-input"]
Markdown(fig6_learned.lifted(study, records))

# %% [markdown]
# Ten passes over 50,000 images are few for learning without labels: DINO's authors took hundreds, over 1.3 million. So DINO is compared here as it is after as much training, not after enough.

# %% tags=["remove-input"]
fig6_learned.cost_table(study, records).style.hide(axis="index")

# %% [markdown]
# *Supervised for as long* has so many steps as take DINO's time in turns on a quiet machine (`benchmarks/vision.py`); minutes here are those of machines that had other work as well.

# %% tags=["remove-input"]
Markdown(fig6_learned.published())

# %% [markdown]
# These {cite:p}`hassani2021escaping` have six and seven blocks where ours have four, and were trained with strong augmentation. The copy of CIFAR-10 that our records
# were made with is not the original to the last bit ([Data](../book/data.md)).

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig6-learning", "caption": "What was looked at while the models were pre-trained, against the images seen: a panel a quantity, a colour an objective, a line style a seed. Entropies, in nats, are DINO's alone. Had it collapsed, its teacher would say the same of every image: both entropies would be 0, or both as large as can be, which is the dotted line, and the k-NN accuracy would fall. While a model is trained, this accuracy is that of 500 test images among 2,000 training images, and mostly lower than in the table, which takes all; it is by the class token, which filling in hidden patches does not teach directly. Losses are those of 256 test images, each objective's in a unit of its own: the mean absolute error of hidden pixels in standard deviations of the channel."}, "image": {"alt": "A panel for each quantity, such as k-NN accuracy and each objective's loss, against images seen, with a line for each pre-training.", "align": "center"}}
fig6_learned.draw_learning(study, records);

# %% [markdown]
# ## The floor: no pre-training
#
# How much of what these models lose did pre-training give them? The same vision transformer is fine-tuned from random weights, those that the first supervised model began with, on the same tasks with the same settings
# and seeds, at the sparsities that decide C7. It has its task alone to lose. It decides nothing, and how it is read was [written down](../book/methods.md) before it was run.

# %% tags=["remove-input"]
Markdown(fig6_floor.answer(study, records, all_curves))

# %% tags=["remove-input"]
fig6_floor.table(study, all_curves, floor).style.hide(axis="index")

# %% [markdown]
# *Above the floor*: the dense score less that from random weights. Intervals are those of the fine-tunings and the test images, and leave out what another pre-training would give.

# %% [markdown]
# ## What the objective does

# %% tags=["remove-input"]
fig6.effect_table(study, all_curves)

# %% [markdown]
# Differences between the means of the models of one objective and those of another, over the tasks that all of them learned and none was pre-trained to tell: of the drop in points, where a
# negative number says that the first are more robust, and of the essential sparsity in points of sparsity, where a positive one does. Brackets are
# 95% intervals from the spread between pre-trainings, of which there are few; of so many intervals one or two miss zero by chance alone.

# %% [markdown]
# ## Without fine-tuning
#
# What a pruned model still knows shows without fine-tuning, too: its features are frozen, and the classes of the test images are read from them, by the nearest training images and by a linear classifier. So the
# recovery that fine-tuning brings, and its noise, are left out.

# %% tags=["remove-input"]
features = prunability.feature_curves(study, records)
loss_curves = prunability.loss_curves(study, records)
styles = fig6.line_styles(study, study.models)
Markdown(" ".join(filter(None, (prunability_plots.unmeasured(study, records, kind) for kind in ("feature-accuracy", "held-out-loss")))))

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig6-features", "caption": "Accuracy of the nearest neighbours by the features of pruned models that are not fine-tuned, against sparsity: a panel for each task, a line for each pre-trained model; the dotted line is always saying the commonest class. Up to 2,000 training and 2,000 test images, the same for all. Each panel has its own vertical scale."}, "image": {"alt": "A panel for each task: the accuracy of nearest neighbours on the features against the percentage of weights removed, a line for each pre-trained model.", "align": "center"}}
prunability_plots.draw_features(features, styles);

# %% tags=["remove-input"]
prunability_plots.feature_table(features).style.hide(axis="index")

# %% tags=["remove-input"]
statements = [prunability_clauses.pruned_features(study, records, deciding, reading).clause.text for reading in prunability_clauses.READINGS]
Markdown(f"Beside C7, and deciding nothing: {'; '.join(statements)}.")

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig6-emergence", "caption": "How prunability emerges, by each model's own objective on held-out images. Left: the sparsity at which the loss, without fine-tuning, is 1% above that of the whole model, against the pre-training steps. Right: how much half of the weights hold of what was learned since the first step. Of DINO the student is pruned, and asked for what the whole teacher says. Models that lose less than 1% at any sparsity, or whose loss is not below that of their first step, have no point."}, "image": {"alt": "Two panels against pre-training steps: the sparsity at which each objective's loss rises by 1%, and the share of what was learned that is lost at half the weights; a line for each pre-training.", "align": "center"}}
prunability_plots.draw_emergence(study, loss_curves, styles);

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
Markdown(verdict.text)

# %% [markdown]
# Two quantities decide, after equally many images: by how many points less the DINO models lose, as the mean of the drops at 10, 20, … and 60% over the tasks that all models compared have learned and none was pre-trained to tell;
# and how many percent more zeros they have (weights below a hundredth of their matrix's standard deviation). The smallest effects that would matter are one point, the paper's ε, and the paper's own 14.37% more zeros. A quantity
# *agrees* if its 95% interval lies above 0 and reaches that effect, and *differs* if it lies below that effect; if it lies above 0 as well, it has the right sign and is far smaller. The claim *agrees* if both do, *differs* if one
# does, and is *inconclusive* otherwise. The essential sparsity of each model is in the table above and decides nothing: it varies far more from one pre-training to the next than the mean drop does.
# The pre-trained model is the unit: two models that differ in their seed alone differ as well. The comparisons after
# equal time, with masked images, and of the two lengths of supervised training are told, and decide nothing. [Figure 7](fig7.ipynb) has the zeros by every reading.
#
# CIFAR-10 decides nothing, whichever way it points: the supervised models have learned its classes already, from 25 times as many labels as the fine-tuning has, and the others have not.
# A difference there may be that of the labels. The verdict tells it all the same. Fashion-MNIST and ELPV are new to all.
#
# **What the controlled comparison adds.** Where the paper's two models differ in objective, images, labels and length of training at once, here they differ in the
# objective and what belongs to it: the views that it takes of an image, and, in DINO, that a moving average of the weights is kept ([Figure 7](fig7.ipynb) says what this does to the zeros). The two kinds of supervised models differ in
# the length of their training alone: the comparison of these two tells, as far as its intervals allow, what that length does by itself. The models
# of hidden patches tell, as far as theirs do, whether another kind of self-supervision points the same way as DINO; where the two part, what decides is not self-supervision as such.
# What all this cannot say is what happens on a million images: the objectives may part only there.
#
# And to lose little is not always to be robust: a model that takes little from its pre-training into a task has little of it to lose, and what it scores once it is fine-tuned does not
# say how much that was.
#
# **What would change our mind.** More pre-trainings of each objective: two on a side show a difference only if it is several times as large as what another
# seed does. Longer ones, on more images. The paper's two checkpoints are the `paper` scale of this notebook; as there is one of each, they cannot
# tell the objective from the rest.
#
# **Which pre-trainings come next** was chosen before any of them is run, and by this rule: if DINO's k-NN accuracy lies less than half as far above that of pixels as that of the supervised models, longer pre-trainings come first, else more of the same length.

# %% tags=["remove-input"]
Markdown(fig6_learned.next_pretrainings(study, records))

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)

# %% [markdown]
# To run it again: `essparse run fig6`, then `papermill notebooks/fig6.ipynb out.ipynb -p sparsity 0.4`.

# %% tags=["remove-input"]
paper = figures.study("fig6", "paper")
Markdown(cost.sentence(paper))

# %% tags=["remove-cell"]
parameters.glue_verdict(verdict)
