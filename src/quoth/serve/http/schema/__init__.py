"""Request and response schemas of each endpoint.

    POST /v1/answer          AnswerRequest  -> AnswerResponse    one question about one or several texts
    POST /v1/answers         AnswersRequest -> AnswersResponse   many rows, or many questions about one text; in order
    POST /v1/texts           TextRequest or a file -> TextResponse   store a text; questions refer to it by its handle
    GET  /v1/texts/{handle}                 -> StoredText        a stored text; after a 404, send it again
    POST /v1/explain         ExplainRequest -> ExplainResponse   windows, tokens, offsets and logits of one question
    POST /v1/jobs            AnswersRequest -> JobResponse       the same for more rows than a request may have
    GET  /v1/jobs/{id}, /v1/jobs/{id}/results -> JobResponse, JobResults   its progress; its results
    POST /v1/verify          VerifyRequest  -> VerifyResponse    check whether the texts contain quotes
    GET  /v1/reader                         -> ReaderResponse    the reader, its settings, and the limits of this server
    GET  /healthz, /readyz                  -> Health            liveness; readiness
    GET  /metrics                                                Prometheus
    POST /                   HostedRequest  -> HostedAnswer, or a list of them    Hugging Face's hosted task

Every error is an ErrorResponse. Offsets count code points, half-open, unless their name says UTF-16. A number that is
not finite is ``null``, because JSON cannot represent it.
"""

from quoth.serve.http.schema.answers import (
    AnswerResponse,
    AnswersResponse,
    ExplainedQuote,
    ExplainedWindow,
    ExplainResponse,
    Place,
    Quote,
    ReaderName,
    RejectedQuote,
    Result,
    RowResult,
    Spelling,
    StoredText,
    TextFacts,
    TextResponse,
    Timing,
    answer_example,
)
from quoth.serve.http.schema.common import (
    HANDLE,
    QUESTION,
    TEXT,
    Choice,
    Handle,
    MaxAnswerTokens,
    NullThreshold,
    Question,
    Source,
    Strict,
    TopK,
)
from quoth.serve.http.schema.hosted import HostedAnswer, HostedInputs, HostedParameters, HostedRequest
from quoth.serve.http.schema.jobs import JOB, JobResponse, JobResults
from quoth.serve.http.schema.requests import (
    AnswerRequest,
    AnswersRequest,
    ExplainRequest,
    OneQuestion,
    Row,
    TextRequest,
)
from quoth.serve.http.schema.server import Health, LimitsResponse, ReaderResponse
from quoth.serve.http.schema.verify import (
    ClosestPlace,
    Difference,
    PageBox,
    QuotePlace,
    QuoteVerdict,
    Step,
    VerifyRequest,
    VerifyResponse,
)

__all__ = [
    "HANDLE",
    "JOB",
    "QUESTION",
    "TEXT",
    "AnswerRequest",
    "AnswerResponse",
    "AnswersRequest",
    "AnswersResponse",
    "Choice",
    "ClosestPlace",
    "Difference",
    "ExplainRequest",
    "ExplainResponse",
    "ExplainedQuote",
    "ExplainedWindow",
    "Handle",
    "Health",
    "HostedAnswer",
    "HostedInputs",
    "HostedParameters",
    "HostedRequest",
    "JobResponse",
    "JobResults",
    "LimitsResponse",
    "MaxAnswerTokens",
    "NullThreshold",
    "OneQuestion",
    "PageBox",
    "Place",
    "Question",
    "Quote",
    "QuotePlace",
    "QuoteVerdict",
    "ReaderName",
    "ReaderResponse",
    "RejectedQuote",
    "Result",
    "Row",
    "RowResult",
    "Source",
    "Spelling",
    "Step",
    "StoredText",
    "Strict",
    "TextFacts",
    "TextRequest",
    "TextResponse",
    "Timing",
    "TopK",
    "VerifyRequest",
    "VerifyResponse",
    "answer_example",
]
