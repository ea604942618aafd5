"""Compares ``quoth.pipeline(..., compat=True)`` with the pipeline of transformers 4.57.6.

    python tools/parity.py [--reader FLOAT_FOLDER] [--threads N] [--golden-only]

The old pipeline runs in its own environment (`make peers`). FLOAT_FOLDER holds the float checkpoint of the shipped
reader; without it, only the tiny readers of the tests are compared. The SQuAD files are read from QUOTH_DATA.

Each question is asked in both environments. Both may raise an error for a question that leaves no space for its
context. This counts the cases in which all answers and offsets are equal, finds the largest difference of a score, and
prints every case that differs. It writes

- ``tests/golden/dropin-NAME.json``: the old pipeline's results for a few cases, for tests, with the weights' hash;
- ``docs/parity.md``: the table; not with ``--golden-only``, which runs only those few cases and takes a minute.

Exits with 1 if less than 99.9 % are equal, or if a score differs by more than 1e-4.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "src"))

from quoth import pipeline  # noqa: E402
from quoth.files import sha256  # noqa: E402

GOLDEN = ROOT / "tests" / "golden"
TINY = ROOT / "tests" / "tiny"
TEXTS = ROOT / "examples" / "texts"
PEER = ROOT / ".peers" / "pipeline" / "bin" / "python"
SHARE, SCORE = 0.999, 1e-4
Item = TypeVar("Item")
Case = dict[str, Any]
Row = tuple[int, int, float, int]  # cases, equal ones, the largest difference of a score, refused ones
Differing = tuple[Case, Any, Any]  # a case, what the old pipeline returned, what Quoth returned
# Written for this test, and committed with the old pipeline's results.
ODD = [
    ("Who kept the light?", "The light of Cabo Branco 🗼 was kept by Ana Ribeiro 👩🏽‍🔧, for forty years."),
    ("What did she eat?", "She ate a crème brûlée (cre\u0300me bru\u0302le\u0301e), then 👨‍👩‍👧‍👦 went home 🇵🇹🇧🇷."),
    ("灯台はどこにありますか?", "東京の灯台は海のそばにある。1972年に建てられた。"),
    ("谁是守灯人?", "灯塔建于1972年。守灯人是王小明,他住在海边。"),
    ("Где маяк?", "Прохожий спросил: где маяк? Маяк стоит на берегу моря."),
    ("من هو الحارس؟", "المنارة على الساحل. الحارس هو أحمد منذ عشرين سنة."),
    (
        "Where is it?",
        "\u202eIt stands\u202c on the e\u0301 \u0323\u0302 cliff,\u00a0by\u2003the\u3000sea\r\n\r\nin\tNatal.",
    ),
    ("What is [SEP]?", "A text may say [SEP] or </s> or <sep>, and [CLS] <s> <cls> too; it means these letters."),
    ("How bright?", "ﬁve ½ ㎏ of İstanbul straße Ǆ; 3,000.5 candela, don't ask the U.S."),
    ("Who?", "x"),
    ("Who?", "."),
    ("When?", " \u200b "),
    ("Where was I born?", "I was born in Paris. PARIS is large; paris was small. In Paris, Paris."),
    ("Where is the answer?", "a" * 300 + " here " + "b" * 300),
]
ASKED = [
    ("Who kept the light?", "lighthouse.txt"),
    ("What flew into the glass?", "lighthouse.txt"),
    ("How long does the bread have to bake?", "bread.txt"),
    ("Why is there a tray of boiling water in the oven?", "bread.txt"),
    ("How often should I check the tyre pressure?", "bicycle.txt"),
    ("Who helped to carry the piano?", "letter.txt"),
    ("How many clocks does the neighbour have?", "letter.txt"),
    ("Who is the queen of Denmark?", "letter.txt"),
]
WAYS: list[dict[str, Any]] = [
    {},
    {"top_k": 4},
    {"top_k": 3, "handle_impossible_answer": True, "max_answer_len": 30},
    {"top_k": 5, "align_to_words": False},
    {"max_seq_len": 48, "doc_stride": 16, "top_k": 2},
    {"padding": "max_length"},
]


def case(kind: str, question: str, context: str, **parameters: Any) -> Case:
    """Return one case."""
    return {"set": kind, "question": question, "context": context, "parameters": parameters}


def committed() -> Iterator[Case]:
    """Yield the committed cases: unusual texts with various parameters, and the texts of the examples."""
    texts = {file.name: file.read_text(encoding="utf-8") for file in sorted(TEXTS.glob("*.txt"))}
    yield from (case("odd texts", q, c, **WAYS[n % len(WAYS)]) for n, (q, c) in enumerate(ODD * 2))
    yield from (case("examples", q, texts[name], **WAYS[n % 3]) for n, (q, name) in enumerate(ASKED))


def questions(file: Path) -> Iterator[tuple[str, str, str]]:
    """Yield each question of a SQuAD file with its context and its title."""
    for article in json.loads(file.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            for item in paragraph["qas"]:
                yield item["question"].strip(), paragraph["context"], article["title"]


def spread(items: Iterable[Item], count: int) -> list[Item]:
    """Return `count` items, evenly spaced."""
    known = list(items)
    return [known[index * len(known) // count] for index in range(count)]


def measured(data: Path, one: int, two: int, long: int, **sizes: int) -> Iterator[Case]:
    """Yield cases of SQuAD: dev v1.1, a quarter of them with top_k too; dev v2.0 with null; and long texts."""
    first = list(questions(data / "squad-v1.1-dev.json"))
    for index, (question, context, _) in enumerate(spread(first, one)):
        yield case("SQuAD v1.1", question, context, **sizes, **({"top_k": 5} if index % 4 == 0 else {}))
    for question, context, _ in spread(questions(data / "squad-v2.0-dev.json"), two):
        yield case("SQuAD v2.0, with null", question, context, **sizes, handle_impossible_answer=True)
    articles = []
    for _, group in groupby(first, key=lambda item: item[2]):
        items = list(group)
        articles.append((items, "\n".join(dict.fromkeys(context for _, context, _ in items))))
    for index in range(long):
        items, text = articles[index % len(articles)]
        # Some 1,500 tokens: more than three windows.
        yield case(
            "longer than three windows", items[index * 7 % len(items)][0], text[:7500], **sizes, top_k=1 + index % 3
        )


def ask_peer(python: str, folder: Path, cases: list[Case], threads: int) -> dict[str, Any]:
    """Return the results of the old pipeline."""
    with tempfile.TemporaryDirectory() as scratch:
        given, found = Path(scratch) / "cases.json", Path(scratch) / "results.json"
        given.write_text(json.dumps(cases, ensure_ascii=False), encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
        script = Path(__file__).with_name("parity_peer.py")
        subprocess.run([python, str(script), str(folder), str(given), str(found)], check=True, env=environment)
        document: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
    return document


def ask_ours(folder: Path, cases: list[Case]) -> list[Any]:
    """Return the results of Quoth."""
    qa = pipeline("question-answering", model=str(folder), compat=True)
    found: list[Any] = []
    for item in cases:
        try:
            found.append(qa(question=item["question"], context=item["context"], **item["parameters"]))
        except ValueError:
            found.append({"refused": True})
    return found


def compare(peer: Any, ours: Any) -> tuple[bool, float]:
    """Return whether two results are equal, and the largest difference of a score."""
    peer, ours = (item if isinstance(item, list) else [item] for item in (peer, ours))
    if [len(peer), *map(_said, peer)] != [len(ours), *map(_said, ours)]:
        return False, 0.0
    return True, max((abs(a.get("score", 0) - b.get("score", 0)) for a, b in zip(peer, ours, strict=True)), default=0.0)


def _said(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "score"}


def measure(
    name: str, folder: Path, cases: list[Case], peer_python: str, threads: int
) -> tuple[dict[str, Row], list[Differing], dict[str, Any]]:
    """Ask both, print the differences, and return the rows of the table, the differences and the peer's document."""
    print(f"{name}: {len(cases)} cases ...", flush=True)
    began = time.perf_counter()
    peer = ask_peer(peer_python, folder, cases, threads)
    middle = time.perf_counter()
    ours = ask_ours(folder, cases)
    ended = time.perf_counter()
    print(f"  transformers {peer['transformers']} {middle - began:.0f} s, quoth {ended - middle:.0f} s")
    rows: dict[str, Row] = {}
    differ: list[Differing] = []
    for item, theirs, our in zip(cases, peer["results"], ours, strict=True):
        same, gap = compare(theirs, our)
        total, equal, worst, refused = rows.get(item["set"], (0, 0, 0.0, 0))
        refused += "refused" in our and "refused" in theirs
        rows[item["set"]] = (total + 1, equal + same, max(worst, gap), refused)
        if not same:
            differ.append((item, theirs, our))
            print(f"  {item['set']}: {item['question']!r} {item['parameters']}\n    old {theirs}\n    new {our}")
    return rows, differ, peer


def write_golden(name: str, folder: Path, cases: list[Case], peer: dict[str, Any]) -> None:
    """Write the old pipeline's results for the committed cases."""
    document = {
        "made_with": f"transformers {peer['transformers']}, by tools/parity.py",
        "weights": sha256(folder / "model.safetensors"),
        "cases": [
            {**item, "result": result}
            for item, result in zip(cases, peer["results"], strict=True)
            if item["set"] in ("odd texts", "examples")
        ],
    }
    GOLDEN.mkdir(exist_ok=True)
    text = json.dumps(document, ensure_ascii=False, indent=1)
    (GOLDEN / f"dropin-{name}.json").write_text(text + "\n", encoding="utf-8")


HEAD = """# Parity with the pipeline of transformers 4.57.6

`quoth.pipeline("question-answering", compat=True)` compared with `transformers.pipeline("question-answering")` of
4.57.6, each in its own environment, with the same weights in float32. Two results are equal if they have the same
answers with the same offsets in the same order, or if both raise an error because the question leaves no space for its
context. The tiny readers run in ONNX Runtime, and the shipped reader's float checkpoint in torch, as in transformers.
Written by

```sh
python tools/parity.py --reader FLOAT_FOLDER
```

| reader | cases | number | equal | of which errors | largest difference of a score |
|---|---|---|---|---|---|
"""
# The page from this heading on is not generated, and is kept.
CAUSES = "## Known differences"


def main() -> int:
    """Measure, write, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", default=str(PEER), help="Python of an environment with transformers 4.57.6")
    parser.add_argument("--reader", type=Path, help="folder of the shipped reader's float checkpoint")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--golden-only", action="store_true", help="run only the committed cases")
    parser.add_argument("--only", help="with --golden-only: only this reader (wordpiece, bpe, albert, shipped)")
    options = parser.parse_args()
    if options.only and not options.golden_only:
        parser.error("--only needs --golden-only, because the table shows all readers")
    readers = [(kind, TINY / kind, (300, 60, 15)) for kind in ("wordpiece", "bpe", "albert")]
    if options.reader:
        readers.append(("shipped", options.reader, (2000, 500, 100)))
    if options.only:
        readers = [reader for reader in readers if reader[0] == options.only]
    lines, hashes, differences, good = [], [], [], True
    for name, folder, sizes in readers:
        # The tiny readers have small vocabularies, so a question has many tokens.
        narrow = {} if name == "shipped" else {"doc_stride": 24}
        cases = list(committed())
        if not options.golden_only:
            cases += measured(Path(os.environ["QUOTH_DATA"]) / "squad", *sizes, **narrow)
        rows, differ, peer = measure(name, folder, cases, options.peer, options.threads)
        write_golden(name, folder, cases, peer)
        for kind, (total, equal, worst, refused) in rows.items():
            lines.append(f"| {name} | {kind} | {total:,} | {100 * equal / total:.2f} % | {refused} | {worst:.1e} |\n")
        share = sum(row[1] for row in rows.values()) / len(cases)
        good &= share >= SHARE and max(row[2] for row in rows.values()) <= SCORE
        lines.append(f"| **{name}** | **all** | {len(cases):,} | **{100 * share:.2f} %** | | |\n")
        hashes.append(f"- {name}: `{sha256(folder / 'model.safetensors')}`\n")
        differences += [
            f"- {name}, {item['set']}, {item['parameters']}: {item['question']!r}: `{theirs}` was `{our}`\n"
            for item, theirs, our in differ
        ]
    print("".join(lines))
    if not options.golden_only:
        write_table(lines, hashes, differences)
    return 0 if good else 1


def write_table(lines: list[str], hashes: list[str], differences: list[str]) -> None:
    """Write docs/parity.md, except its last section."""
    file = ROOT / "docs" / "parity.md"
    kept = file.read_text(encoding="utf-8").partition(CAUSES)[2]
    listed = "".join(differences) or "None.\n"
    weights = f"The weights' SHA-256:\n\n{''.join(hashes)}"
    text = f"{HEAD}{''.join(lines)}\n{weights}\n## Cases that differ\n\n{listed}\n{CAUSES}{kept}"
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
