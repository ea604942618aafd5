"""Claim: questions chosen by ``quoth data select`` train as good a reader from fewer labels as in random order.

A simulation on SQuAD: the labels exist, but are only used for questions that were chosen. Two readers start from the
same labels. In each round one gets those that ``select`` takes by its own doubt (a quarter of them at random, as by
default), the other the next ones in random order; both are trained anew on all of their labels, and measured on other
articles::

    python benchmarks/labelling.py --data $QUOTH_DATA -o labelling.json --seeds 0 1 --plot labelling.svg

So that this takes minutes on two cores, a context is the sentence that answers, and the encoder is that of the included
reader, cut to its lower layers, with a new head: there is something to learn. It was not trained on the held-out
articles: half of them are the pool, the other half measures.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import quoth
from quoth import Reader, TrainConfig
from quoth.data.select import select
from quoth.records import Example, Gold
from quoth.store import shipped_folder
from quoth.training import train
from quoth.training.sources import CHECKPOINT

_ENDS = (". ", "? ", "! ")


def main() -> None:
    """Run the simulation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the data sets")
    parser.add_argument("-o", "--out", type=Path, required=True, help="JSON of all figures; seeds are added to it")
    parser.add_argument("--plot", type=Path, help="draw the curves here")
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--labels", type=int, default=120, help="of each round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--pool", type=int, default=1200)
    parser.add_argument("--measured", type=int, default=400)
    parser.add_argument("--words", type=int, default=40, help="longest sentence")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    options = parser.parse_args()
    found = json.loads(options.out.read_text()) if options.out.is_file() else []
    pool, measured = articles(options.data, options.words)
    with tempfile.TemporaryDirectory(prefix="quoth-labelling-") as folder:
        base = cut(Path(folder) / "base", options.layers)
        for seed in options.seeds:
            draw = random.Random(seed)
            asked = draw.sample(pool, min(options.pool, len(pool)))
            held = draw.sample(measured, min(options.measured, len(measured)))
            for row in curves(asked, held, base, (options.labels, options.rounds, seed), Path(folder)):
                found.append(row)
                options.out.write_text(json.dumps(found, indent=1) + "\n")
    if options.plot:
        plot(found, options.plot)


def articles(data: Path, words: int) -> tuple[list[Example], list[Example]]:
    """Return the questions of the pool, and those that measure: of other articles, with short contexts."""
    titles = (data / "squad" / "held-out-titles.txt").read_text(encoding="utf-8").splitlines()
    halves = set(titles[::2]), set(titles[1::2])
    every = quoth.read_examples(data / "squad" / "squad-v1.1-train.json")
    kept = [sentence for each in every if each.title in titles and (sentence := in_its_sentence(each, words))]
    return [each for each in kept if each.title in halves[0]], [each for each in kept if each.title in halves[1]]


def in_its_sentence(example: Example, words: int) -> Example | None:
    """Return a question with the sentence that answers it as its context; ``None`` if that is too long."""
    (gold, *_) = example.golds or ()
    before = [example.context.rfind(end, 0, gold.start) for end in _ENDS]
    first = max(before) + 2 if max(before) >= 0 else 0
    ends = [place for end in _ENDS if (place := example.context.find(end, gold.start + len(gold.text))) >= 0]
    sentence = example.context[first : min(ends) + 1 if ends else None]
    if len(sentence.split()) > words:
        return None
    return replace(example, contexts=(sentence,), golds=(Gold(gold.text, gold.start - first),))


def cut(folder: Path, layers: int) -> Path:
    """Write the lower layers of the included reader as an encoder without a head."""
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(CHECKPOINT, num_hidden_layers=layers, add_pooling_layer=False)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(CHECKPOINT).save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes((shipped_folder().path / "tokenizer.json").read_bytes())
    return folder


def curves(
    pool: Sequence[Example], held: Sequence[Example], base: Path, how: tuple[int, int, int], folder: Path
) -> list[dict[str, Any]]:
    """Return a row for each reader: its strategy, labels, exact match and F1."""
    number, rounds, seed = how
    order = random.Random(f"order {seed}").sample(pool, len(pool))
    rows = []
    for strategy in ("random", "select"):
        labelled, reader = order[:number], None
        for turn in range(rounds):
            if turn and strategy == "random":
                labelled = order[: number * (turn + 1)]
            elif turn and reader:
                labelled = [*labelled, *chosen(reader, pool, labelled, number, seed * 100 + turn)]
            if turn or strategy == "random":
                began = time.monotonic()
                reader = trained(labelled, base, folder / f"{strategy}-{seed}-{turn}", seed)
                report = quoth.evaluate(reader, held)
                rows.append(
                    {
                        "strategy": strategy,
                        "seed": seed,
                        "labels": len(labelled),
                        "exact": round(report.exact, 2),
                        "f1": round(report.f1, 2),
                        "measured": report.total,
                        "articles": len({each.title for each in labelled}),
                        "seconds": round(time.monotonic() - began),
                    }
                )
                print(json.dumps(rows[-1]), flush=True)
            else:
                reader = Reader.load(folder / f"random-{seed}-0", threads=1)
    return rows


def chosen(
    reader: Reader, pool: Sequence[Example], labelled: Sequence[Example], number: int, seed: int
) -> list[Example]:
    """Return the questions that select takes from those without a label."""
    known = {each.id for each in labelled}
    golds = {each.id: each for each in pool}
    unlabelled = [replace(each, golds=None) for each in pool if each.id not in known]
    predictions = list(reader.answer_all(unlabelled))
    return [golds[each.example.id] for each in select([predictions], number, seed=seed)]


def trained(labelled: Sequence[Example], base: Path, out: Path, seed: int) -> Reader:
    """Train a reader on labelled questions."""
    settings = TrainConfig(
        base=str(base), epochs=3.0, learning_rate=2e-4, max_tokens=96, overlap=32, precision="float32", threads=1,
        tracking=False, seed=seed,
    ).to_dict()  # fmt: skip
    return Reader.load(train(list(labelled), out=out, **settings).folder, threads=1)


def plot(rows: Sequence[dict[str, Any]], file: Path) -> None:
    """Draw F1 over labels for each strategy, each seed as a thin line and their mean as a thick one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.2), layout="constrained")
    axis = figure.subplots()
    start = {row["seed"]: row for row in rows if row["strategy"] == "random" and row["labels"] == rows[0]["labels"]}
    for number, (strategy, name) in enumerate({"random": "random order", "select": "data select"}.items()):
        curves = [
            [*([start[seed]] if strategy == "select" else []), *(r for r in rows if _is(r, strategy, seed))]
            for seed in start
        ]
        for curve in curves:
            axis.plot([r["labels"] for r in curve], [r["f1"] for r in curve], f"C{number}-", linewidth=0.8, alpha=0.5)
        mean = [sum(r["f1"] for r in points) / len(points) for points in zip(*curves, strict=True)]
        axis.plot([r["labels"] for r in curves[0]], mean, f"C{number}o-", label=name)
    axis.set(xlabel="labelled questions", ylabel="F1 on other articles")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    figure.savefig(file)


def _is(row: dict[str, Any], strategy: str, seed: int) -> bool:
    return bool(row["strategy"] == strategy and row["seed"] == seed)


if __name__ == "__main__":
    main()
