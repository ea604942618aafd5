"""Generated requests, valid and invalid by the OpenAPI description, cause no server errors."""

import pytest
from hypothesis import HealthCheck, given, settings

from quoth.corpus import Corpus
from quoth.serve.errors import ErrorResponse
from support.files import pdf
from support.serving import process

schemathesis = pytest.importorskip("schemathesis")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")
positive_data_acceptance, negative_data_rejection = checks.positive_data_acceptance, checks.negative_data_rejection

pytestmark = [pytest.mark.long, pytest.mark.serve]

PATHS = [
    ("POST", "/"), ("POST", "/v1/answer"), ("POST", "/v1/answers"), ("POST", "/v1/explain"), ("POST", "/v1/texts"),
    ("POST", "/v1/verify"), ("GET", "/v1/texts/{handle}"),
    ("DELETE", "/v1/texts/{handle}"), ("GET", "/v1/reader"), ("POST", "/v1/reader/reload"),
    ("POST", "/v1/jobs"), ("GET", "/v1/jobs/{id}"), ("DELETE", "/v1/jobs/{id}"), ("GET", "/v1/jobs/{id}/results"),
    ("POST", "/v1/corpus/answer"), ("POST", "/v1/corpus/verify"), ("GET", "/v1/corpus/search"),
    ("GET", "/v1/corpus/documents"), ("POST", "/v1/corpus/documents"), ("GET", "/v1/corpus/documents/{id}"),
    ("DELETE", "/v1/corpus/documents/{id}"),
    ("GET", "/v1/corpus/documents/{id}/pages/{number}"), ("GET", "/healthz"),
    ("GET", "/readyz"), ("GET", "/metrics"),
]  # fmt: skip


# An invalid row has an error of its own, and the others are answered.
ROWS = ("/v1/answers", "/v1/jobs")


@pytest.fixture(scope="module")
def description(tmp_path_factory):
    corpus = tmp_path_factory.mktemp("corpus") / "c.quoth"
    with Corpus.open(corpus) as opened:
        opened.add_file(pdf(["The pump turns slowly."], ["Change the oil after 500 hours."]), "pump.pdf")
    with process("--corpus", corpus) as server:
        yield schemathesis.openapi.from_url(f"{server.url}/openapi.json")


def test_every_path_is_tested(description):
    found = [result.ok() for result in description.get_all_operations()]
    assert sorted((operation.method.upper(), operation.path) for operation in found) == sorted(PATHS)


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_no_request_causes_a_server_error(description, method, path, mode):
    operation = description[path][method]
    mode = schemathesis.GenerationMode(mode)
    if mode is schemathesis.GenerationMode.NEGATIVE and not (operation.body or operation.path_parameters):
        return  # nothing of it can be wrong

    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case):
        response = case.call()
        assert response.status_code < 500
        if response.status_code >= 400:
            ErrorResponse.model_validate(response.json())
        # The schema cannot express all rules (no blank question, one source), so requests that fit it may be rejected.
        excluded = [positive_data_acceptance, *([negative_data_rejection] if path in ROWS else [])]
        case.validate_response(response, excluded_checks=excluded)

    ask()
