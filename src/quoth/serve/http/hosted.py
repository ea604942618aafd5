"""Hugging Face's hosted question-answering task: converts its requests, and our answers to its responses.

Source: the specification of the task in huggingface.js, ``packages/tasks/src/tasks/question-answering``; for the
defaults, the pipeline that served it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from quoth.errors import ConfigError
from quoth.reader import Reader
from quoth.reading import DecodeSettings, Tokenizer, Windower
from quoth.records import NEVER, NullThreshold, Prediction
from quoth.serve.errors import ApiError
from quoth.serve.http.schema import HostedAnswer, HostedParameters, HostedRequest

_MAX_SEQ_LEN = 384
_DOC_STRIDE = 128
# Maximum overlap, as a share of a window. A larger overlap would create very many windows.
_MAX_OVERLAP = 0.75


@dataclass(frozen=True, slots=True)
class HostedTask:
    """One request of the task, converted for our reader.

    Attributes:
        question: The question, truncated to the maximum length.
        settings: The decoding settings.
        windower: Creates windows of the requested sizes.
        may_be_empty: Whether "no answer" may be one of the answers.
    """

    question: str
    settings: DecodeSettings
    windower: Windower
    may_be_empty: bool

    @classmethod
    def of(cls, request: HostedRequest, reader: Reader) -> HostedTask:
        """Validate a request against the limits of the reader.

        Raises:
            ApiError: If the reader does not support the requested windows.
        """
        asked = request.parameters or HostedParameters()
        if not request.inputs.context.strip():
            raise _refused("the context must not be empty, but has no text", "Send a text.", "inputs.context")
        threshold: NullThreshold = reader.settings.threshold_when_asked if asked.handle_impossible_answer else NEVER
        settings = reader.decode_settings(asked.top_k or 1, threshold, asked.max_answer_len or 15)
        return cls(
            _truncated(request.inputs.question.strip(), asked.max_question_len or 64, reader.tokenizer),
            replace(settings, whole_words=asked.align_to_words is not False, overlapping=True),
            _windower(asked, reader),
            bool(asked.handle_impossible_answer),
        )

    def answers(self, prediction: Prediction) -> list[HostedAnswer]:
        """Return the answers in the format of the task, best first; the first one is ``""`` if the reader abstains."""
        answers = [
            HostedAnswer(answer=answer.text, score=answer.probability, start=answer.span.start, end=answer.span.end)
            for answer in prediction.answers
        ]
        if self.may_be_empty or not answers:
            probability = prediction.null_probability
            empty = HostedAnswer(answer="", score=1.0 if probability is None else probability, start=0, end=0)
            if prediction.no_answer or not answers:
                answers.insert(0, empty)
            else:
                answers[1:] = sorted([*answers[1:], empty], key=lambda answer: -answer.score)
        return answers[: self.settings.top_k]


def _windower(asked: HostedParameters, reader: Reader) -> Windower:
    """Return a windower with the requested sizes; the reader's own one if it has them.

    Raises:
        ApiError: If the reader does not support the sizes.
    """
    longest = reader.settings.max_tokens
    max_tokens = min(_MAX_SEQ_LEN, longest) if asked.max_seq_len is None else asked.max_seq_len
    overlap = min(_DOC_STRIDE, max_tokens // 2) if asked.doc_stride is None else asked.doc_stride
    if max_tokens > longest:
        raise _refused(
            f"max_seq_len must be at most {longest} for this reader, but is {max_tokens}", "Omit it.",
            "parameters.max_seq_len",
        )  # fmt: skip
    if overlap > _MAX_OVERLAP * max_tokens:
        raise _refused(
            f"doc_stride must be at most {_MAX_OVERLAP} of max_seq_len ({max_tokens}), but is {overlap}",
            "It is the overlap of neighbouring windows: omit it.", "parameters.doc_stride",
        )  # fmt: skip
    if (max_tokens, overlap) == (reader.windower.max_tokens, reader.windower.overlap):
        return reader.windower
    try:
        return Windower(reader.tokenizer, max_tokens=max_tokens, overlap=overlap)
    except ConfigError as error:
        raise _refused(f"max_seq_len: {error}", "Omit it.", "parameters.max_seq_len") from None


def _truncated(question: str, most: int, tokenizer: Tokenizer) -> str:
    """Truncate a question to a number of tokens, as the task does."""
    (tokens,) = tokenizer.encode([question])
    return question if len(tokens) <= most else question[: int(tokens.offsets[most - 1, 1])]


def _refused(message: str, hint: str, where: str) -> ApiError:
    return ApiError(422, "bad_field", message, hint, f"body.{where}")
