# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure 7: how the weights are distributed
#
# **Question.** Do the weights of a model that was pre-trained without labels lie closer to zero than those of one that was pre-trained with them?

# %% tags=["remove-input", "setup"]
from importlib.util import find_spec

from IPython import get_ipython

if find_spec("essparse_lib") is None:  # as in Colab
    get_ipython().run_line_magic("pip", "install -q 'essparse[draw,images] @ git+https://github.com/essential-sparsity/companion'")

# %% tags=["parameters", "hide-input"]
models: str = "all"  # two models, the supervised one first, such as "google/vit-base-patch16-224,facebook/dino-vitb16"; "all": those of the scale
scale: str = "lab"  # "tiny", "lab" or "paper"

# %% tags=["hide-input"]
from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.figures import fig7, findings, html, parameters, style, tables
from essparse_lib.records import summary

parameters.check(globals())
style.apply()
study = interactive.checked_study(fig7.narrowed(figures.study("fig7", scale), models))

# %% tags=["hide-input"]
records = figures.records(study)
missing = [] if models == "all" else [spec for spec in study.measurements() if spec.id not in records]
records |= interactive.run_for(study, records, [*interactive.unrecorded(study, records, [], []), *missing])

# %% tags=["remove-input", "finding"]
findings.box(words=fig7.sentence(study, records))

# %% [markdown]
# ## Layer by layer

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig7-layers", "caption": "Distribution of the prunable weights of each block. Rows: raw and normalised weights; columns: objectives. Bands hold 99.8%, 90% and 50% of a block's weights. Line: median; dotted: a weight of 0; broken: the widest band of pre-training 2."}, "image": {"alt": "A grid of panels of bands of quantiles against the number of the block: rows are raw and normalised weights, columns supervised and self-supervised models.", "align": "center"}}
fig7.draw(study, records);

# %% [markdown]
# After `StandardScaler`, weights near 0 stay near 0, because the mean of a trained matrix is near 0. `MinMaxScaler` moves the most negative weight to 0,
# and a weight of 0 to somewhere near the middle. The weights near 0 are then a few of the *largest*
# weights, which magnitude pruning keeps. A single outlier decides how many there are.

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. The paper draws the distribution of the weights of ViT-Base and DINO-Base {cite:p}`caron2021emerging`, layer by layer,
# "normalized using sklearn". It reports 14.37% more zero weights in DINO-Base (part of claim C7). It does not say which normalisation of scikit-learn was used, over
# what, or when a weight counts as zero.
#
# **What is done here.** Nothing is pruned or trained: the weights of [Figure 6](fig6.ipynb)'s models are measured as they were saved. They are shown raw and after the two
# usual normalisations, `StandardScaler` (mean 0, standard deviation 1) and `MinMaxScaler` (from 0 to 1). Each is fitted once to every layer and once to the whole model.
# Zeros are counted by every reading.

# %% tags=["remove-input"]
html.paragraphs(summary.missing(study, records))

# %% [markdown]
# ## Zeros by every reading

# %% tags=["remove-input"]
tables.show(fig7.zero_table(study, records), collapsed="Zeros in percent of the prunable weights, by every reading")

# %% tags=["remove-input"]
html.paragraphs(fig7.averaging(study, records))

# %% [markdown]
# The table gives means over the models of each objective. *DINO − supervised* compares these means, in percent of the supervised models' zeros. Its brackets are the range over all pairs of
# one DINO and one supervised model, not a confidence interval; the paper has one pair. Rows below 0.01% count very few weights. "sd" is the standard deviation of the weight's own matrix.
#
# C7 is judged on the page of [Figure 6](fig6.ipynb), by the drop and by the zeros below a hundredth of the standard deviation. This reading changes only with the shape of each matrix's
# distribution, not with the scale of its weights.
#
# **What would change our mind.** The authors' definition of a zero weight. The paper's two checkpoints are the `paper` scale of this notebook, which takes minutes on any machine
# that can download them. `-p models "google/vit-base-patch16-224,facebook/dino-vitb16"` measures these two, or any other two.

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)

# %% [markdown]
# To run it again: `essparse run fig7`, then `papermill notebooks/fig7.ipynb out.ipynb`.

# %% tags=["remove-cell"]
parameters.glue("fig7_zeros", fig7.surplus(study, records))
