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
from IPython.display import Markdown

from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.figures import fig7, findings, parameters, style
from essparse_lib.records import summary

parameters.check(globals())
style.apply()
study = interactive.checked_study(fig7.narrowed(figures.study("fig7", scale), models))

# %% tags=["hide-input"]
records = figures.records(study)
missing = [] if models == "all" else [spec for spec in study.measurements() if spec.id not in records]
records |= interactive.run([*interactive.unrecorded(study, records, [], []), *missing], scale)

# %% tags=["remove-input", "finding"]
findings.box(words=fig7.sentence(study, records))

# %% [markdown]
# ## Layer by layer

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig7-layers", "caption": "Distribution of the prunable weights of each block: a row for the raw weights and for each way to normalise them, a column for each way to pre-train. Bands hold 99.8%, 90% and 50% of the weights of a block, the line is the median and the dotted line where a weight of 0 goes; all of the first pre-training. Broken lines are the ends of the widest band in the second."}, "image": {"alt": "A grid of panels of bands of quantiles against the number of the block: rows are raw and normalised weights, columns supervised and self-supervised models.", "align": "center"}}
fig7.draw(study, records);

# %% [markdown]
# Normalised by `StandardScaler` the weights keep their place: the mean of trained matrices is near 0, so 0 stays near 0. `MinMaxScaler` moves the most negative weight to 0,
# and a weight of 0 to wherever the two extreme weights put it, somewhere near the middle. What is near 0 after it are a few of the *largest*
# weights, which magnitude pruning keeps; one outlier more or less decides how many.

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. It draws the distribution of the weights of ViT-Base and DINO-Base {cite:p}`caron2021emerging`, layer by layer,
# "normalized using sklearn", and reports 14.37% more zero weights in DINO-Base (part of claim C7). Which of scikit-learn's ways to normalise is meant, over
# what, and when a weight counts as zero is not said.
#
# **What is done here.** Nothing is pruned or trained: the models of [Figure 6](fig6.ipynb) are looked at as they were saved. Their weights are shown as they are, and after both
# of the usual readings, each fitted to every layer by itself and to the whole model: `StandardScaler` (mean 0, standard deviation 1) and
# `MinMaxScaler` (from 0 to 1). Zeros are counted by every reading.

# %% tags=["remove-input"]
Markdown(summary.missing(study, records))

# %% [markdown]
# ## Zeros by every reading

# %% tags=["remove-input"]
fig7.zero_table(study, records).style.hide(axis="index")

# %% tags=["remove-input"]
Markdown(f"{fig7.sentence(study, records)} {fig7.averaging(study, records)}")

# %% [markdown]
# Percent of the prunable weights, the mean over the models of each way to pre-train. The surplus is that of the means; brackets are the range over all pairs of
# models, one of each, and no confidence interval. Rows below 0.01% count few weights: with `MinMaxScaler` and a threshold of 0.001 hardly more than the most negative weight of each layer or model. The paper's number is one pair's. "sd" is the standard deviation of the weight's own matrix.
#
# C7 is judged on the page of [Figure 6](fig6.ipynb), by the essential sparsity and by the zeros below a hundredth of the standard deviation: this changes with the shape of each matrix's
# distribution alone. Like what pruning takes, it does not depend on the size of all weights together; unlike that, where all matrices are ranked together, neither on how large one matrix is against another.
#
# **What would change our mind.** The authors' definition of a zero weight. The paper's two checkpoints are the `paper` scale of this notebook, which takes minutes on any machine
# that can fetch them: `-p models "google/vit-base-patch16-224,facebook/dino-vitb16"` looks at them, or at any two others, on the spot.

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)

# %% [markdown]
# To run it again: `essparse run fig7`, then `papermill notebooks/fig7.ipynb out.ipynb`.

# %% tags=["remove-cell"]
parameters.glue("fig7_zeros", fig7.surplus(study, records))
