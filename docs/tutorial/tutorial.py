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
# # How a reader finds an answer
#
# A reader takes a question and a text, and marks the words of the text that answer the question. It never generates
# text. This tutorial follows one question through all steps: from the data through tokens, windows and logits to the
# answer. Then you train a reader, evaluate it, save it, ask it and serve it.
#
# Nothing is downloaded: the data (`examples/data/sample.json`) were written for this tutorial, and the network is
# included in the repository. You need a clone of the repository with `pip install '.[all]'`. On two cores the tutorial
# takes some minutes; no GPU is needed.

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
# Data for question answering usually have the format of SQuAD: articles, divided into paragraphs, with questions about
# each paragraph. An answer is its text and the place where it starts. `read_examples` reads every format into the same
# record, one question with its context, and checks it: a wrong place is an error that names the question.

# %%
examples = list(quoth.read_examples(SAMPLE))
example = examples[2]
print(example.question)
print(example.context)
print(example.golds)

# %% [markdown]
# The annotated answers are called *golds*. There may be several (annotators disagree, for instance about an article),
# one, or none. With none, the text does not answer the question, and the right output is "no answer". `start` counts
# code points, the units of a Python string, so slicing the text at a gold gives the gold.

# %%
for gold in example.golds:
    assert gold.span.of(example.context) == gold.text

print(next(each for each in examples if not each.golds))

# %% [markdown]
# Look at the data before you train. How long are the texts, and where in them are the answers?

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
# Most answers are short, and they can be anywhere. (In SQuAD many are near the beginning, and a network can learn that
# as a shortcut.)
#
# We hold out two articles. A reader must be evaluated on texts it has never seen: with questions about *one* paragraph
# on both sides, it could have memorised the text.

# %%
from quoth.data import split

held_out, training = split(examples, ["Bees above the Opera", "The Paper Mill of Aubin"])
print(f"{len(training)} questions to learn from, {len(held_out)} to be judged by")

# %% [markdown]
# ## 2. Tokens
#
# A network reads numbers. A tokenizer splits text into pieces of its vocabulary (30,522 of them here); a word that is
# not in the vocabulary is built from smaller pieces, marked `##`. Each token keeps its *offsets*: which code points of
# the text it covers. With them, an answer in tokens becomes a place in the text.

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
# The network reads the question and the text together, `[CLS] question [SEP] text [SEP]`, up to a maximum number of
# tokens (512 for BERT). A longer text is not truncated. It is read in several *windows*, each with the whole question.
# They overlap, so that an answer at the edge of one window is complete in the next. (Other libraries call the overlap
# *stride*, which elsewhere means the step. Quoth says overlap.)
#
# The reader's own windows have 384 tokens. To get several windows from a short text, we use 64 here.

# %%
from quoth.reading import Windower

small = Windower(tokenizer, max_tokens=64, overlap=24)
windows = small.windows(example)
for window in windows:
    print(window)

windows[0]

# %% [markdown]
# Where the windows are in the text, and where the gold is:

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
# What should the network learn from a window? The token where the gold starts, and the token where it ends. A window
# that does not contain the whole gold learns "not here", which is expressed by pointing at `[CLS]`. The end of
# `target` is exclusive, as in Python's ranges.


# %%
def words_of(window, tokens):
    """Return the tokens of a range as they are written."""
    return [tokenizer.token(number) for number in window.ids[tokens.start : tokens.end].tolist()]


for window in windows:
    print(window.index, window.target, words_of(window, window.target) if window.target else "not here")

# %% [markdown]
# A pitfall: answers need not start or end at a token boundary. In the answer "37.2" from "minus 37.25 degrees", the
# end is inside a token. The tutorial that this one is based on required exact boundaries; it silently left one side of
# the target at 0 and trained on a wrong label. The right tokens are those that *cover* the gold:

# %%
from quoth import Example, Gold

tricky = Example("tricky", "How cold was it?", "It was minus 37.25 degrees.", (Gold("37.2", 13),))
[window] = small.windows(tricky)
print(words_of(window, window.target))

# %% [markdown]
# ## 5. Batches
#
# Several windows are computed at once, padded to the same length. If they were padded to the *maximum* length, most of
# the work would be wasted. So windows of similar length share a batch, and a batch is as long as its longest window.

# %%
from quoth.reading import WindowBatch, by_token_budget

every = [window for _, windows in reader.windower.each(examples) for window in windows]
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
# For each token the network returns two numbers, *logits*: how well an answer starts at this token, and how well it
# ends there.

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
# The answer is the *pair* with the largest sum: a start, and an end that is not before it and not too far after it.
# Every such pair is a candidate. The picture shows all of them; white pairs are not allowed.

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
# This search is exhaustive. The original tutorial compared the 20 best starts with the 20 best ends of each window in
# a Python loop: four hundred steps, which can miss the best pair. `decode` does what you just saw for all windows of
# an example at once. It also extends answers to whole words and counts no span twice.
#
# The *probability* of an answer is the estimated probability that it is right. It starts from the answer's share in a
# softmax over **all** spans of all windows, allows for annotators who disagree on boundaries, and takes "no answer"
# into account. It is calibrated on held-out questions: of the answers with a probability of 0.8, about eight in ten
# are right.

# %%
from quoth.reading import decode

prediction = decode(example, [logits], reader.decode_settings(top_k=3))
assert example.context[offsets[first, 0] : offsets[last, 1]] in prediction.best.text
prediction

# %% [markdown]
# `reader.answer` does all of sections 2 to 6. To see *why* an answer was chosen, use `reader.explain` (or `quoth
# explain`): it shows windows, tokens and logits, and the reasons why pairs with higher scores were rejected.

# %%
explanation = reader.explain(example.question, example.context)
print(explanation)

# %% [markdown]
# **No answer.** The two logits of `[CLS]` score "no answer": their sum is the *null score*. If it exceeds the best
# answer's score by more than the reader's *null threshold*, the reader abstains and gives the reason.
# `null_threshold="never"` turns this off.
#
# Questions that only seem to be answered by the text are the hard ones: a small reader recognises only some of them.

# %%
print("threshold", reader.settings.decode.null_threshold)
for group, name in [(True, "answerable"), (False, "unanswerable")]:
    asked = [each for each in examples if bool(each.golds) == group]
    said = [(prediction.example, prediction) for prediction in reader.answer_all(asked)]
    silent = [(each, prediction) for each, prediction in said if prediction.no_answer]
    print(f"{name}: silent on {len(silent)} of {len(asked)} questions")
    for each, prediction in silent[:1]:
        print(f"    {each.question} -> {prediction}")

# %% [markdown]
# ## 7. Metrics
#
# *Exact match*: does the answer equal a gold, ignoring case, punctuation and articles? *F1*: how many words does it
# share with a gold? Both are means over questions, from 0 to 100. With several golds, the best match counts.

# %%
from quoth import score

little = [
    Example("1", "Which fruit?", "Strawberry", (Gold("Strawberry", 0),)),
    Example("2", "Which industry?", "Agroindustry", (Gold("Agroindustry", 0),)),
    Example("3", "Which colour?", "The red one", (Gold("red one", 4),)),
]
report = score(little, {"1": "strawberry!", "2": "Agriculture industry", "3": "red"})
for row in report.rows:
    print(row.id, row.exact, round(row.f1, 1))
print(report)

# %% [markdown]
# ## 8. Training
#
# The encoder in `readers/shipped` was trained on 80,000 questions of SQuAD. We remove its **head**, the one layer that
# turns a token's state into two logits, and add a new random one. So the encoder is trained, but it cannot answer
# questions yet. (The same command can start from an encoder that was never trained on questions, such as
# `distilbert-base-cased`; it then needs all of SQuAD and some hours.)

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
# Now we train. `quoth.train` (on the command line `quoth train`) evaluates during training by *answering* the held-out
# questions, keeps the best weights, and tracks the run in MLflow. The head is new, so the learning rate is high;
# `layer_decay` lowers it layer by layer towards the embeddings, which need to change least.

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
# The curves, as MLflow stores them (`mlflow ui` shows them in the browser):

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
# One number hides a lot. The report has a row for each question and a confidence interval (wide, with only two
# articles), and it separates answerable from unanswerable questions. This reader never abstains: `quoth calibrate`
# must first fit a threshold on questions that it was not trained on. (If the processor supports bfloat16, training
# evaluates in bfloat16, while the reader here computes in float32; so F1 may differ slightly.)

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
# `WORK / "reader"` is the reader: weights, tokenizer, settings, training data and settings, and a model card.
# transformers can load it too. (`WORK` is deleted when the notebook ends; set `out` to your own folder to keep the
# reader.) To use it without torch, export it; the exported file is compared with torch before it is written. With
# `int8=True`, or `--int8` on the command line, it is a quarter of the size, but the export first tests on 2,000
# labelled questions that F1 does not drop.

# %%
from quoth import export

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
# `quoth serve` answers many clients over HTTP and has a page for asking questions. Here it runs for one question, on a
# free port of this machine.

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
# ## Where to go next
#
# - [Your own data](../guides/own-data.md): check them before you train.
# - [Training](../guides/training.md): long runs, interruptions, several GPUs.
# - [Tracking and sweeps](../guides/tracking.md).
# - [What the numbers mean](../guides/scores.md): probability, calibration, confidence intervals.
# - [Serving](../guides/serving.md).

# %%
minutes = (time.monotonic() - began) / 60
print(f"From the first cell to the last: {minutes:.1f} minutes")
