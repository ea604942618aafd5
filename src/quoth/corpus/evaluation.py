"""Evaluates a corpus with a reader: the recall of the search, and the scores of the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from quoth.corpus.corpus import PASSAGES, Corpus
from quoth.corpus.gold import Occurrence, find_contexts, first_gold, gold_spans
from quoth.evaluation import Report, evaluate
from quoth.reading import DecodeSettings
from quoth.records import Example, Prediction

if TYPE_CHECKING:
    from quoth.reader import Reader

# Numbers of passages for which the recall of the search is reported.
DEPTHS = (1, 5, 10, 20)


@dataclass(frozen=True)
class CorpusReport:
    """The report of an evaluation over a corpus.

    Attributes:
        report: Scores of the answers: exact match, F1, calibration.
        ranks: For each answerable question whose context is in the corpus, the rank, from 1, of the first passage
            that contains a gold; ``None`` if it is below the first 20.
        lost: Number of answerable questions whose contexts are not in the corpus; they count as not found.
        passages: Number of passages that were read for each question.
    """

    report: Report
    ranks: tuple[int | None, ...]
    lost: int
    passages: int

    def recall(self, depth: int) -> float:
        """Return the percentage of answerable questions with a gold passage among the first ``depth``, in [0, 100].

        Args:
            depth: Number of passages, at most 20.
        """
        total = len(self.ranks) + self.lost
        return 100.0 * sum(rank is not None and rank <= depth for rank in self.ranks) / total if total else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the keys of :meth:`quoth.evaluation.Report.to_dict`, the recall of the search, and ``passages``."""
        recall = {f"search_recall_{depth}": self.recall(depth) for depth in DEPTHS}
        return {**self.report.to_dict(), **recall, "not_in_corpus": self.lost, "passages": self.passages}

    @property
    def search_line(self) -> str:
        """The recall of the search in one line."""
        found = ", ".join(f"{self.recall(depth):.1f}% at {depth}" for depth in DEPTHS)
        return f"questions with a gold passage among the first: {found}"

    @property
    def notes(self) -> list[str]:
        """Notes for the user, one sentence each."""
        lost = [f"questions whose context is not in the corpus: {self.lost:,}"] if self.lost else []
        return [*self.report.notes, *lost]


def evaluate_corpus(
    corpus: Corpus,
    reader: Reader,
    examples: Sequence[Example],
    decode: DecodeSettings,
    *,
    passages: int = PASSAGES,
    progress: Callable[[int], None] | None = None,
) -> CorpusReport:
    """Answer every labelled question of a data set from a corpus, and score the search and the answers.

    A passage is gold if it contains a gold at an occurrence of the question's context in the corpus.

    Args:
        corpus: The corpus.
        reader: The reader.
        examples: The data set. Its contexts are not used for answering.
        decode: The result of :func:`quoth.corpus.corpus.corpus_decode`.
        passages: Number of passages to read for each question.
        progress: Called after each question with the number of questions answered so far.

    Raises:
        DataError: If no example is labelled.
    """
    labelled = [example for example in examples if example.golds]
    corpus_reader = _CorpusReader(corpus, reader, decode, passages, find_contexts(corpus, _contexts(labelled)))
    report = evaluate(corpus_reader, examples, progress=progress)
    return CorpusReport(report, tuple(corpus_reader.ranks), corpus_reader.lost, passages)


def _contexts(examples: Iterable[Example]) -> Iterator[str]:
    return (example.contexts[gold.context_index] for example in examples for gold in example.golds or ())


class _CorpusReader:
    """A reader that answers from the passages of a corpus instead of from the contexts of the examples.

    Attributes:
        ranks: As in the report, for the questions so far.
        lost: As in the report, for the questions so far.
    """

    def __init__(
        self,
        corpus: Corpus,
        reader: Reader,
        decode: DecodeSettings,
        passages: int,
        places: dict[str, tuple[Occurrence, ...]],
    ) -> None:
        self.ranks: list[int | None] = []
        self.lost = 0
        self._corpus, self._reader, self._decode = corpus, reader, decode
        self._passages, self._places = passages, places

    def answer_all(self, examples: Iterable[Example], /) -> Iterator[Prediction]:
        """Yield one prediction for each example, in order."""
        results = self._corpus.predict_all(
            self._reader,
            examples,
            self._decode,
            passages=self._passages,
            search=max(self._passages, *DEPTHS),
        )
        for searched, prediction in results:
            example = searched.asked
            if example.golds:
                golds = gold_spans(example, self._places)
                if golds:
                    self.ranks.append(first_gold(searched.hits[: max(DEPTHS)], golds))
                else:
                    self.lost += 1
            yield replace(prediction, example=example)
