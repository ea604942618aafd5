"""Jobs: many rows that take longer than a request may."""

import http.client
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from quoth.serve.jobs import Jobs, OwnedJob
from support.readers import change_weights, changeable_reader
from support.serving import QUESTION, TEXT, SlowEngine, process, thread, workers_of

pytestmark = [pytest.mark.serve, pytest.mark.long]


@pytest.fixture
def folder(tmp_path):
    """A reader whose weights can be changed."""
    return changeable_reader(tmp_path / "reader")


def ended(server, id, seconds=60, **headers):
    """Wait until a job does not run any more; return its progress."""
    until = time.monotonic() + seconds
    while (found := tried(lambda: server.get(f"/v1/jobs/{id}", **headers))[2])["status"] == "running":
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


def test_a_text_that_a_job_asks_about_may_be_deleted_before_it_ends():
    engine = SlowEngine()
    with thread(engine, deadline_s=60.0) as server:
        handle = server.post("/v1/texts", {"text": TEXT})[2]["handle"]
        engine.free.clear()
        job = server.post("/v1/jobs", {"questions": [QUESTION] * 40, "text": handle})[2]
        assert server.call("DELETE", f"/v1/texts/{handle}")[0] == 204
        engine.free.set()
        assert ended(server, job["id"])["status"] == "done"
        assert all(item["error"] is None for item in results(server, job["id"]))


def test_stored_texts_of_rows_do_not_expire_before_their_turn():
    with thread(SlowEngine(0.02), text_s=2.0, batch_tokens=64) as server:
        handle = server.post("/v1/texts", {"text": TEXT})[2]["handle"]
        rows = [{"question": QUESTION, "context": TEXT}] * 240 + [{"question": QUESTION, "text": handle}]
        job = server.post("/v1/jobs", {"rows": rows})[2]
        before = time.monotonic()
        assert ended(server, job["id"])["status"] == "done"
        assert time.monotonic() - before > 2.0
        assert server.get(f"/v1/jobs/{job['id']}/results?offset=240")[2]["results"][0]["error"] is None


def test_a_row_that_cannot_be_answered_keeps_its_id():
    rows = [{"id": name, "question": QUESTION, "context": TEXT * size} for name, size in (("a", 1), ("b", 200))]
    with thread(SlowEngine(), queue_tokens=1_000) as server:
        job = server.post("/v1/jobs", {"rows": rows})[2]
        assert ended(server, job["id"])["status"] == "done"
        assert server.get(f"/v1/jobs/{job['id']}/results?offset={10**20}")[0] == 422
        one, other = results(server, job["id"])
        assert (one["id"], one["error"]) == ("a", None)
        assert (other["id"], other["error"]["code"]) == ("b", "queue_tokens_limit")


def two_workers(tmp_path, bytes=1_000, seconds=5_000.0, now=(1_000.0,)):
    return [Jobs(tmp_path / "jobs.sqlite", bytes, seconds, lambda: now[0]) for _ in range(2)]


def test_ended_jobs_make_room_and_expire(tmp_path):
    now = [1_000.0]
    jobs, other = two_workers(tmp_path, 100, now=now)
    first = jobs.start(3, "{}", b"?" * 50).id
    assert jobs.add(first, 0, [b"1" * 40])
    assert jobs.start(1, "{}", b"?" * 20) is None
    assert jobs.end(first, "done")
    assert not jobs.end(first, "failed")
    second = jobs.start(2, "{}", b"?" * 20).id
    # The first one has ended, so it makes room.
    assert jobs.add(second, 0, [b"2" * 70])
    assert jobs.get(first) is None
    assert not jobs.add(second, 1, [b"2" * 70])
    now[0] += 6_000
    jobs.expire()
    assert jobs.get(second).state == "running"
    assert jobs.end(second, "done")
    now[0] += 6_000
    assert jobs.get(second) is None
    jobs.expire()
    assert jobs.results(second, 0, 10) == []
    jobs.close()
    other.close()


def test_a_job_that_is_too_large_removes_no_others(tmp_path):
    jobs, other = two_workers(tmp_path)
    done = jobs.start(1, "{}", b"?" * 50).id
    assert jobs.add(done, 0, [b"1" * 100])
    assert jobs.end(done, "done")
    running = jobs.start(2, "{}", b"?" * 800).id
    assert jobs.start(1, "{}", b"?" * 300) is None
    assert not jobs.add(running, 0, [b"2" * 300])
    assert jobs.results(done, 0, 10) == [b"1" * 100]
    assert jobs.start(1, "{}", b"?" * 200) is not None
    assert jobs.get(done) is None
    jobs.close()
    other.close()


def test_a_job_has_one_owner_and_only_that_adds_results(tmp_path):
    one, other = two_workers(tmp_path)
    job = one.start(3, "{}", b"asked")
    assert other.take_over() is None
    assert one.take_over() is None
    assert not other.add(job.id, 0, [b"0"])
    assert not other.end(job.id, "done")
    assert one.add(job.id, 0, [b"0"])
    assert not one.add(job.id, 0, [b"0"])
    assert not one.add(job.id, 2, [b"2"])
    one.close()
    # Released, not dead.
    assert other.take_over() == OwnedJob(job.id, 1, 3, "{}", b"asked", 0)
    assert other.add(job.id, 1, [b"1", b"2"])
    assert other.end(job.id, "done")
    assert other.results(job.id, 0, 10) == [b"0", b"1", b"2"]
    assert other.take_over() is None
    other.close()


DYING = """
import os, sys
from pathlib import Path
from quoth.serve.jobs import Jobs
jobs = Jobs(Path(sys.argv[1]), 1_000, 5_000.0)
job = jobs.start(3, "{}", b"asked") if sys.argv[2] == "start" else jobs.take_over()
if sys.argv[3] == "add":
    jobs.add(job.id, job.first, [b"result"])
print(job.id, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_job_of_a_killed_process_is_taken_over_and_deaths_at_the_same_row_are_counted(tmp_path):
    file = tmp_path / "jobs.sqlite"

    def dies(*words):
        command = [sys.executable, "-c", DYING, str(file), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        return done.stdout.strip()

    id = dies("start", "add")
    assert dies("continue", "") == dies("continue", "") == id
    jobs = Jobs(file, 1_000, 5_000.0)
    job = jobs.take_over()
    assert (job.id, job.first, job.deaths) == (id, 1, 3)
    assert jobs.add(id, 1, [b"more"])
    jobs.close()
    assert dies("continue", "add") == id
    jobs = Jobs(file, 1_000, 5_000.0)
    assert (job := jobs.take_over()).first == 3
    assert job.deaths == 1
    assert jobs.results(id, 0, 10) == [b"result", b"more", b"result"]
    jobs.close()
    assert [path.name for path in tmp_path.glob("alive-*")] == []


def test_a_job_at_whose_rows_three_workers_ended_fails(tmp_path):
    with process(TMPDIR=str(tmp_path)) as server:
        (file,) = tmp_path.glob("quoth-serve-*/jobs.sqlite")
        job = server.post("/v1/jobs", {"questions": [QUESTION], "context": TEXT})[2]
        ended(server, job["id"])
        with sqlite3.connect(file) as database:
            database.execute(
                "UPDATE jobs SET state = 'running', rows = 40, asked = x'7b7d', owner = ?, deaths = 2 WHERE id = ?",
                ("gone", job["id"]),
            )
        database.close()
        done = ended(server, job["id"])
        assert (done["status"], done["error"]["code"], done["done"]) == ("failed", "worker_ended", 1)
        assert done["error"]["message"].startswith("rows 1 to 16: a worker must answer them, but 3 workers ended")


def tried(call, *args):
    """Call a server one of whose workers may be killed meanwhile."""
    for _ in range(200):
        try:
            return call(*args)
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
    raise AssertionError


def progress_beyond(server, id, rows):
    until = time.monotonic() + 60
    while (found := tried(server.get, f"/v1/jobs/{id}")[2])["done"] <= rows:
        assert found["status"] == "running", found
        assert time.monotonic() < until, (found, server.log)
        time.sleep(0.02)
    return found["done"]


def test_a_job_survives_the_kill_of_each_of_its_workers():
    questions = [f"{QUESTION} {number}" for number in range(700)]
    asked = {"questions": questions, "context": TEXT * 40}
    with process("--workers", "2") as server:
        # Text and job are known to each worker.
        job = server.post("/v1/jobs", asked)[2]
        for worker in workers_of(server.process.pid):
            done = progress_beyond(server, job["id"], 0)
            os.kill(worker, signal.SIGKILL)
            progress_beyond(server, job["id"], done + 20)
        done = ended(server, job["id"])
        assert (done["status"], done["done"]) == ("done", 700)
        assert any(f"job {job['id']}: continues at row".encode() in line for line in server.log)
        found = results(server, job["id"])
        assert [item["index"] for item in found] == list(range(700))
        assert [item["result"]["question"] for item in found] == questions
        direct = server.post("/v1/answers", {**asked, "questions": questions[:200]})[2]["results"]
        assert [item["result"]["best"] for item in found[:200]] == [item["result"]["best"] for item in direct]


def test_a_job_ends_if_its_reader_is_replaced_by_another(folder):
    asked = {"questions": [QUESTION] * 3_000, "context": TEXT * 20}
    token = {"Authorization": "Bearer s3cret"}
    with process(reader=str(folder), QUOTH_TOKEN="s3cret") as server:
        job = server.post("/v1/jobs", asked, **token)[2]
        # The same reader again: the job goes on.
        assert server.post("/v1/reader/reload", {}, **token)[0] == 200
        time.sleep(0.5)
        assert server.get(f"/v1/jobs/{job['id']}", **token)[2]["status"] == "running"
        change_weights(folder)
        after = server.post("/v1/reader/reload", {}, **token)[2]["hash"]
        done = ended(server, job["id"], **token)
        assert (done["status"], done["error"]["code"]) == ("failed", "reader_changed")
        assert after != job["reader"]["hash"] == done["reader"]["hash"]
        assert after in done["error"]["message"]
        assert 0 < done["done"] < 3_000
        last = server.get(f"/v1/jobs/{job['id']}/results?offset={done['done'] - 1}", **token)[2]
        assert (len(last["results"]), last["next"]) == (1, None)
        assert server.post("/v1/jobs", {**asked, "questions": [QUESTION]}, **token)[2]["reader"]["hash"] == after


def test_a_job_continues_only_with_the_same_reader_after_workers_are_replaced(folder):
    asked = {"questions": [QUESTION] * 4_000, "context": TEXT * 20}
    with process("--workers", "2", reader=str(folder)) as server:
        job = server.post("/v1/jobs", asked)[2]
        before = workers_of(server.process.pid)
        server.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 60
        while set(before) & set(workers_of(server.process.pid)):
            assert time.monotonic() < until
            time.sleep(0.1)
        progress_beyond(server, job["id"], tried(server.get, f"/v1/jobs/{job['id']}")[2]["done"])
        change_weights(folder)
        server.process.send_signal(signal.SIGHUP)
        done = ended(server, job["id"])
        assert (done["status"], done["error"]["code"]) == ("failed", "reader_changed")
