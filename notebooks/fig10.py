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
# **Question.** Lottery tickets are found by training, each on its own task. The one-shot mask depends only on the pre-trained weights. How different are these masks?

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
from IPython.display import display

from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.errors import check_sparsity
from essparse_lib.figures import fig10, fig10_tables, findings, html, panel_chart, parameters, style, tables
from essparse_lib.records import cost, summary
from essparse_lib.claims import c11_similar_masks

parameters.check(globals())
style.apply()
sparsity = check_sparsity(sparsity)
study = interactive.checked_study(parameters.narrowed(figures.study("fig10", scale), model, "all", seeds, live=False))

# %% tags=["hide-input"]
records = figures.records(study)
records |= interactive.run_for(study, records, interactive.unrecorded(study, records, [], []))
verdict = c11_similar_masks.judge(study, records)

# %% tags=["remove-input", "finding"]
findings.box(verdict, words=fig10_tables.two_rates(study))

# %% [markdown]
# ## Similarity against chance

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig10-chance", "caption": "Left: cosine of the weights that two masks keep. Right: overlap of the weights that they remove (Jaccard index). Points are pairs of masks, lines their means. Dashed: unrelated masks, by chance. Dotted: the paper's 96% and 98%."}, "image": {"alt": "Two panels for each model, against sparsity: the cosine falls slowly and stays above the falling line of chance; the overlap of the removed weights lies above its line of chance.", "align": "center"}}
fig10.draw_against_null(study, records);

# %% tags=["remove-input"]
panel_chart.show(fig10.panel(study, records))

# %% tags=["remove-input"]
tables.show(fig10_tables.table(study, records), collapsed="Cosines at every sparsity")

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. Inside the essential range, the cosine similarity of the masks is above 96% (98% in the introduction). It falls as
# sparsity rises, and tickets of different tasks are less alike (claim C11).
#
# **What is done here.** The masks of [Figure 9](fig9.ipynb) are compared pair by pair.
#
# - *The line of chance.* Two unrelated masks of sparsity $s$ share most of the weights that they keep, only because they keep so many. Their cosine is $1 - s$, so 90% at 10% sparsity. A cosine near this line says nothing.
# - *The overlap of removed weights* has a much lower line of chance, so it shows differences better.
# - *Only masks of one model are compared.* The language model (`minilm-l6`) and the vision transformer (`vit-4x192-supervised-0`, the supervised ViT, pre-training 1, of [Figure 6](fig6.ipynb)) have different weights.

# %% [markdown]
# ## Every pair of masks

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig10-maps", "caption": "Cosine similarity, in percent, between the lottery tickets of the tasks and the one-shot mask; means over the seeds. The title of each map gives the cosine of two unrelated masks."}, "image": {"alt": "A heat map for each sparsity of the cosine similarities between the tickets of the tasks and the one-shot mask.", "align": "center"}}
fig10.draw(study, records, [s for s in study.measured["mask-similarity"] if s <= sparsity]);

# %% [markdown]
# ## The same model at a lower rate
#
# At lab scale the vision transformer is fine-tuned at the learning rate at which it scored best, which is higher than the language model's. In this control its tickets are found again
# at the language model's rate, with nothing else changed.

# %% tags=["remove-input"]
html.paragraphs(fig10_tables.controlled(study, records))

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig10-rate", "caption": "Similarity of the masks of the vision transformer, fine-tuned at the learning rate of the language model. Lines and marks are those of the first figure."}, "image": {"alt": "Two panels against sparsity for the vision transformer at the lower learning rate: the cosine of what is kept, and the overlap of what is removed, both above their lines of chance.", "align": "center"}}
for control in study.controls:
    fig10.draw_against_null(control, records)

# %% tags=["remove-input"]
for control in study.controls:
    display(tables.show(fig10_tables.table(control, records)))

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
html.paragraphs(verdict.text)

# %% tags=["remove-input"]
stricter = c11_similar_masks.judge(study, records, 0.98)
html.paragraphs(f"With the 98% of the paper's introduction as the limit, C11: *{stricter.outcome}*.")

# %% [markdown]
# A model at a learning rate *agrees* if the mean cosine of all pairs lies above 96% at every sparsity up to 40%, and falls from each
# sparsity to the next. Otherwise it *differs*. The claim *agrees* if all models agree at all rates, and *differs* if none agrees at any rate. Otherwise it *depends on the setting*. A model with missing records is named and not counted.
# The similarities are exact counts; brackets give the lowest and the highest of all pairs and seeds.
#
# **What would change our mind.** A ticket differs from the one-shot mask as far as training moves the weights. A higher learning rate moves them further, as the control shows, and so does longer training.
# The language model's tickets are found on 1,500 examples. On full training sets (the `paper` scale of this notebook) they may be less alike. The remaining difference between the two models may come from their size, tasks,
# number of steps, or pre-training.

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)

# %% [markdown]
# To run it again: `essparse run fig10`, then `papermill notebooks/fig10.ipynb out.ipynb`.

# %% tags=["remove-input"]
paper = figures.study("fig10", "paper")
html.paragraphs(cost.sentence(paper))

# %% tags=["remove-cell"]
parameters.glue_verdict(verdict)
