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
# **Question.** The smallest 21.50% of a language model's weights are removed. In which parts of a block do they lie?

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
from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.errors import check_sparsity
from essparse_lib.figures import contrast_plots, fig1, findings, forest_plots, html, noise_tables, panel_chart, parameters, style, tables, within_panels
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
records |= interactive.run_for(study, records, [spec for spec in todo if spec.id not in records])
matrices = records[measurement.id].values["matrices"]
verdict = c02_free_weights.judge(study, records)

# %% tags=["remove-input", "finding"]
findings.box(verdict)

# %% [markdown]
# ## One block

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig1-maps", "caption": "Where the removed weights lie in one block. Each cell is a patch of a matrix (rows: outputs, columns: inputs); its colour is the percentage of its weights removed. Titles give that of the whole matrix."}, "image": {"alt": "A heat map for each of the six matrices of one block; titles give the percentage of the matrix that is removed. Some matrices show bands of rows or columns that lose more than others.", "align": "center"}}
fig1.draw(matrices, parameters.block(matrices, block));

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. 21.50% of bert-base's weights can be removed without a drop on any of its tasks.
# Most of the removed weights lie in the feed-forward layers (claim C2).
#
# **What is done here.** The weights of all blocks' matrices are ranked together by magnitude, and the smallest 21.50% are marked.
# This needs the model alone, no data. The feed-forward layers hold two thirds of a BERT's weights. So any method would take "most" from them, random pruning too.
# The question is whether they lose *more than their share*.
# Whether the pruned model keeps its performance after fine-tuning is measured as in [Figure 2](fig2.ipynb).

# %% [markdown]
# ## All blocks

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig1-shares", "caption": "The percentage of each matrix that is removed when all matrices share one threshold, by component and block. The dashed line is the percentage over all of them."}, "image": {"alt": "A line for each of the six components: the percentage of its weights that is removed, against the number of the block.", "align": "center"}}
fig1.draw_shares(matrices);

# %% tags=["remove-input"]
tables.show(fig1.table(matrices))

# %% [markdown]
# ## Does it cost anything?
#
# The change after fine-tuning with these weights removed, against the dense model of the same seed. A task is *not learned* if the dense model does not beat the commonest class. Such a task shows nothing about pruning.

# %% tags=["remove-input"]
drops = contrasts.contrasts(study, records, [(study.variants[study.main][0], Pruning())])
tables.show(contrast_plots.table(drops, {}).drop(columns=["sparsity"]))

# %% tags=["remove-input"]
html.paragraphs(contrast_plots.tally(drops))

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
html.paragraphs(verdict.text)

# %% [markdown]
# C2 *agrees* if the mean loss over the tasks that count lies at or below one point by its whole 95% interval. It *differs* if the whole interval lies above.
# A new task, and each task by itself, are shown for comparison; they are not used for the verdict ([Methods](#verdict-rules)).
# The share is counted, not estimated. If at most half of the removed weights lie in the feed-forward layers, the claim differs.
#
# **What would change our mind.** The paper's own model, `bert-base-uncased`: the `paper` scale of this notebook. Its share needs its weights alone and takes seconds.

# %% [markdown]
# ## Task by task
#
# Each row is a task. [How to read](../book/how-to-read.md) explains the marks.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig1-forest", "caption": "Drop with 21.50% of the weights removed, by task, with 95% intervals. Hollow grey circles do not count, for the reason in their row. The diamond is the mean that the verdict rests on."}, "image": {"alt": "A row for each task: a dot with a horizontal bar; below them a diamond for the mean and a thick bar for a new task; a vertical broken line at one point.", "align": "center"}}
pools = c02_free_weights.pools(study, records)
forest_plots.draw(deciding(pools));

# %% tags=["remove-input"]
html.paragraphs(forest_plots.shared_texts(pools))

# %% [markdown]
# **What chance alone does.** The drop varies because training is repeated and because other examples are drawn. *sd* is the standard deviation of each, in points.
# *Smallest detectable* is the drop that these seeds and examples tell from none in 80% of cases. *One run* is where a single run lands in 95% of cases if the true drop is zero.

# %% tags=["remove-input"]
tables.show(noise_tables.floor_table(deciding(pools)))

# %% [markdown]
# **How often the drop stays within ε.** Examples and the noise of training are drawn anew many times. The panel shows in what share of these draws the mean drop is at most ε.
# The slider moves ε. This share is not the probability that the claim is true.

# %% tags=["remove-input"]
panel_chart.show(within_panels.of_pools(pools))

# %% tags=["remove-input"]
tables.show(noise_tables.within_table(pools))

# %% [markdown]
# **What would decide it.** If the mean is inconclusive, these seeds and test examples would bring its whole interval to one side.

# %% tags=["remove-input"]
html.paragraphs(noise_tables.needs_text(deciding(pools), study, records))

# %% [markdown]
# **Do other readings agree?** The tolerance ε is read in points and in percent of the dense score. The noise is read in three ways: as in the verdict, from the examples only, and with the examples counted twice.
# [Methods](../book/methods.md) has the rules.

# %% tags=["remove-input"]
tables.show(noise_tables.sensitivity_table(deciding(pools)))

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
tables.show(summary.provenance(study, records).reset_index(names="about"), collapsed="Records, code, devices and weights")

# %% [markdown]
# To run it again: `essparse run fig1`, then `papermill notebooks/fig1.ipynb out.ipynb`. For another model: `-p model mpnet-base`.

# %% tags=["remove-input"]
paper = figures.study("fig1", "paper")
html.paragraphs(cost.sentence(paper))

# %% tags=["remove-cell"]
parameters.glue_verdict(verdict)
