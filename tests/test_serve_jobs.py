"""Jobs: many rows that take longer than a request may."""

import time

import pytest

from quoth.serve.jobs import Jobs
from support.serving import QUESTION, TEXT, SlowEngine, process, thread

pytestmark = pytest.mark.serve


def ended(server, id, seconds=60):
    """Wait until a job does not run any more; return its progress."""
    until = time.monotonic() + seconds
    while (found := server.get(f"/v1/jobs/{id}")[2])["status"] == "running":
        assert time.monotonic() < until, found
        time.sleep(0.05)
    return found


def results(server, id):
    found, offset = [], 0
    while offset is not None:
        page = server.get(f"/v1/jobs/{id}/results?offset={offset}&limit=30")[2]
        found += page["results"]
        offset = page["next"]
    return found


def test_a_job_has_the_results_of_the_same_rows_in_order():
    rows = [{"id": str(number), "question": QUESTION, "context": f"{TEXT} {number}"} for number in range(70)]
    rows[3] = {"question": QUESTION}
    rows[5] = "no object"
    with process() as server:
        expected = server.post("/v1/answers", {"rows": rows, "top_k": 2})[2]
        code, _, job = server.post("/v1/jobs", {"rows": rows, "top_k": 2})
        assert (code, job["status"], job["rows"]) == (202, "running", 70)
        done = ended(server, job["id"])
        assert (done["status"], done["done"], done["reader"]) == ("done", 70, expected["reader"])
        found = results(server, job["id"])
        assert [item["index"] for item in found] == list(range(70))
        for one, other in zip(found, expected["results"], strict=True):
            assert (one["id"], one["error"]) == (other["id"], other["error"])
            if one["result"]:
                assert one["result"]["best"]["span"] == other["result"]["best"]["span"]
        assert server.call("DELETE", f"/v1/jobs/{job['id']}")[0] == 204
        for path in (f"/v1/jobs/{job['id']}", f"/v1/jobs/{job['id']}/results"):
            code, _, body = server.get(path)
            assert (code, body["error"]["code"]) == (404, "job_not_found")
        # An error of the whole request is told at once.
        code, _, body = server.post("/v1/jobs", {"questions": [QUESTION], "text": "0" * 64})
        assert (code, body["error"]["code"]) == (404, "text_not_found")


def test_a_job_may_take_longer_than_a_deadline_and_others_are_served_meanwhile():
    with thread(SlowEngine(0.05), deadline_s=1.0, batch_tokens=64, rows=10) as server:
        asked = {"questions": [QUESTION] * 150, "context": TEXT}
        assert server.post("/v1/answers", asked)[0] == 413
        job = server.post("/v1/jobs", asked)[2]
        assert server.post("/v1/answer", {"question": QUESTION, "context": TEXT})[0] == 200
        before = time.monotonic()
        assert ended(server, job["id"])["status"] == "done"
        assert time.monotonic() - before > 1.0
        assert len(results(server, job["id"])) == 150


def test_jobs_are_bounded_in_number_rows_and_size():
    engine = SlowEngine()
    with thread(engine, jobs=1, job_rows=50, job_bytes=2_000, deadline_s=60.0) as server:
        code, _, body = server.post("/v1/jobs", {"questions": ["?"] * 51, "context": TEXT})
        assert (code, body["error"]["code"]) == (413, "job_rows_limit")
        engine.free.clear()
        job = server.post("/v1/jobs", {"questions": [QUESTION] * 50, "context": TEXT})[2]
        code, headers, body = server.post("/v1/jobs", {"questions": [QUESTION], "context": TEXT})
        assert (code, body["error"]["code"]) == (503, "overloaded")
        assert int(headers["Retry-After"]) >= 1
        engine.free.set()
        done = ended(server, job["id"])
        assert (done["status"], done["error"]["code"]) == ("failed", "job_bytes_limit")
        server.wait_for('quoth_overloaded_total{reason="jobs"}', 1)


def test_a_job_whose_worker_has_ended_is_lost_and_old_ones_expire(tmp_path):
    now = [1_000.0]
    jobs = Jobs(tmp_path / "jobs.sqlite", 100, 5_000.0, lambda: now[0])
    first = jobs.start(3, "{}")
    assert jobs.add(first, 0, [b"1" * 40])
    now[0] += 700
    assert jobs.get(first).state == "lost"
    assert jobs.end(first, "done")
    assert not jobs.end(first, "failed")
    second = jobs.start(2, "{}")
    # The first one has ended, so it makes room.
    assert jobs.add(second, 0, [b"2" * 70])
    assert jobs.get(first) is None
    assert not jobs.add(second, 1, [b"2" * 70])
    now[0] += 6_000
    assert jobs.get(second) is None
    jobs.expire()
    assert jobs.results(second, 0, 10) == []
    jobs.close()
