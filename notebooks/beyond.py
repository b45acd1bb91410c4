# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Beyond the paper
#
# **Question.** What do the same records show that the paper did not ask? Six short answers follow. Each has its finding, one picture, and a link to the page that it draws from.

# %% tags=["remove-input", "setup"]
from importlib.util import find_spec

from IPython import get_ipython

if find_spec("essparse_lib") is None:  # as in Colab
    get_ipython().run_line_magic("pip", "install -q 'essparse[draw] @ git+https://github.com/essential-sparsity/companion'")

# %% tags=["parameters", "hide-input"]
scale: str = "lab"  # "tiny", "lab" or "paper"; nothing is run

# %% tags=["hide-input"]
from essparse_lib import figures
from essparse_lib.analysis import curves, prunability, series, timing
from essparse_lib.figures import beyond, beyond_findings, fig11, fig11_tables, fig2, fig8, findings, html, parameters, prunability_plots, style

parameters.check(globals())
style.apply()
fine_tuning, weights, pretraining, masks, asking = (figures.study(f"fig{number}", scale) for number in (2, 7, 8, 10, 11))
fine_tuning, asking = (study.narrowed(models=study.models[:1]) for study in (fine_tuning, asking))

# %% tags=["hide-input"]
studies = {study.figure: study for study in (fine_tuning, weights, pretraining, masks, asking)}
records = {figure: figures.records(study, *study.controls) for figure, study in studies.items()}
fine_tuned = curves.curves(fine_tuning, records["fig2"])
asked = curves.curves(asking, records["fig11"], fig11.MAGNITUDE)
runs = series.series(pretraining, records["fig8"])
losses = prunability.loss_curves(pretraining, records["fig8"])

drops = beyond.learned_drops(fine_tuning, fine_tuned)
percents = beyond.zero_percents(runs, weights, records["fig7"])
cosines = beyond.at_two_rates(masks, records["fig10"])
answers = beyond.learned_drops(asking, asked)
timed = timing.timed_curves(fine_tuning, fine_tuned, fig2.AFTER)

one_run = beyond_findings.one_run(drops, fine_tuning, records["fig2"])
zeros = beyond_findings.zeros(percents, pretraining, records["fig8"])
rates = beyond_findings.rates(cosines, masks, records["fig10"])
emergence = beyond_findings.emergence(pretraining, losses, records["fig8"])
domains = beyond_findings.domains(answers, asking, records["fig11"])
no_training = beyond_findings.no_training(timed, fine_tuning, records["fig2"])

# %% tags=["remove-input", "finding"]
findings.box(words=beyond_findings.headline([one_run, zeros, no_training]))

# %% [markdown]
# ## What one run can show

# %% tags=["remove-input"]
html.paragraphs(one_run.text)

# %% tags=["remove-input"] mystnb={"figure": {"name": "beyond-one-run", "caption": "How far chance alone moves the drop on each task. If pruning costs nothing, one run lands in the pale bar in 95% of cases, and the mean of all runs in the dark bar. Dots are our single runs."}, "image": {"alt": "A row for each task: a wide pale bar for one run, a narrow dark bar for the mean, dots for the runs, and a broken line at one point.", "align": "center"}}
beyond.draw_chance(drops);

# %% [markdown]
# A run is one fine-tuning. Another one with another seed gives another score, though nothing else has changed. The paper shows one run for each point, so it cannot tell a small drop from chance.
#
# More: [Figure 2](fig2.ipynb).

# %% [markdown]
# ## What “zero” means

# %% tags=["remove-input"]
html.paragraphs(zeros.text)

# %% tags=["remove-input"] mystnb={"figure": {"name": "beyond-zeros", "caption": "Share of the weights that count as zero, by what is called zero. Here w is a weight, and \u03c3 is the standard deviation of its matrix. Each step on the axis is a factor of ten."}, "image": {"alt": "A row for each reading of zero: a dot for each model, from none at all to most of the weights, on a logarithmic axis.", "align": "center"}}
beyond.draw_zeros(percents);

# %% [markdown]
# A trained weight is almost never exactly 0. So a count of zeros counts small weights, and the threshold decides how many there are. The paper counts zeros and does not say by which threshold.
#
# More: [Figure 7](fig7.ipynb) for models of vision, [Figure 8](fig8.ipynb) for models of language.

# %% [markdown]
# ## Cosine and the learning rate

# %% tags=["remove-input"]
html.paragraphs(rates.text)

# %% tags=["remove-input"] mystnb={"figure": {"name": "beyond-rates", "caption": "Cosine of the masks of one vision transformer at two learning rates. Lines are means over pairs of masks, bands go from the least to the greatest pair. The broken line is what two unrelated masks have."}, "image": {"alt": "The cosine against the percentage of weights removed: two nearly level lines, one for each learning rate, far above the falling line of chance.", "align": "center"}}
beyond.draw_rates(cosines);

# %% [markdown]
# A mask says which weights stay. Larger steps in training move the weights further, so that other weights are the smallest ones. A cosine therefore says as much about the training as about the model.
#
# More: [Figure 10](fig10.ipynb).

# %% [markdown]
# ## Prunability as it emerges in pre-training

# %% tags=["remove-input"]
html.paragraphs(" ".join(filter(None, (emergence.text, prunability_plots.unmeasured(pretraining, records["fig8"], "held-out-loss")))))

# %% tags=["remove-input"] mystnb={"figure": {"name": "beyond-emergence", "caption": "How far models can be pruned with no fine-tuning, by their loss on new text. A line is a pre-training. The horizontal axis is the training step where earlier steps are measured, and else the sparsity."}, "image": {"alt": "A line for each pre-training: how the loss rises with the percentage of weights removed, or how prunability changes over the steps.", "align": "center"}}
beyond.draw_prunability(pretraining, losses, fig8.line_styles(series.text_pretrainings(pretraining)));

# %% [markdown]
# Nothing is fine-tuned here. The smallest weights go, and the model is asked for hidden words of new text. A model that has learned nothing has nothing to lose, so only what comes later says something.
#
# More: [Figure 8](fig8.ipynb).

# %% [markdown]
# ## Linguistic knowledge against facts

# %% tags=["remove-input"]
html.paragraphs(f"{domains.text} {beyond_findings.still_missing(asking, records['fig11'])}")

# %% tags=["remove-input"] mystnb={"figure": {"name": "beyond-domains", "caption": "Drop on each task after pruning by magnitude with no training to follow, with its 95% interval over questions. Colours say what a task asks for. Tasks that the dense model has not learned are left out."}, "image": {"alt": "A row for each task, grouped by what it asks for: a dot with a horizontal bar, and a broken line at one point.", "align": "center"}}
beyond.draw_domains(answers);

# %% tags=["remove-input"]
fig11_tables.essential_table({"essential sparsity (%)": [difference.curve for difference in answers.counted]}).style.hide(axis="index")

# %% [markdown]
# BLiMP asks which of two sentences is grammatical. It is the only test of language here. The other tasks ask for facts, for common sense, or for what a text says. On some of them the dense model lies further above guessing than on others, so equal points are not equal shares.
#
# More: [Figure 11](fig11.ipynb).

# %% [markdown]
# ## No training after pruning

# %% tags=["remove-input"]
html.paragraphs(no_training.text)

# %% tags=["remove-input"] mystnb={"figure": {"name": "beyond-no-training", "caption": "Change against the dense model where weights go before the fine-tuning, and where they go after it with no training to follow. Lines are means over the seeds, bands 95% intervals. Each panel has its own vertical scale."}, "image": {"alt": "A panel for each task: two lines that stay together at first; with many weights gone, the line of pruning after the fine-tuning falls further.", "align": "center"}}
beyond.draw_timings(timed);

# %% [markdown]
# The abstract says “without re-training”. Yet the paper's experiments on BERT fine-tune *after* they prune, which lets the weights that stay make up for those that go. Here both are compared, with the same seeds and data.
#
# More: [Figure 2](fig2.ipynb).

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
beyond_findings.sources([(study, records[figure]) for figure, study in studies.items()]).style.hide(axis="index")

# %% [markdown]
# To draw it again: `papermill notebooks/beyond.ipynb out.ipynb`. This notebook runs nothing: it draws what the other figures have recorded.
