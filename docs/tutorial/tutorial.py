# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How a machine finds an answer
#
# A reader takes a question and a text, and points at the words of the text that answer. It never writes a word of its
# own. In this lesson you follow one question all the way: from the data, through tokens, windows and logits, to the
# answer; then you train a reader yourself, measure it, save it, ask it and serve it.
#
# Nothing is downloaded: the data (`examples/data/sample.json`) were written for this lesson, and the network is the
# one that comes with the repository. You need a checkout, and in it `pip install '.[all]'`. On two cores it takes
# some minutes; no GPU is needed.

# %%
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import matplotlib.pyplot as plt
import numpy as np

import quoth

began = time.monotonic()
ROOT = Path.cwd().parents[1]  # the notebook lies in docs/tutorial
SAMPLE = ROOT / "examples" / "data" / "sample.json"
# The reader that ships, before it was made small: what the training below starts from.
BASE = Path(os.environ.get("QUOTH_TUTORIAL_BASE", ROOT / "readers" / "shipped"))
scratch = tempfile.TemporaryDirectory(prefix="quoth-tutorial-")  # goes when the notebook ends
WORK = Path(scratch.name)

plt.rcParams.update({"figure.figsize": (8, 2.6), "figure.dpi": 80})
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})

# %% [markdown]
# ## 1. The data
#
# Data for reading come as SQuAD has them: articles, cut into paragraphs, with questions on each paragraph. An answer
# is its text and the place where it starts. `read_examples` turns every format into the same record, one question
# with its context, and checks it on the way: a wrong place is an error that names the question, not a wrong label.

# %%
examples = list(quoth.read_examples(SAMPLE))
example = examples[2]
print(example.question)
print(example.context)
print(example.golds)

# %% [markdown]
# The annotated answers are called *golds*. There may be several (people disagree about an article), one, or none:
# then the text does not answer the question, and the right answer is silence. `start` counts code points, the units
# of a Python string, so that cutting the text at a gold gives the gold.

# %%
for gold in example.golds:
    assert gold.span.of(example.context) == gold.text

print(next(each for each in examples if not each.golds))

# %% [markdown]
# Look before you train. How long are the texts, and where in them do the answers stand?

# %%
from quoth.data import describe

facts = describe(examples)
print(f"{facts.articles} articles, {facts.contexts} contexts")
print(f"{facts.questions} questions, {facts.unanswerable} of them unanswerable")

figure, (left, right) = plt.subplots(1, 2)
left.hist([len(gold.text.split()) for each in examples for gold in each.golds], bins=range(1, 16), color="#1f6fd6")
left.set(title="words of a gold", ylabel="golds")
right.bar([f"{10 * tenth}" for tenth in range(10)], facts.answer_position, color="#d6641f")
right.set(title="where golds start, % of the context")
plt.show()

# %% [markdown]
# Most answers are short, and they stand anywhere. (In SQuAD they crowd at the beginning, and a lazy network learns
# that.)
#
# Two articles are put aside now. What a reader knows is measured on texts that it has never seen: were questions of
# *one* paragraph on both sides, it could have learnt the text by heart.

# %%
from quoth.data import split

held_out, training = split(examples, ["Bees above the Opera", "The Paper Mill of Aubin"])
print(f"{len(training)} questions to learn from, {len(held_out)} to be judged by")

# %% [markdown]
# ## 2. Tokens
#
# A network reads numbers. A tokenizer cuts text into pieces of its vocabulary (30,522 of them here), and a piece that
# it has not is built of smaller ones, marked `##`. Each token remembers its *offsets*: which code points of the text
# it covers. This is how an answer finds its way back to the text.

# %%
reader = quoth.Reader.load()  # the reader that ships, asked here before you train your own
tokenizer = reader.tokenizer

text = "Imre Szabo naps on the ferry."
[tokens] = tokenizer.encode([text])
print(f"{'id':>6}  {'token':8}  offsets   text")
for number, (start, end) in zip(tokens.ids.tolist(), tokens.offsets.tolist(), strict=True):
    print(f"{number:>6}  {tokenizer.token(number):8}  {start:>2} to {end:<2}  {text[start:end]!r}")

# %% [markdown]
# ## 3. Windows
#
# The network reads question and text together: `[CLS] question [SEP] text [SEP]`, and only so many tokens of it (512
# for BERT). A longer text is not cut off. It is read through several *windows*, each with the whole question. They
# overlap, so that an answer on the edge of one stands whole in the next. (Other libraries call the overlap *stride*,
# which elsewhere is the step. Quoth says overlap.)
#
# The reader's own windows have 384 tokens. To see several of a short text, here they have 64.

# %%
from quoth.reading import Windower

small = Windower(tokenizer, max_tokens=64, overlap=24)
windows = small.windows(example)
for window in windows:
    print(window)

windows[0]

# %% [markdown]
# Where the windows lie on the text, and where the gold is:

# %%
figure, axes = plt.subplots(figsize=(8, 1.6))
for window in windows:
    first, last = window.context_offsets[0, 0], window.context_offsets[-1, 1]
    axes.barh(window.index, last - first, left=first, height=0.6, color="#1f6fd6" if window.target else "#c9d4df")
axes.axvspan(example.golds[0].start, example.golds[0].span.end, color="#d6641f", alpha=0.5)
axes.set(yticks=range(len(windows)), ylabel="window", xlabel="code point of the context")
axes.set(title="blue: holds the gold whole")
axes.invert_yaxis()
plt.show()

# %% [markdown]
# ## 4. Targets
#
# What shall the network learn of a window? At which token the gold starts, and at which it ends. A window that does
# not hold the gold whole learns "not here", which is said by pointing at `[CLS]`. `target` is half-open, as ranges in
# Python are.


# %%
def words_of(window, tokens):
    """Return the tokens of a range as they are written."""
    return [tokenizer.token(number) for number in window.ids[tokens.start : tokens.end].tolist()]


for window in windows:
    print(window.index, window.target, words_of(window, window.target) if window.target else "not here")

# %% [markdown]
# A trap: answers need not start or end where a token does. Take "37.2" out of "minus 37.25 degrees": its end lies
# inside a token. The lesson from which this one grew asked for exact boundaries; it then left one side of the target
# at 0, silently, and trained on a wrong label. The tokens that *cover* the gold are right:

# %%
from quoth import Example, Gold

tricky = Example("tricky", "How cold was it?", "It was minus 37.25 degrees.", (Gold("37.2", 13),))
[window] = small.windows(tricky)
print(words_of(window, window.target))

# %% [markdown]
# ## 5. Batches
#
# Windows are computed several at a time, padded to the same length. Padded to the largest *possible* length, most of
# the work would be spent on nothing. So windows of like length are put together, and a batch is as long as its
# longest.

# %%
from quoth.reading import WindowBatch, by_token_budget

every = [window for group in reader.windower.each(examples) for window in group]
groups = by_token_budget(every, 4096)  # tokens of a batch, padding included
batches = [WindowBatch.of([every[index] for index in group], tokenizer.pad_id) for group in groups]
print(
    f"{len(every)} windows in {len(batches)} batches; ids of the first: {batches[0].ids.shape} {batches[0].ids.dtype}"
)

figure, axes = plt.subplots(figsize=(8, 1.3))
ways = ["to 384 tokens", "to the longest of the batch"]
axes.barh(ways, [384 * len(every), sum(batch.ids.size for batch in batches)], color="#c9d4df")
axes.barh(ways, sum(map(len, every)), color="#1f6fd6")
axes.set(title="tokens computed (blue: real ones)")
plt.show()

# %% [markdown]
# ## 6. From logits to an answer
#
# For each token the network gives two numbers, *logits*: how well the answer starts here, and how well it ends here.

# %%
[(_, [logits])] = reader.read_all([example])
window = logits.window
words = words_of(window, window.context_tokens)
shown = slice(26, 50)

figure, axes = plt.subplots(figsize=(8, 3))
places = np.arange(len(words))[shown]
axes.bar(places - 0.2, logits.start[shown], 0.4, color="#1f6fd6", label="start")
axes.bar(places + 0.2, logits.end[shown], 0.4, color="#d6641f", label="end")
axes.set_xticks(places, words[shown], rotation=60, ha="right")
axes.set(ylabel="logit", title=example.question)
axes.legend()
plt.show()

# %% [markdown]
# The answer is the *pair* with the largest sum: a start, and an end not before it and not too far behind. So every
# pair is a candidate. Here are all of them in a picture; what is white is not legal.

# %%
longest = reader.settings.decode.max_answer_tokens
scores = logits.start[:, None] + logits.end[None, :]
starts, ends = np.indices(scores.shape)
legal = (ends >= starts) & (ends - starts < longest)
scores = np.where(legal, scores, -np.inf)
first, last = (int(each) for each in np.unravel_index(scores.argmax(), scores.shape))

figure, axes = plt.subplots(figsize=(5, 4))
picture = axes.imshow(np.where(legal, scores, np.nan), cmap="viridis")
axes.plot(last, first, "o", mfc="none", mec="red", ms=14)
axes.set(xlabel="end token", ylabel="start token", title="score of each span")
figure.colorbar(picture)
plt.show()

offsets = window.context_offsets
print(example.context[offsets[first, 0] : offsets[last, 1]], f"{scores[first, last]:.2f}")

# %% [markdown]
# This search misses nothing. The old lesson looked at the 20 best starts and the 20 best ends of each window in a
# Python loop: four hundred steps, and the best pair need not be among them. `decode` does what you just saw, for all
# windows of an example at once, and sees to the rest: words are not cut, and no span is counted twice.
#
# Its *probability* is the chance that it is right. It is made of the answer's share among **all** spans of all windows
# and "no answer", so it can be compared between texts, and it is fitted on held-out questions, so that of answers with
# 0.8 about eight in ten are right.

# %%
from quoth.reading import decode

prediction = decode(example.id, [logits], reader.decode_settings(top_k=3))
assert example.context[offsets[first, 0] : offsets[last, 1]] in prediction.best.text
prediction

# %% [markdown]
# `reader.answer` does all of sections 2 to 6. And where you wonder *why*, `reader.explain` (or `quoth explain`) shows
# windows, tokens, logits, and which better-scoring pairs lost, and for what reason.

# %%
explanation = reader.explain(example.question, example.context)
print(explanation)

# %% [markdown]
# **No answer.** The same two logits of `[CLS]` score "no answer", the *null score*. Where it exceeds the best
# answer's by more than the reader's *null threshold*, the reader abstains, and says so. `null_threshold="never"` asks
# it not to.
#
# Questions that look as if the text answered them are the hard ones: a small reader sees through some of them only.

# %%
print("threshold", reader.settings.decode.null_threshold)
for group, name in [(True, "answerable"), (False, "unanswerable")]:
    asked = [each for each in examples if bool(each.golds) == group]
    said = [(each, prediction) for each, prediction in zip(asked, reader.answer_all(asked), strict=True)]
    silent = [(each, prediction) for each, prediction in said if prediction.no_answer]
    print(f"{name}: silent on {len(silent)} of {len(asked)} questions")
    for each, prediction in silent[:1]:
        print(f"    {each.question} -> {prediction}")

# %% [markdown]
# ## 7. Metrics
#
# *Exact match*: is the answer, without case, punctuation and articles, one of the golds? *F1*: how many of its words
# does it share with a gold? Both are means over questions, in percent. Of several golds the nearest counts.

# %%
from quoth import score

little = [
    Example("1", "Which fruit?", "Strawberry", (Gold("Strawberry", 0),)),
    Example("2", "Which industry?", "Agroindustry", (Gold("Agroindustry", 0),)),
    Example("3", "Which colour?", "The red one", (Gold("red one", 4),)),
]
report = score(little, {"1": "strawberry!", "2": "Agriculture industry", "3": "red"})
for row in report.rows:
    print(row.id, row.exact, round(row.f1, 3))
print(report)

# %% [markdown]
# ## 8. Training
#
# The encoder in `readers/shipped` has read 80,000 questions of SQuAD. We take its **head** away, the one layer that
# turns a token's state into two logits, and put in a fresh one, all random. So the encoder knows a lot, but nobody
# can ask it. (To start from an encoder that never read a question, such as `distilbert-base-cased`, is the same
# command; it then takes the whole of SQuAD and some hours.)

# %%
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

torch.manual_seed(0)
model = AutoModelForQuestionAnswering.from_pretrained(BASE, dtype=torch.float32)
torch.nn.init.normal_(model.qa_outputs.weight, std=model.config.initializer_range)
torch.nn.init.zeros_(model.qa_outputs.bias)
model.save_pretrained(WORK / "fresh")
AutoTokenizer.from_pretrained(BASE).save_pretrained(WORK / "fresh")
new = sum(each.numel() for each in model.qa_outputs.parameters())
print(f"{model.num_parameters():,} weights, {new} of them new")

# %%
import warnings

from quoth import evaluate

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    before = evaluate(quoth.Reader.load(WORK / "fresh"), held_out)
print(before)

# %% [markdown]
# Now it learns. `quoth.train` (on the command line `quoth train`) evaluates as it goes by *answering* the held-out
# questions, keeps the best weights, and tracks the run in MLflow. The head is new, so the rate is high; `layer_decay`
# lowers it from layer to layer towards the tokens, where there is least to change.

# %%
os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{WORK / 'mlflow.db'}"

result = quoth.train(
    training,
    dev=held_out,
    base=str(WORK / "fresh"),
    out=WORK / "reader",
    epochs=2,
    eval_steps=6,
    batch_size=8,
    learning_rate=5e-4,
    layer_decay=0.7,
    hidden_dropout=0.0,
    attention_dropout=0.0,
    experiment="tutorial",
    log_model=False,
    seed=1,
)
print(f"F1 {before.f1:.1f} before, {result.f1:.1f} after; {result.step} steps kept, {result.seconds:.0f} s")
assert result.f1 - before.f1 >= 40, "the held-out F1 must rise by at least 40 points"

# %% [markdown]
# The curve, as MLflow has it (`mlflow ui` shows the same in the browser):

# %%
import mlflow

run = mlflow.search_runs(experiment_names=["tutorial"], output_format="list")[0]
print(sorted(run.data.metrics))

# %%
f1 = mlflow.MlflowClient().get_metric_history(run.info.run_id, "f1")
figure, axes = plt.subplots(figsize=(8, 3))
axes.plot([0, *(point.step for point in f1)], [before.f1, *(point.value for point in f1)], "o-", color="#1f6fd6")
axes.set(xlabel="step", ylabel="F1", ylim=(0, 100), title="F1 on two articles that it never saw")
plt.show()

# %% [markdown]
# ## 9. Evaluation
#
# One number hides a lot. The report has a row for each question, an interval (with two articles it is wide), and
# tells answerable questions from unanswerable ones. This reader never abstains: a threshold has to be fitted first,
# by `quoth calibrate`, on questions that it was not trained on. (Where the processor has bfloat16, training evaluates
# in it, and here the reader computes in float32; so F1 may differ a little.)

# %%
mine = quoth.Reader.load(WORK / "reader")
report = evaluate(mine, held_out)
print(report)

# %%
golds = {each.id: each for each in held_out}
for row in [row for row in report.rows if not row.exact][:5]:
    example = golds[row.id]
    print(f"{example.question}\n    said {row.text!r}, golds {[gold.text for gold in example.golds] or 'no answer'}")

# %% [markdown]
# ## 10. Saving
#
# `WORK / "reader"` is the reader: weights, tokenizer, settings, what it was trained on, and a card. transformers
# loads it too. (`WORK` goes when the notebook ends; give `out` a folder of yours, and it stays.) To ask it without
# torch, export it; the file is compared with torch before it is written. With `int8=True`, on the command line
# `--int8`, it is four times smaller, but has to prove on 2,000 labelled questions that F1 does not suffer.

# %%
from quoth.export import export

exported = export(WORK / "reader", WORK / "small")
print(f"largest difference of a logit: {exported.difference:.1g}; {exported.size / 1e6:.0f} MB")
print(sorted(path.name for path in exported.folder.iterdir()))

# %% [markdown]
# ## 11. Asking

# %%
mine = quoth.Reader.load(WORK / "small")
mine.answer(
    "What did the Atlântico is going to have tomorrow?",
    "Tomorrow the Atlântico is going to have a delicious team lunch!",
)

# %% [markdown]
# ## 12. Serving
#
# `quoth serve` answers over HTTP, many people at once, and shows a page to ask with. Here it runs for one question,
# on a free port of this machine.

# %%
server = subprocess.Popen(
    [sys.executable, "-m", "quoth", "serve", "--reader", str(WORK / "small"), "--port", "0", "--threads", "1"],
    stderr=subprocess.PIPE,
    text=True,
)
url = next(line.split()[-1] for line in server.stderr if "Listening on" in line)
body = {"question": "What is the bridge made of?", "context": "The bridge at Sandar Gorge is made of grass."}
headers = {"Content-Type": "application/json"}
request = urllib.request.Request(f"{url.rstrip('/')}/v1/answer", json.dumps(body).encode(), headers)
for _ in range(100):  # until it is warm
    try:
        reply = json.load(urllib.request.urlopen(request))
        break
    except OSError:
        time.sleep(0.2)
server.terminate()
server.communicate()
print(reply["answers"][0]["text"], reply["answers"][0]["span"])

# %% [markdown]
# ## Where to go from here
#
# - [Your own data](../guides/data.md), checked before they are trained on.
# - [Training](../guides/training.md) in earnest: hours, kills, several GPUs.
# - [Tracking and sweeps](../guides/tracking.md).
# - [What the numbers mean](../guides/scores.md): probability, calibration, intervals.
# - [Serving](../guides/serving.md).

# %%
minutes = (time.monotonic() - began) / 60
print(f"From the first cell to the last: {minutes:.1f} minutes")
