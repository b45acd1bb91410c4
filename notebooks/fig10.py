# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure 10: how alike the masks are
#
# **Question.** Lottery tickets are found by training, each on its own task; the one-shot mask by a look at the pre-trained weights. Are they
# different masks at all?

# %% tags=["remove-input", "setup"]
from importlib.util import find_spec

from IPython import get_ipython

if find_spec("essparse_lib") is None:  # as in Colab
    get_ipython().run_line_magic("pip", "install -q 'essparse[draw,images] @ git+https://github.com/essential-sparsity/companion'")

# %% tags=["parameters", "hide-input"]
sparsity: float = 0.4  # up to which the heat maps are drawn
model: str = "all"  # the models, such as "minilm-l6"; "all": those of the scale
scale: str = "lab"  # "tiny", "lab" or "paper"
seeds: str = "all"  # the seeds, such as "0,1"

# %% tags=["hide-input"]
from IPython.display import Markdown, display

from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.errors import check_sparsity
from essparse_lib.figures import fig10, fig10_tables, findings, panel_chart, parameters, style
from essparse_lib.records import cost, summary
from essparse_lib.claims import c11_similar_masks

parameters.check(globals())
style.apply()
sparsity = check_sparsity(sparsity)
study = interactive.checked_study(parameters.narrowed(figures.study("fig10", scale), model, "all", seeds, live=False))

# %% tags=["hide-input"]
records = figures.records(study)
records |= interactive.run(interactive.unrecorded(study, records, [], []), scale)
verdict = c11_similar_masks.judge(study, records)

# %% tags=["remove-input", "finding"]
findings.box(verdict)

# %% [markdown]
# ## Beside chance

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig10-chance", "caption": "Left: cosine of what two masks keep, against sparsity; the dotted lines are the 96% and 98% of the paper. Right: overlap of what they remove (Jaccard index). Points are pairs of masks, lines their means, the dashed line is what unrelated masks have. A row is a model."}, "image": {"alt": "Two panels for each model, against sparsity: the cosine falls slowly and stays above the falling line of chance; the overlap of the removed weights lies above its line of chance.", "align": "center"}}
fig10.draw_against_null(study, records);

# %% tags=["remove-input"]
panel_chart.show(fig10.panel(study, records))

# %% tags=["remove-input"]
fig10_tables.table(study, records).style.hide(axis="index")

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. Inside the essential range their cosine similarity is above 96% (98% in the introduction); it falls as
# sparsity rises, and tickets of different tasks are less alike (claim C11).
#
# **What is done here.** The masks of [Figure 9](fig9.ipynb) are compared pair by pair. Two masks of sparsity $s$ that know nothing of each
# other have a cosine of $1 - s$ already: at 10% that is 90%. So beside each cosine stands what chance gives, and beside the
# cosine of what is *kept* the overlap of what is *removed*, in which chance gives little. Masks of the model of language and of the vision
# transformer are never compared with each other: they are of other weights.

# %% [markdown]
# ## Every pair of masks

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig10-maps", "caption": "Cosine similarity, in percent, of the masks of lottery tickets of each task with each other and with the one-shot mask; means over the seeds. The title of each map gives what two unrelated masks of this sparsity have, and the model, if there are several."}, "image": {"alt": "A heat map for each sparsity of the cosine similarities between the tickets of the tasks and the one-shot mask.", "align": "center"}}
fig10.draw(study, records, [s for s in study.measured["mask-similarity"] if s <= sparsity]);

# %% [markdown]
# ## The same model at a lower rate
#
# At lab scale the vision transformer is fine-tuned at the rate at which it scored best, which is higher than the language model's. Here its tickets are found once
# more at the language model's rate, with nothing else changed.

# %% tags=["remove-input"]
Markdown(fig10_tables.controlled(study, records))

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig10-rate", "caption": "As above, for the vision transformer fine-tuned at the learning rate of the model of language."}, "image": {"alt": "Two panels against sparsity for the vision transformer at the lower learning rate: the cosine of what is kept, and the overlap of what is removed, both above their lines of chance.", "align": "center"}}
for control in study.controls:
    fig10.draw_against_null(control, records)

# %% tags=["remove-input"]
for control in study.controls:
    display(fig10_tables.table(control, records).style.hide(axis="index"))

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
Markdown(verdict.text)

# %% tags=["remove-input"]
stricter = c11_similar_masks.judge(study, records, 0.98)
Markdown(f"With the 98% of the introduction: *{stricter.outcome}*; {stricter.reason}.")

# %% [markdown]
# A model at a learning rate *agrees* if the mean cosine of all pairs (ticket and one-shot, two tickets) lies above 96% at every sparsity up to 40% and falls from each
# sparsity to the next, and *differs* otherwise. The claim *agrees* if all models do at all rates, *differs* if none does at any, and is *inconclusive* otherwise: it then depends on the setting. Those whose records are not all there are named and do not count.
# The similarities are counted, not estimated: in brackets stand the lowest and the highest of all pairs and seeds.
#
# **What would change our mind.** A ticket parts from the one-shot mask as far as training moves the weights. Longer training moves them further: the tickets of the model of
# language, found on 1,500 examples, may drift apart on full training sets (the `paper` scale of this notebook). So does a higher rate, and the vision transformer was given
# one: the verdict on C11 says what its masks are like at the language model's. What is left between the two models may be due to their size, their tasks, the
# number of steps, the short pre-training, or to images.

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)

# %% [markdown]
# To run it again: `essparse run fig10`, then `papermill notebooks/fig10.ipynb out.ipynb`.

# %% tags=["remove-input"]
paper = figures.study("fig10", "paper")
Markdown(cost.sentence(paper))

# %% tags=["remove-cell"]
parameters.glue_verdict(verdict)
