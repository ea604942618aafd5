"""Traces of requests, sent to a real OTLP receiver, without texts."""

import gzip
import http.server
import signal
import threading

import pytest

from support.serving import QUESTION, TEXT, process

trace_service_pb2 = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

pytestmark = [pytest.mark.serve, pytest.mark.long]


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        self.server.bodies.append(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_request_is_a_span_with_its_parts_in_the_trace_of_its_client():
    secret = "xyzzy-plugh"
    trace = "0af7651916cd43dd8448eb211c80319c"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        receiver.bodies = []
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        with process(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{receiver.server_port}") as server:
            parent = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "X-Request-ID": "mine"}
            server.post("/v1/answer", {"question": f"{QUESTION} {secret}", "context": f"{TEXT} {secret}"}, **parent)
            server.get(f"/{secret}?{secret}", **parent)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0
        receiver.shutdown()
    spans = {}
    for body in receiver.bodies:
        assert secret.encode() not in body
        sent = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
        for resource in sent.resource_spans:
            for scope in resource.scope_spans:
                spans |= {span.name: span for span in scope.spans if span.trace_id.hex() == trace}
    assert set(spans) == {"POST /v1/answer", "GET other", "split", "read", "decode"}
    whole = spans["POST /v1/answer"]
    assert whole.parent_span_id.hex() == "b7ad6b7169203331"
    assert {spans[name].parent_span_id for name in ("split", "read", "decode")} == {whole.span_id}
    facts = {item.key: item.value.string_value or item.value.int_value for item in whole.attributes}
    assert facts == {
        "http.request.method": "POST", "http.route": "/v1/answer", "http.response.status_code": 200,
        "quoth.request_id": "mine",
    }  # fmt: skip


def test_without_an_endpoint_nothing_is_imported():
    with process(PYTHONVERBOSE="1") as server:
        server.get("/healthz")
    assert any(b"import 'quoth.serve.tracing" in line for line in server.log)
    assert not any(b"import 'opentelemetry.exporter" in line for line in server.log)
