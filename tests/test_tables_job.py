"""Jobs over tables: shards, resuming, locks, signals and kills, none of which affect the answers."""

import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from quoth.errors import ConfigError, DataError, JobError
from quoth.tables import ReaderChoice, TableSettings, answer_batch
from quoth.tables.ask import read_questions
from quoth.tables.job import Job, inspect_job
from quoth.tables.job.folder import Folder
from quoth.tables.job.local import Watch, run_local
from quoth.tables.job.lock import locked
from quoth.tables.job.merge import merge
from quoth.tables.job.queue import ShardQueue
from support.readers import TINY, tiny_folder
from support.tables import READER, SETTINGS, answer, do, inline, result, shards, start, table

pytestmark = pytest.mark.torch


@pytest.fixture
def source(tmp_path):
    """A table with some bad rows."""
    return write(tmp_path / "in.parquet", table(450, bad=40))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The same table, and the folder of a finished job over it, which tests do not change."""
    folder = tmp_path_factory.mktemp("finished")
    source = write(folder / "in.parquet", table(450, bad=40))
    do(source, folder / "out")
    return source, folder / "out"


def write(path, given):
    parquet.write_table(given, path, row_group_size=170)
    return path


def test_a_job_writes_the_answers_in_shards_in_row_order(source, tmp_path):
    summary = do(source, tmp_path / "out")
    out = tmp_path / "out"
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
        "_quoth/job.json",
        "_quoth/lock",
        "_quoth/summary.json",
        *(f"part-00000{index}.parquet" for index in range(5)),
    ]
    expected = answer_batch(parquet.read_table(source), SETTINGS)
    found = result(tmp_path / "out")
    # In other batches, the last bits of a number may differ.
    numbers = ["probability", "null_probability", "score"]
    assert found.drop_columns(numbers).equals(expected.drop_columns(numbers))
    assert found.column("score").to_pylist() == pytest.approx(expected.column("score").to_pylist(), abs=0.05)
    assert summary.counts.to_dict() == {"rows": 450, "answered": 438, "abstained": 0, "errors": {"null_question": 12}}
    assert json.loads((tmp_path / "out" / "_quoth" / "summary.json").read_text())["errors"] == {"null_question": 12}


def test_shards_depend_only_on_their_rows(finished, tmp_path):
    source, done = finished
    whole = shards(done)
    shutil.copytree(done, tmp_path / "parts")
    for name in ("part-000003.parquet", "part-000001.parquet"):
        (tmp_path / "parts" / name).unlink()
    (tmp_path / "parts" / "part-000004.parquet").write_bytes(whole["part-000004.parquet"][:-100])
    (tmp_path / "parts" / ".part-000001.parquet.1.part").write_bytes(b"half")
    summary = do(source, tmp_path / "parts")
    assert shards(tmp_path / "parts") == whole
    assert (summary.rows_now, summary.counts.rows) == (250, 450)
    assert not (tmp_path / "parts" / ".part-000001.parquet.1.part").exists()
    (tmp_path / "parts" / "part-000004.parquet").write_bytes(whole["part-000000.parquet"])
    do(source, tmp_path / "parts")
    assert shards(tmp_path / "parts") == whole


def test_dictionaries_do_not_depend_on_the_start_of_reading(tmp_path):
    given = table(300).append_column("kind", pa.array([f"k{n % 7}" for n in range(300)]).dictionary_encode())
    source = write(tmp_path / "in.parquet", given)
    do(source, tmp_path / "one")
    do(source, tmp_path / "two")
    (tmp_path / "two" / "part-000001.parquet").unlink()
    do(source, tmp_path / "two")
    assert shards(tmp_path / "one") == shards(tmp_path / "two")
    assert result(tmp_path / "one").column("kind").to_pylist() == given.column("kind").to_pylist()


def test_categories_and_views_of_polars_are_columns_of_shards(tmp_path):
    pl, duckdb, pd = (pytest.importorskip(name) for name in ("polars", "duckdb", "pandas"))
    frame = pl.DataFrame(table(300)).with_columns(
        pl.Series("kind", ["a", None, "b"] * 100, dtype=pl.Categorical),
        pl.Series("level", ["low", "high", None] * 100, dtype=pl.Enum(["low", "high"])),
        pl.Series("words", [["x"], None, []] * 100),
    )
    frame.write_ipc(tmp_path / "in.arrow")
    do(tmp_path / "in.arrow", tmp_path / "out")
    for name in ("kind", "level", "words"):
        assert result(tmp_path / "out").column(name).to_pylist() == frame[name].to_list()
    assert list(pd.read_parquet(tmp_path / "out")["kind"].dropna()) == ["a", "b"] * 100
    assert duckdb.sql(f"select count(level) from '{tmp_path}/out/*.parquet'").fetchall() == [(200,)]
    plan = inspect_job(Job((str(tmp_path / "in.arrow"),), tmp_path / "out", SETTINGS, 100)).plan
    assert pd.read_csv(merge(plan, "csv"))["level"].dropna().tolist() == ["low", "high"] * 100


@pytest.mark.parametrize(
    "column",
    [
        pa.array([{}] * 2, pa.struct([])),
        pa.array([(1, 2, 3)] * 2, pa.month_day_nano_interval()),
        pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), pa.array(["a"])),
    ],
    ids=lambda column: str(column.type),
)
def test_a_column_that_parquet_cannot_store_is_rejected_at_the_start(tmp_path, column):
    feather.write_feather(table(2).append_column("k", column), tmp_path / "in.arrow")
    with pytest.raises(ConfigError, match=r"column 'k' is of type .*, which Parquet cannot store"):
        do(tmp_path / "in.arrow", tmp_path / "out")
    assert do(tmp_path / "in.arrow", tmp_path / "out", replace(SETTINGS, columns=("n",))).counts.rows == 2


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"settings": replace(SETTINGS, top_k=2)}, "settings.top_k was 1, but is 2"),
        ({"settings": replace(SETTINGS, columns=("n",))}, r"settings.columns was null, but is \[\"n\"\]"),
        ({"rows_per_shard": 90}, "rows_per_shard was 100, but is 90"),
        ({"settings": replace(SETTINGS, reader=ReaderChoice(str(TINY / "bpe"), threads=1))}, "reader.sha256 was"),
        ({"settings": replace(SETTINGS, reader=replace(SETTINGS.reader, threads=2))}, "reader.threads was 1, but is 2"),
        ({"settings": replace(SETTINGS, max_context_chars=9)}, "max_context_chars was null, but is 9"),
    ],
)
def test_a_run_that_differs_is_rejected_with_the_differences(finished, changed, named):
    source, done = finished
    with pytest.raises(ConfigError, match=named):
        do(source, done, **changed)


def test_an_input_that_changed_between_runs_is_rejected(source, tmp_path):
    do(source, tmp_path / "out")
    write(source, table(450))
    with pytest.raises(ConfigError, match=r"in\.parquet\.ends_sha256 was"):
        do(source, tmp_path / "out")


def test_an_input_that_changes_during_the_job_stops_it(source, tmp_path):
    def changing(plan, todo, workers, watch):
        inline(plan, todo[:2], workers, watch)
        os.utime(source, ns=(1, 1))
        inline(plan, todo[2:], workers, watch)

    from quoth.tables.job import run

    with pytest.raises(DataError, match="must not change while it is read"):
        run(Job((str(source),), tmp_path / "out", SETTINGS, 100), lambda *_: None, changing)
    assert list(shards(tmp_path / "out")) == ["part-000000.parquet", "part-000001.parquet"]


def test_a_folder_with_other_files_is_rejected(source, tmp_path):
    done = tmp_path / "done"
    do(source, done)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"must be a new or empty folder, .*, but contains thesis\.txt"):
        do(source, tmp_path / "out")
    with pytest.raises(ConfigError, match="must be outside the input"):
        do(tmp_path, done)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]
    for file in (source, source / "below"):
        with pytest.raises(ConfigError, match=r"must be a folder, but .*in\.parquet is a file"):
            do(source, file)


def test_a_url_of_a_file_is_a_path(finished, tmp_path):
    source, done = finished
    do(source.as_uri(), (tmp_path / "my out").as_uri())
    assert shards(tmp_path / "my out") == shards(done)
    with pytest.raises(ConfigError, match="must be outside the input"):
        do(source.parent.as_uri(), done)


def test_two_concurrent_jobs_in_one_folder_are_rejected(source, tmp_path):
    Folder.of(tmp_path / "out").make()
    with (
        locked(Folder.of(tmp_path / "out")),
        pytest.raises(ConfigError, match=f"another one uses it .process {os.getpid()}"),
    ):
        do(source, tmp_path / "out")
    do(source, tmp_path / "out")


def test_jobs_work_for_empty_tables_and_single_rows(tmp_path):
    for rows in (0, 1):
        folder = tmp_path / f"out{rows}"
        summary = do(write(tmp_path / f"{rows}.parquet", table(1).slice(0, rows)), folder)
        assert (summary.counts.rows, result(folder).num_rows, len(shards(folder))) == (rows, rows, 1)
        assert "answer" in result(folder).schema.names


def test_files_with_no_rows_at_all_are_jobs(tmp_path):
    for name, text in (("a.csv", "question,context\n"), ("a.jsonl", "")):
        (tmp_path / name).write_text(text)
    summary = do(tmp_path / "a.csv", tmp_path / "csv")
    assert (summary.counts.rows, result(tmp_path / "csv").num_rows) == (0, 0)
    with pytest.raises(ConfigError, match="must have a column 'question', but has none"):
        do(tmp_path / "a.jsonl", tmp_path / "jsonl")


def test_a_run_with_other_versions_is_rejected(finished, tmp_path):
    source, done = finished
    shutil.copytree(done, tmp_path / "out")
    file = tmp_path / "out" / "_quoth" / "job.json"
    content = json.loads(file.read_text())
    assert set(content["versions"]) >= {"quoth", "pyarrow"}
    content["versions"]["pyarrow"] = "1.0"
    file.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"versions.pyarrow was \"1.0\", but is"):
        do(source, tmp_path / "out")


def test_there_are_as_many_workers_as_cores_of_one_thread(tmp_path):
    from quoth.engines.base import usable_cores

    job = Job(("in.parquet",), tmp_path, SETTINGS)
    assert (job.worker_count, job.shard_rows) == (usable_cores(), 4096)
    two = replace(SETTINGS, reader=replace(SETTINGS.reader, threads=2))
    assert Job(("in.parquet",), tmp_path, two).worker_count == max(1, usable_cores() // 2)
    assert replace(job, workers=7).worker_count == 7


@pytest.mark.long
def test_a_text_of_ten_megabytes_is_read_to_its_end_and_delays_nothing_else(tmp_path):
    text = "Bela lives in Rome. " * 500_000 + "Ada lives in Paris."
    given = pa.table(
        {"question": ["Where does Ada live?"] * 9, "context": ["In Ada lives Paris."] * 4 + [text] + ["Ada."] * 4}
    )
    source = write(tmp_path / "in.parquet", given)
    summary = do(source, tmp_path / "out")
    rows = result(tmp_path / "out").to_pylist()
    assert (summary.counts.rows, summary.counts.errors) == (9, {})
    assert (rows[4]["windows"] > 5_000, rows[4]["answer"]) == (True, text[rows[4]["start"] : rows[4]["end"]])
    assert [row["windows"] for row in rows if row is not rows[4]] == [1] * 8


def test_shards_with_errors_are_repeated_if_requested(tmp_path):
    source = write(tmp_path / "in.parquet", table(300))
    short = replace(SETTINGS, max_context_chars=150)
    assert do(source, tmp_path / "out", short).counts.errors == {"context_too_long": 84}
    summary = do(source, tmp_path / "out", replace(short, max_context_chars=None), retry_errors=True)
    assert (summary.counts.failed, summary.counts.answered) == (0, 300)
    do(source, tmp_path / "fresh")
    assert shards(tmp_path / "out") == shards(tmp_path / "fresh")


@pytest.mark.parametrize("wide", [False, True])
def test_questions_for_every_text_are_shards_of_whole_texts(source, tmp_path, wide):
    asked = TableSettings(questions={"where": "Where?", "who": "Who?"}, wide=wide, prefix="a_", reader=SETTINGS.reader)
    summary = do(source, tmp_path / "out", asked)
    assert (summary.counts.rows, summary.counts.answered) == (450, 900)
    assert result(tmp_path / "out").num_rows == (450 if wide else 900)


@pytest.mark.parametrize(
    ("name", "text", "questions"),
    [
        ("a.txt", "\ufeffWho?\n\n  Where? \n", ["Who?", "Where?"]),
        ("a.json", '["Who?"]', ["Who?"]),
        ("a.json", '{"w": "Who?"}', {"w": "Who?"}),
    ],
)
def test_questions_are_read_from_lines_or_json(tmp_path, name, text, questions):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_questions(tmp_path / name) == questions


@pytest.mark.parametrize(("name", "text"), [("a.txt", "\n"), ("a.json", "[]"), ("a.json", "1"), ("a.json", "{")])
def test_a_file_without_questions_is_rejected(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=r"a\.(txt|json): must"):
        read_questions(tmp_path / name)


def test_the_output_is_read_by_pandas_and_duckdb(source, tmp_path):
    duckdb, pd = pytest.importorskip("duckdb"), pytest.importorskip("pandas")
    do(source, tmp_path / "out", replace(SETTINGS, top_k=2))
    frame = pd.read_parquet(tmp_path / "out")
    assert (len(frame), frame["error_code"].notna().sum()) == (450, 12)
    query = f"select count(*), count(answer), max(len(answers)) from '{tmp_path}/out/*.parquet'"
    assert duckdb.sql(query).fetchall() == [(450, 438, 2)]
    # Nor do the joined shards stand in the way.
    merge(inspect_job(Job((str(source),), tmp_path / "out", replace(SETTINGS, top_k=2), 100)).plan, "csv")
    assert parquet.read_table(tmp_path / "out").num_rows == len(pd.read_parquet(tmp_path / "out")) == 450
    assert len(list((tmp_path / "out").rglob("*.parquet"))) == 5


def test_shards_are_merged_to_csv_and_json_lines(source, tmp_path):
    settings = replace(SETTINGS, top_k=2)
    do(source, tmp_path / "out", settings)
    plan = inspect_job(Job((str(source),), tmp_path / "out", settings, 100)).plan
    rows = [json.loads(line) for line in Path(merge(plan, "jsonl")).read_text().splitlines()]
    assert rows == result(tmp_path / "out").to_pylist()
    from pyarrow.csv import read_csv

    table_again = read_csv(merge(plan, "csv"))
    assert table_again.column("n").to_pylist() == list(range(450))
    assert json.loads(table_again.column("answers")[1].as_py()) == rows[1]["answers"]
    with pytest.raises(ConfigError, match="one of csv, jsonl"):
        merge(plan, "xlsx")


def test_merged_files_are_valid_json_and_csv_that_is_safe_in_spreadsheets(tmp_path):
    given = table(1).append_column("price", pa.array([float("nan")])).append_column("note", pa.array([b"a\xff"]))
    given = given.append_column("=1+1", pa.array(["=HYPERLINK(1)"])).append_column("day", pa.array([date(2026, 1, 2)]))
    given = given.append_column("parts", pa.array([[{"x": float("inf"), "y": b"a"}]]))
    parquet.write_table(given, tmp_path / "a.parquet")
    do(tmp_path / "a.parquet", tmp_path / "out")
    plan = inspect_job(Job((str(tmp_path / "a.parquet"),), tmp_path / "out", SETTINGS, 100)).plan
    row = json.loads(Path(merge(plan, "jsonl")).read_text(), parse_constant=pytest.fail)
    kept = {name: row[name] for name in given.column_names[3:]}
    assert kept == {
        "price": None, "note": "Yf8=", "=1+1": "=HYPERLINK(1)", "day": "2026-01-02",
        "parts": [{"x": None, "y": "YQ=="}],
    }  # fmt: skip
    [cells] = csv.DictReader(Path(merge(plan, "csv")).read_text().splitlines())
    assert (cells["note"], cells["=1+1"], json.loads(cells["parts"])) == ("Yf8=", "=HYPERLINK(1)", kept["parts"])
    [safe] = csv.DictReader(Path(merge(plan, "csv", excel_safe=True)).read_text().splitlines())
    assert (safe["'=1+1"], safe["question"]) == ("'=HYPERLINK(1)", cells["question"])


def test_each_worker_gets_consecutive_shards():
    queue = ShardQueue(range(10), 2)
    assert [queue.take(0), queue.take(0), queue.take(1)] == [0, 1, 5]
    queue.put_back(1, 5)
    rest = [queue.take(1) for _ in range(8)]
    assert rest == [5, 6, 7, 8, 9, 3, 4, 2]
    assert (queue.take(0), queue.take(1)) == (None, None)


# What follows runs the command as a user does.


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A table, and the shards of an uninterrupted job with one worker."""
    folder = tmp_path_factory.mktemp("big")
    source = write(folder / "in.parquet", table(6_000, bad=900))
    answer(source, "-o", folder / "out", "--rows-per-shard", 250, "--workers", 1)
    return source, shards(folder / "out")


@pytest.mark.long
def test_the_files_do_not_depend_on_the_number_of_workers(big, tmp_path):
    source, expected = big
    said = answer(source, "-o", tmp_path, "--rows-per-shard", 250, "--workers", 3, "--json")
    assert shards(tmp_path) == expected
    document = json.loads(said[said.index("{") :])
    assert (document["rows"], document["errors"], document["shards"]) == (6_000, {"null_question": 7}, 24)


@pytest.mark.long
def test_a_repeatedly_killed_job_loses_at_most_one_shard_per_worker(big, tmp_path):
    source, expected = big
    moments = random.Random(7)
    words = (source, "-o", tmp_path, "--rows-per-shard", 250, "--workers", 2)
    for _ in range(5):
        before = set(shards(tmp_path))
        process = start(*words, start_new_session=True)
        more = moments.randint(1, 4)
        while process.poll() is None and len(shards(tmp_path)) < len(before) + more:
            time.sleep(0.005)
        time.sleep(moments.random() / 5)
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        # All that was written is whole, and is kept.
        assert {name: expected[name] for name in shards(tmp_path)} == shards(tmp_path)
    answer(*words)
    assert shards(tmp_path) == expected


@pytest.mark.long
def test_only_the_shard_of_a_killed_worker_is_repeated(big, tmp_path):
    source, expected = big
    process = start(source, "-o", tmp_path, "--rows-per-shard", 250, "--workers", 2)
    while process.poll() is None and not shards(tmp_path):
        time.sleep(0.005)
    workers = children(process.pid)
    os.kill(workers[0], signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert shards(tmp_path) == expected


def children(pid):
    """The workers of a job, by their process ids."""
    found = subprocess.run(
        ["ps", "-ww", "--ppid", str(pid), "-o", "pid=,args="], capture_output=True, text=True, check=True
    )
    return [int(line.split()[0]) for line in found.stdout.splitlines() if "spawn_main" in line]


@pytest.mark.long
def test_workers_exit_when_the_job_is_killed(big, tmp_path):
    process = start(big[0], "-o", tmp_path, "--rows-per-shard", 250, "--workers", 2)
    while process.poll() is None and not shards(tmp_path):
        time.sleep(0.005)
    workers = children(process.pid)
    assert len(workers) == 2
    process.kill()
    process.communicate()
    until = time.monotonic() + 20
    while time.monotonic() < until and any(os.path.exists(f"/proc/{pid}") for pid in workers):  # noqa: PTH110
        time.sleep(0.05)
    assert [pid for pid in workers if os.path.exists(f"/proc/{pid}")] == []  # noqa: PTH110


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_after_a_signal_shards_finish_and_the_same_command_continues(big, tmp_path, number, code):
    source, expected = big
    words = (source, "-o", tmp_path, "--rows-per-shard", 250, "--workers", 2)
    process = start(*words, start_new_session=True)
    while process.poll() is None and not shards(tmp_path):
        time.sleep(0.005)
    os.killpg(process.pid, number)  # as a terminal or a cluster sends it: to the workers, too
    _, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    assert "of 24 shards. Run the same command again to resume." in err
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]
    assert 0 < len(shards(tmp_path)) < 24
    said = answer(*words[:-1], 1)  # how many workers there are may change
    assert "shards are already done" in said
    assert shards(tmp_path) == expected


@pytest.mark.long
def test_a_full_disk_stops_the_job_and_it_continues_later(big, tmp_path):
    source, expected = big
    words = (source, "-o", tmp_path, "--rows-per-shard", 250, "--workers", 1)
    # Of a limit on the size of files, a process hears as of a full disk: an error of the write.
    size = len(expected["part-000000.parquet"])
    limit = (
        f"import resource, os, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({size - 500}, resource.RLIM_INFINITY))"
    )
    command = f"{limit}; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    done = subprocess.run(
        [sys.executable, "-c", command, "-m", "quoth", "answer", *map(str, words), *READER],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.search(r"part-00000\d\.parquet: file too large\. .* the same command again to resume", done.stderr)
    answer(*words)
    assert shards(tmp_path) == expected


@pytest.mark.long
def test_the_command_reports_its_plan_and_problems(source, tmp_path):
    out = tmp_path / "out"
    said = answer(source, "-o", out, "--dry-run", "--rows-per-shard", 100, "--workers", 2)
    assert said.startswith(
        "450 rows in 1 file, 450 questions: 5 shards of 100 rows, 0 of them done; 2 workers of 1 thread."
    )
    assert not out.exists()
    said = answer(source, "-o", out, "--question-column", "quest", code=2)
    assert "must have a column 'quest', but has n, question, context; did you mean 'question'?" in said
    questions = tmp_path / "ask.txt"
    questions.write_text("Where?\nWho?\n")
    words = (source, "-o", out, "--ask", questions, "--wide", "--columns", "n", "--top-k", 2, "--output-format", "csv")
    said = answer(*words, "--workers", 1)
    assert "450 rows in 1 shard: 900 questions answered" in said
    assert len((out / "_answers.csv").read_text().splitlines()) == 451
    said = answer(source, "-o", tmp_path / "bad", "--fail-on-errors", "--workers", 1, code=1)
    assert "12 errors; null_question 12" in said


@pytest.mark.long
def test_a_reader_that_cannot_be_loaded_stops_the_job(source, tmp_path):
    folder = tiny_folder("wordpiece", tmp_path / "reader")
    (folder / "model.onnx").write_bytes(b"no model")
    process = start(source, "-o", tmp_path / "out", "--workers", 2, "--reader", folder)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert "model.onnx" in err


class OddFolder(Folder):
    """A folder in which one shard cannot be written, because of an error that nobody expects."""

    def atomic_file(self, name):
        if name == "part-000001.parquet":
            raise ValueError(f"{name} is odd")
        return super().atomic_file(name)


def plan_of(source, tmp_path, **change):
    return replace(inspect_job(Job((str(source),), tmp_path / "out", SETTINGS, 100)).plan, **change)


NOTHING = Watch(lambda _: None, lambda _: None, lambda: False)


@pytest.mark.long
def test_all_other_shards_are_done_if_a_worker_has_an_unexpected_error(source, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    plan = plan_of(source, tmp_path, output=OddFolder(str(output)))
    with pytest.raises(JobError, match=r"rows 100 to 199: .* ended 3 times; .*: ValueError: part-000001\.parquet"):
        run_local(plan, list(range(plan.shards)), 2, NOTHING)
    assert sorted(shards(output)) == [f"part-00000{shard}.parquet" for shard in (0, 2, 3, 4)]


@pytest.mark.long
def test_an_unexpected_error_in_loading_a_reader_is_reported(source, tmp_path):
    plan = plan_of(source, tmp_path, settings=replace(SETTINGS, reader=ReaderChoice(0)))
    with pytest.raises(JobError, match="a worker ended before it had loaded its reader: TypeError: "):
        run_local(plan, [0], 1, NOTHING)
