# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Explore: curves, a run of your own, a block's weights
#
# **This page needs a live kernel.** The built book shows none of its results.
# [Open it in Colab](https://colab.research.google.com/github/essential-sparsity/companion/blob/main/notebooks/explore.ipynb)
# or in Jupyter from a checkout, and run its cells. The panels of the
# [first page](../book/index.md) and of [Figure 2](fig2.ipynb) need no kernel. They show the same records.

# %% tags=["remove-input", "setup"]
from importlib.util import find_spec

from IPython import get_ipython

if find_spec("essparse_lib") is None:  # as in Colab
    get_ipython().run_line_magic("pip", "install -q 'essparse[draw] @ git+https://github.com/essential-sparsity/companion'")

# %% tags=["parameters"]
figure: str = "fig2"  # whose curves are read, such as "fig2" or "fig3"
scale: str = "lab"  # "tiny", "lab" or "paper"
model: str = "minilm-l6"  # whose weights are seen: its name here, an id of the hub, or a folder
block: int = 2  # the block whose matrices are seen, from 1

# %%
from IPython.display import Markdown

from essparse_lib import figures, widgets
from essparse_lib.figures import panel_chart, panels, parameters
from essparse_lib.models import loading

parameters.check(globals())
study = figures.study(figure, scale)
loading.check_name(model)

# %% [markdown]
# ## The curves of a figure
#
# Tick the boxes of tasks, models and ways to prune, and move the slider. Large dots show what the records have at that
# sparsity, against the dense model of the same seeds. Marks in the strip below are essential sparsities. Point at a dot or a mark to read its value with its
# interval. The reading is the change in points of the metric, or in percent of the dense score; the paper does not say which of the two its 1% is.
# Nothing is read between measured sparsities.

# %% tags=["remove-output"]
panel = panels.of_study(study, figures.records(study))
panel_chart.show(panel) or Markdown(f"There are no records yet: run `essparse run {study.figure}`.")

# %% [markdown]
# ## A run of your own
#
# Choose a model, a task, how it is pruned, how much, and a seed, and press *run*. The model is pruned and fine-tuned with the
# removed weights held at zero (or pruned after its fine-tuning), evaluated, and set against the dense model of that seed,
# which is trained first. On two cores a point of lab scale takes a few minutes. It appears as a diamond on the curves of the records,
# and is kept: asked for again, in this notebook or a later one, it is read back. What has a record is not run at all, such as
# 40% with seed 0.
#
# `minilm-l6` is fetched when it is first needed (84 MB), and so is a task's data. Any other model that transformers can
# put the task's head on may be named by its id on the hub or by its folder.

# %% tags=["remove-output"]
widgets.prune_live(scale)

# %% [markdown]
# ## A block's weights
#
# Load a model, and see which weights of a matrix magnitude pruning takes, smallest first, and how much of each component of the
# block goes. The sparsity is that of all blocks together, under one threshold for all their matrices, as in
# [Figure 1](fig1.ipynb): some matrices lose more than others.

# %% tags=["remove-output"]
widgets.block(model, block)

# %% [markdown]
# The same in Python, for a model that is loaded already, is `widgets.block(model, 2)`; for masks of other methods, and to save
# what is pruned, see [Prune your own model](use-your-own-model.ipynb).
