"""Fits a reader's settings for corpora, and measures it over all paragraphs of SQuAD v1.1: the figures of the guide.

    python tools/corpus.py READER [--fit] [--recall] [--wikipedia] [--cache FOLDER]

Reads the data sets from QUOTH_DATA. With --fit, the settings are fitted on every Nth question of the held-out articles
of train and stored in the reader's quoth.json. These questions have one gold each; like the calibration for single
texts, the fit uses second golds, which the reader of the first stage gives (`second_golds` in make_reader.py). Then
every Nth question of dev is answered from ten passages: never abstaining, and at the stored threshold. With --recall,
all questions of dev are searched instead, and nothing is read. With --wikipedia, the corpus also has the articles of
the Wikipedia sample. With --cache, readings are kept for later runs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from make_reader import second_golds

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "src"))

from quoth.calibrating.corpus_fit import fit_readings, read_for_fit  # noqa: E402
from quoth.corpus import Corpus  # noqa: E402
from quoth.corpus.choice import PassageAnswer, choose  # noqa: E402
from quoth.corpus.corpus import corpus_decode, corpus_settings  # noqa: E402
from quoth.corpus.evaluation import DEPTHS, CorpusReport  # noqa: E402
from quoth.corpus.gold import find_contexts, first_gold, gold_spans  # noqa: E402
from quoth.data import read_examples  # noqa: E402
from quoth.documents import Document  # noqa: E402
from quoth.evaluation import evaluate  # noqa: E402
from quoth.reader import Reader  # noqa: E402
from quoth.reading import DecodeSettings  # noqa: E402
from quoth.records import Example, Prediction  # noqa: E402
from quoth.store import ReaderFolder  # noqa: E402

# The commit that shipped the reader of the first stage.
FIRST_STAGE = "d28a759"
T = TypeVar("T")


class Read(NamedTuple):
    """A question of dev as it was read: the answers of its passages, the number of windows, the rank of a gold."""

    id: str
    answers: list[PassageAnswer]
    windows: int
    rank: int | None


def main() -> None:
    """Make the corpus, fit the settings if asked to, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", help="the folder of a reader")
    parser.add_argument("--fit", action="store_true", help="fit the settings and store them in the reader")
    parser.add_argument("--recall", action="store_true", help="search for all questions of dev, and read nothing")
    parser.add_argument("--wikipedia", action="store_true", help="add the articles of the Wikipedia sample")
    parser.add_argument("--search", default="fts5", help="the search engine: fts5 or tantivy")
    parser.add_argument("--every", type=int, default=3, help="fit on every Nth held-out question")
    parser.add_argument("--dev-every", type=int, default=10, help="measure every Nth question of dev")
    parser.add_argument("--cache", type=Path, help="a folder in which readings are kept")
    given = parser.parse_args()
    data = Path(os.environ["QUOTH_DATA"])
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.cache or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        kind = f"squad{'-wikipedia' if given.wikipedia else ''}-{given.search}"
        with Corpus.open(folder / f"{kind}.quoth", search=given.search) as corpus:
            if not corpus.document_keys():
                count = corpus.add_documents(paragraphs(data))
                count += corpus.add_documents(articles(data)) if given.wikipedia else 0
                print(f"{count:,} documents")
            if given.fit:
                fit(given.reader, corpus, data, folder, given.every)
            dev = read_examples(data / "squad" / "squad-v1.1-dev.json", places=False)
            if given.recall:
                print_recall(ranks(corpus, dev))
                return
            some = dev[:: given.dev_every]
            read = cached(folder / f"dev-{kind}-{given.dev_every}.pkl", lambda: read_dev(given.reader, corpus, some))
        measure(Reader.load(given.reader), some, read)


def paragraphs(data: Path) -> Iterator[Document]:
    """Yield each distinct paragraph of SQuAD v1.1 as a document with the title of its article."""
    seen = set()
    for kind in ("train", "dev"):
        for article in json.loads((data / "squad" / f"squad-v1.1-{kind}.json").read_text(encoding="utf-8"))["data"]:
            for number, paragraph in enumerate(article["paragraphs"]):
                if paragraph["context"] not in seen:
                    seen.add(paragraph["context"])
                    title = article["title"].replace("_", " ")
                    yield Document(paragraph["context"], name=f"{article['title']}/{number}", title=title)


def articles(data: Path) -> Iterator[Document]:
    """Yield each article of the Wikipedia sample. It has no titles, so the first words are the title."""
    with gzip.open(data / "text" / "wikipedia-sample.txt.gz", "rt", encoding="utf-8") as file:
        for number, text in enumerate(file.read().strip().split("\n\n")):
            yield Document(text.replace("\n", "\n\n"), name=f"wikipedia/{number}", title=" ".join(text.split()[:3]))


def fit(name: str, corpus: Corpus, data: Path, folder: Path, every: int) -> None:
    """Fit the settings of a reader, and store them in its folder."""
    reader = Reader.load(name)
    squad = data / "squad"
    titles = (squad / "held-out-titles.txt").read_text(encoding="utf-8").split("\n")
    train = json.loads((squad / "squad-v1.1-train.json").read_text(encoding="utf-8"))["data"]
    (folder / "held-out.json").write_text(json.dumps({"data": [each for each in train if each["title"] in titles]}))
    golds = second_golds(folder / "held-out.json", first_stage(folder), folder / "held-out.golds.json")
    examples = read_examples(golds, places=False)[::every]
    read = cached(folder / f"held-out-{every}.pkl", lambda: list(read_for_fit(corpus, reader, examples)))
    found = fit_readings(read, corpus_settings(reader))
    print(json.dumps({"data": "held-out.golds.json", "every": every, **found.to_dict()}, indent=1))
    settings = replace(reader.settings, corpus=found.settings)
    ReaderFolder.open(Path(name)).with_settings(settings, {"corpus_calibration": found.to_dict()})


def first_stage(folder: Path) -> Path:
    """Return the folder of the first stage's reader, from the history."""
    target = folder / "first-stage"
    target.mkdir(exist_ok=True)
    for name in ("model.onnx", "quoth.json", "tokenizer.json"):
        command = ["git", "show", f"{FIRST_STAGE}:src/quoth/shipped/{name}"]
        (target / name).write_bytes(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    return target


def read_dev(name: str, corpus: Corpus, examples: Sequence[Example]) -> list[Read]:
    """Search and read the passages of each question."""
    reader = Reader.load(name)
    places = find_contexts(corpus, (context for example in examples for context in example.contexts))
    found = corpus.read_all(reader, examples, reader.decode_settings(), search=max(DEPTHS))
    return [
        Read(searched.id, answers, windows, first_gold(searched.hits, gold_spans(searched.asked, places)))
        for searched, answers, windows in found
    ]


def ranks(corpus: Corpus, examples: Sequence[Example]) -> list[int | None]:
    """Return the rank of the first passage with a gold, for each question; ``None`` if it is not among the first 20."""
    places = find_contexts(corpus, (context for example in examples for context in example.contexts))
    return [first_gold(corpus.search(each.question, max(DEPTHS)), gold_spans(each, places)) for each in examples]


def print_recall(found: Sequence[int | None]) -> None:
    """Print the recall of the search."""
    recall = [100 * sum(rank is not None and rank <= depth for rank in found) / len(found) for depth in DEPTHS]
    said = ", ".join(f"{each:.1f}% at {depth}" for each, depth in zip(recall, DEPTHS, strict=True))
    print(f"{len(found):,} questions, a gold passage among the first: {said}")


def measure(reader: Reader, examples: Sequence[Example], read: Sequence[Read]) -> None:
    """Print the scores, never abstaining and at the stored threshold."""
    for threshold in ("never", None):
        replay = _Replay(reader, read, corpus_decode(reader, null_threshold=threshold))
        report = CorpusReport(evaluate(replay, examples), tuple(each.rank for each in read), 0, 10)
        print(json.dumps({"null_threshold": threshold or "as stored", **report.to_dict()}, indent=1))


class _Replay:
    """A reader whose answers were read before."""

    def __init__(self, reader: Reader, read: Sequence[Read], decode: DecodeSettings) -> None:
        self._settings, self._decode = corpus_settings(reader), decode
        self._read = {each.id: each for each in read}

    def answer_all(self, examples: Iterable[Example], /) -> Iterator[Prediction]:
        """Yield one prediction for each example, in order."""
        for example in examples:
            read = self._read[example.id]
            yield choose(example, read.answers, read.windows, self._decode, self._settings)


def cached(file: Path, work: Callable[[], T]) -> T:
    """Return what a file has, or do the work and write it."""
    if file.is_file():
        found: T = pickle.loads(file.read_bytes())
        return found
    done = work()
    file.write_bytes(pickle.dumps(done))
    return done


if __name__ == "__main__":
    main()
