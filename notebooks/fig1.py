# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure 1: where the removed weights lie
#
# **Question.** When the smallest 21.50% of a language model's weights go, in which parts of a block do they lie?

# %% tags=["remove-input", "setup"]
from importlib.util import find_spec

from IPython import get_ipython

if find_spec("essparse_lib") is None:  # as in Colab
    get_ipython().run_line_magic("pip", "install -q 'essparse[draw] @ git+https://github.com/essential-sparsity/companion'")

# %% tags=["parameters", "hide-input"]
model: str = "all"  # whose weights: "all" those of the scale, or such as "mpnet-base", an id of the hub, a folder
sparsity: float = 0.215  # the share of the weights that goes
block: int = 2  # the block whose matrices are drawn, from 1
scale: str = "lab"  # "tiny", "lab" or "paper"
tasks: str = "all"  # for the drop: the tasks, such as "sst2,cola"; "all": those of the scale
seeds: str = "all"  # the seeds, such as "0,1"

# %% tags=["hide-input"]
from IPython.display import Markdown

from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.errors import check_sparsity
from essparse_lib.figures import contrast_plots, fig1, findings, forest_plots, noise_tables, panel_chart, parameters, style, within_panels
from essparse_lib.analysis import contrasts
from essparse_lib.records import cost, summary
from essparse_lib.specs.measurement import Measurement
from essparse_lib.specs.trial import Pruning
from essparse_lib.claims import c02_free_weights
from essparse_lib.claims.pools import deciding

parameters.check(globals())
style.apply()
study = interactive.checked_study(parameters.narrowed(figures.study("fig1", scale), model, tasks, seeds, live=False))
measurement = Measurement(kind="pruned-share", model=study.models[0], sparsity=check_sparsity(sparsity))

# %% tags=["hide-input"]
records = figures.records(study)
todo = [*interactive.unrecorded(study, records, [], []), measurement]
records |= interactive.run([spec for spec in todo if spec.id not in records], scale)
matrices = records[measurement.id].values["matrices"]
verdict = c02_free_weights.judge(study, records)

# %% tags=["remove-input", "finding"]
findings.box(verdict)

# %% [markdown]
# ## One block

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig1-maps", "caption": "Where in the matrices of one block the weights lie that go: each cell stands for a patch of the matrix (rows are outputs, columns inputs), its colour for the percentage of its weights removed. Titles give the percentage of the whole matrix."}, "image": {"alt": "A heat map for each of the six matrices of one block; titles give the percentage of the matrix that is removed. Some matrices show bands of rows or columns that lose more than others.", "align": "center"}}
fig1.draw(matrices, parameters.block(matrices, block));

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. 21.50% of bert-base's weights can go without a drop on any of its tasks;
# most of them lie in the feed-forward layers (claim C2).
#
# **What is done here.** The weights of all blocks' matrices are ranked together by magnitude, and the smallest 21.50% are marked.
# That needs the model alone, no data. The feed-forward layers hold two thirds of a BERT's weights, so "most" is what any
# method would give, random pruning too: what tells something is whether they lose *more than their share*.
# Whether the pruned model keeps its performance after fine-tuning is measured as in [Figure 2](fig2.ipynb).

# %% [markdown]
# ## All blocks

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig1-shares", "caption": "The percentage of each matrix that goes under one threshold for all matrices, by component and block. The dashed line is the percentage over all of them."}, "image": {"alt": "A line for each of the six components: the percentage of its weights that is removed, against the number of the block.", "align": "center"}}
fig1.draw_shares(matrices);

# %% tags=["remove-input"]
fig1.table(matrices).style.hide(axis="index")

# %% [markdown]
# ## Does it cost anything?
#
# The change after fine-tuning with these weights gone, against the dense model of the same seed.

# %% tags=["remove-input"]
drops = contrasts.contrasts(study, records, [(study.variants[study.main][0], Pruning())])
contrast_plots.table(drops, {}).drop(columns=["sparsity"]).style.hide(axis="index")

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
Markdown(verdict.text)

# %% [markdown]
# C2 *agrees* if the mean loss over the tasks that count lies at or below one point by its whole 95% interval, and *differs* if it
# lies above; a new task, and each task by itself, stand beside it ([Methods](#verdict-rules)). The
# share is counted, not estimated: if no more than half of what goes lies in the feed-forward layers, the claim differs.
#
# **What would change our mind.** The paper's own model, `bert-base-uncased`: the `paper` scale of this notebook. The share needs its
# weights alone and takes seconds once they are there.

# %% [markdown]
# ## Task by task
#
# A row is a task; [How to read this book](../book/how-to-read.md) explains the marks.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig1-forest", "caption": "The drop with 21.50% of the weights gone on each task with its 95% interval, and the tolerated loss as a broken line. Hollow grey circles are shown and do not count, for the reason in their row. The diamond is the mean of those that count, with its interval, which the verdict rests on; the thick bar is where the drop on a new task is expected, in 95% of cases. An arrow says that an interval goes on beyond the axis."}, "image": {"alt": "A row for each task: a dot with a horizontal bar; below them a diamond for the mean and a thick bar for a new task; a vertical broken line at one point.", "align": "center"}}
pools = c02_free_weights.pools(study, records)
forest_plots.draw(deciding(pools));

# %% tags=["remove-input"]
Markdown(forest_plots.shared_texts(pools))

# %% [markdown]
# **What chance alone does.** How much the drop varies (standard deviation, in points) because training is repeated, because other examples are drawn, and both together.
# *Smallest that shows* is the smallest drop that these seeds and examples tell from none with a power of 80%. *One run shows* is where a single
# run without repetition lands in 95% of cases if the true drop is none.

# %% tags=["remove-input"]
noise_tables.floor_table(deciding(pools)).style.hide(axis="index")

# %% [markdown]
# **How sure it is that the drop lies within ε.** The share of resamples in which the drop, on average over the tasks that count, is at most ε. The slider moves ε. It is
# a bootstrap share: how often the mean drop stays within ε when examples and the noise of training are drawn anew, not the probability that the claim is true.

# %% tags=["remove-input"]
panel_chart.show(within_panels.of_pools(pools))

# %% tags=["remove-input"]
noise_tables.within_table(pools).style.hide(axis="index")

# %% [markdown]
# **What would decide it.** Where the mean is inconclusive: how many seeds, with how many test examples, would bring its whole interval to one side.

# %% tags=["remove-input"]
Markdown(noise_tables.needs_text(deciding(pools), study, records))

# %% [markdown]
# **Would another reading say something else?** The mean with ε in points and in percent of the dense score, and with three readings of the noise: by the rule of the
# verdict; none from training, the examples alone; and with what the examples explain left in, so that it counts twice. [Methods](../book/methods.md) has the rule.

# %% tags=["remove-input"]
noise_tables.sensitivity_table(deciding(pools)).style.hide(axis="index")

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)

# %% [markdown]
# To run it again: `essparse run fig1`, then `papermill notebooks/fig1.ipynb out.ipynb`. For another model: `-p model mpnet-base`.

# %% tags=["remove-input"]
paper = figures.study("fig1", "paper")
Markdown(cost.sentence(paper))

# %% tags=["remove-cell"]
parameters.glue_verdict(verdict)
