# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure 11: a language model without fine-tuning
#
# **Question.** A language model is pruned and answers questions without any further training. How many of its weights can be removed before its answers get
# worse? SparseGPT adjusts the remaining weights to make up for the removed ones: does it allow more than magnitude pruning?

# %% tags=["remove-input", "setup"]
from importlib.util import find_spec

from IPython import get_ipython

if find_spec("essparse_lib") is None:  # as in Colab
    get_ipython().run_line_magic("pip", "install -q 'essparse[draw,llm] @ git+https://github.com/essential-sparsity/companion'")

# %% tags=["parameters", "hide-input"]
sparsity: float = 0.3  # the point to name and to mark; run live if it has no record
method: str = "magnitude"  # how that point is pruned: "magnitude", "SparseGPT", "Wanda", "random" or "magnitude by matrix"
model: str = "all"  # the models, such as "smollm2-135m"; "all": those of the scale
tasks: str = "all"  # the tasks, such as "blimp,arc-easy"; "all": those of the scale
scale: str = "lab"  # "tiny", "lab" or "paper"
seeds: str = "all"  # the seeds, such as "0,1"
live_tasks: str = "first"  # where the point is run if it has no record: "first", "none", "all", or names
epsilon: float = 1.0  # the tolerated loss, in points

# %% tags=["hide-input"]
from essparse_lib import figures
from essparse_lib.runner import interactive
from essparse_lib.errors import check_sparsity
from essparse_lib.figures import fig11, fig11_plots, fig11_tables, findings, forest_plots, html, panel_chart, parameters, points, style, tables
from essparse_lib.analysis import curves, grouped
from essparse_lib.records import cost, summary
from essparse_lib.claims import c12_without_fine_tuning

parameters.check(globals())
style.apply()
study = interactive.checked_study(parameters.narrowed(figures.study("fig11", scale), model, tasks, seeds))
asked = fig11.pruning_at(study, method, check_sparsity(sparsity))
tasks_to_run = parameters.live_tasks(study, live_tasks)

# %% tags=["hide-input"]
records = figures.records(study)
fresh = interactive.run_for(study, records, interactive.unrecorded(study, records, [asked], tasks_to_run))
records |= fresh
variants = {variant: curves.curves(study, records, variant) for variant in study.variants}
asked_points = points.at_pruning(study, records, asked, live=fresh, variant=method)
both = variants[fig11.MAGNITUDE], variants[fig11.SPARSEGPT]
verdict = c12_without_fine_tuning.judge(study, *both)

# %% tags=["remove-input", "finding"]
findings.box(verdict, words=summary.missing(study, records))

# %% [markdown]
# ## The curves
#
# The plots show `smollm2-135m`, or the first model chosen. The panel and the tables show all models.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig11-curves", "caption": "Change of the accuracy against the dense model, without training after pruning. Bands: intervals over questions and calibration texts. Thin lines: other methods; hollow markers: N:M patterns; dotted: guessing. [How to read](../book/how-to-read.md)."}, "image": {"alt": "A panel for each task: the change in points against the percentage of weights removed; magnitude falls first, SparseGPT later.", "align": "center"}}
fig11_plots.draw(variants, asked_points, epsilon, model=study.models[0]);

# %% tags=["remove-input"]
panel_chart.show(fig11_plots.panel(variants, start=100 * asked.sparsity, epsilon=epsilon))

# %% [markdown]
# ## At the sparsity chosen

# %% tags=["remove-input"]
html.paragraphs(points.heading(asked_points, asked.sparsity))

# %% tags=["remove-input"]
tables.show(points.table(asked_points)) if asked_points else None

# %% [markdown]
# ## What the paper saw, and what is done here
#
# **What the paper saw** {cite:p}`jaiswal2023emergence`. Essential sparsity holds for Vicuna-7B {cite:p}`zheng2023judging` on the groups of subjects of MMLU
# {cite:p}`hendrycks2021measuring`, and SparseGPT {cite:p}`frantar2023sparsegpt` extends the range (claim C12). This is the
# paper's only experiment "without re-training". The values of the curves are not in its text. Later work by some of the same authors
# {cite:p}`jaiswal2024compressing` finds that such models lose knowledge at 25–30% already, and fail under N:M patterns.
#
# **What is done here.** The blocks' weights are removed by magnitude with one threshold, or by SparseGPT, which reads some text. Then the model
# answers each question with the choice that it finds most probable, as in `lm-eval` {cite:p}`gao2024framework`. At lab scale the model is `smollm2-135m`
# {cite:p}`allal2025smollm2`, a decoder with Llama's architecture.
# Most tasks are ones that such a model has learned: grammar (blimp), school science (arc-easy, sciq), common sense (piqa, hellaswag, copa) and the last word of a passage (lambada).
# Its weights are published in 4 bits only and are converted back to floats. Each run of 32 weights has at most 16 values, so the quantisation influences which weights are the smallest.

# %% tags=["remove-input"]
html.paragraphs(summary.missing(study, records))

# %% [markdown]
# ## How much can be removed
#
# Essential sparsity in percent of the weights, by task and method. *Guessing* is the score of a random choice.

# %% tags=["remove-input"]
tables.show(fig11_tables.essential_table(variants, epsilon))

# %% tags=["remove-input"]
tables.show(fig11_tables.further_table(variants, epsilon), collapsed="Essential sparsity by other methods")

# %% tags=["remove-input"]
sentences = (fig11_tables.guessed(variants), fig11_tables.cut_contexts(study, records), fig11_tables.held_out(study, records))
html.paragraphs(" ".join(filter(None, sentences)))

# %% [markdown]
# **What SparseGPT adds.** The two essential sparsities of each task, paired by question, and their difference in points of sparsity.

# %% tags=["remove-input"]
pairs, _ = c12_without_fine_tuning.pairs(study, *both)
tables.show(fig11_tables.shift_table(pairs))

# %% [markdown]
# **Patterns.** The drop in points at 50% sparsity. An N:M pattern keeps N of each M weights in a row.

# %% tags=["remove-input"]
tables.show(fig11_tables.pattern_table(variants), collapsed="Drop at 50% sparsity, with and without a pattern")

# %% [markdown]
# ## Group by group

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig11-groups", "caption": "Change of the accuracy for each group of questions that the dense model has learned: BLiMP's fields of grammar, MMLU's groups of subjects. Lines and marks are those of the first figure."}, "image": {"alt": "A panel for each group of questions: the change in points against the percentage of weights removed, for magnitude and SparseGPT.", "align": "center"}}
by_group = {variant: grouped.group_curves(study, records, variant) for variant in (fig11.MAGNITUDE, fig11.SPARSEGPT)}
fig11_plots.draw({name: [curve for curve in group if curve.learned()] for name, group in by_group.items()}, (), epsilon, model=study.models[0]);

# %% [markdown]
# ## Below the answers: log-probabilities
#
# Accuracy cannot fall below guessing, and does not show that a right answer has become less certain. The log-probability of the right answer shows both.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig11-nats", "caption": "Change of the mean log-probability of the right answer in nats, and of a token of running text, against the dense model. Bands are 95% intervals."}, "image": {"alt": "A panel for each task: the change in nats against the percentage of weights removed, falling from the first sparsities on.", "align": "center"}}
in_nats = fig11_tables.in_nats(study, records)
fig11_plots.draw(in_nats, model=study.models[0]);

# %% [markdown]
# **Perplexity** of running text by method, with its 95% interval over texts.

# %% tags=["remove-input"]
tables.show(fig11_tables.perplexity_table(in_nats))

# %% [markdown]
# **The token before a sentence.** A sentence of BLiMP has no context, so the model is given one token to begin with. The control uses another token than the tokenizer's own.

# %% tags=["remove-input"]
tables.show(fig11_tables.prefix_table(study, records))

# %% [markdown]
# ## Verdict

# %% tags=["remove-input"]
html.paragraphs(verdict.text)

# %% [markdown]
# C12 has two parts, and its verdict is the less favourable one. A part is *inconclusive* if its interval spans the limit.
#
# - *Essential sparsity holds* if the mean drop at 30% sparsity by magnitude lies at or below one point, by its whole 95% interval. It fails if the interval lies above.
# - *SparseGPT extends the range* if SparseGPT − magnitude, the paired difference of the essential sparsities, lies above 0 by its whole interval. It fails if the interval lies at or below 0.
#
# Both are means over the tasks that count: the dense model scores above guessing and has something to lose
# ([Methods](#verdict-rules)). The rule was written before the first record. Whether language lasts longer than knowledge is shown for comparison; it is not used for the verdict.
#
# **What would change our mind.** The paper's model (the `paper` scale of this notebook): 7 billion weights may have more to spare than 135 million. And weights that were
# never quantised.
#
# **What we chose.** The paper names no version of Vicuna, prompt, number of shots, threshold, or text for SparseGPT. The `paper` scale follows LLM-KICK, by the same
# first author: `vicuna-7b-v1.3`, five shots, Hendrycks' prompt and groups, and a threshold for each matrix. SparseGPT reads 128 windows of 2,048 tokens of C4. If a prompt is too long for the model,
# LLM-KICK shows fewer examples; here the prompt loses its beginning, as in `lm-eval`, and the page says how often.
# LLM-KICK compares the one token that a model would write; here the four letters are compared.

# %% [markdown]
# ## Task by task
#
# Each row is a task. [How to read](../book/how-to-read.md) explains the marks.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig11-forest", "caption": "Drop at 30% sparsity by magnitude, by task, with 95% intervals. Hollow grey circles do not count, for the reason in their row. The diamond is the mean that the verdict rests on."}, "image": {"alt": "A row for each task: a dot with a horizontal bar; below them a diamond for the mean and a thick bar for a new task; a vertical broken line at one point.", "align": "center"}}
forest_plots.draw(c12_without_fine_tuning.pools(study, *both));

# %% [markdown]
# ## Where the numbers come from

# %% tags=["remove-input"]
summary.provenance(study, records)

# %% [markdown]
# To run it again: `essparse run fig11`, then `papermill notebooks/fig11.ipynb out.ipynb -p sparsity 0.45 -p method SparseGPT`. `essparse evaluate MODEL` evaluates a decoder of your own.

# %% tags=["remove-input"]
paper = figures.study("fig11", "paper")
html.paragraphs(f"{cost.sentence(paper)} In 16 bits Vicuna's weights take 13 GB: one GPU of 24 GB will do.")

# %% tags=["remove-cell"]
parameters.glue_verdict(verdict)
