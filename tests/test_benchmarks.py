"""The parts of the benchmarks: sampling, bars, the page of results, alternating sides."""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import answering  # noqa: E402
import ask  # noqa: E402
from harness import Bar, record, replaced, sample, table  # noqa: E402
from quoth import Example  # noqa: E402
from turns import Result, Side, Workers, take_turns  # noqa: E402

# Benchmarks that are run directly; the other files are parts of these, or run in a peer's environment.
COMMANDS = sorted(file for file in BENCHMARKS.glob("*.py") if "parse_args(" in file.read_text(encoding="utf-8"))
WORDPIECE = ROOT / "tests" / "tiny" / "wordpiece"
PAIRS = [("Who kept it?", "Ida kept it."), ("When?", "In 1858."), ("Where?", "By the sea."), ("Why?", "For the ships.")]
RUN = "import subprocess; subprocess.run([sys.executable, '-c', sys.argv[2]])"
PAGE = "# Benchmarks\n\nWords.\n\n## One\n\nold\n\n## Two\n\nstays\n"


@pytest.mark.long
@pytest.mark.torch
@pytest.mark.parametrize("file", COMMANDS, ids=lambda file: file.stem)
def test_every_benchmark_has_a_docstring_and_help(file):
    done = subprocess.run([sys.executable, str(file), "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: ")
    assert "--" in done.stdout


def test_a_sample_is_deterministic_and_may_be_complete():
    items = list(range(100))
    assert sample(items, 10) == sample(items, 10)
    assert len(set(sample(items, 10))) == 10
    assert sample(items, 0) == sample(items, 100) == sample(items, 1000) == items


def test_a_table_has_one_column_per_header():
    assert table(("", "F1"), ("ours", 80)) == ["|  | F1 |", "|---|---|", "| ours | 80 |"]


@pytest.mark.parametrize(
    ("bar", "holds", "words"),
    [
        (Bar("speed", 4.26, 4.0), True, "- speed: 4.3× (at least 4×): holds"),
        (Bar("speed", 3.99, 4.0, digits=2), False, "- speed: 3.99× (at least 4×): **does not hold**"),
        (Bar("start", 0.9, 1.0, at_most=True, unit=" s"), True, "- start: 0.9 s (at most 1 s): holds"),
        (Bar("start", 1.2, 1.0, at_most=True, unit=" s"), False, "- start: 1.2 s (at most 1 s): **does not hold**"),
        (
            Bar("F1", -0.31, -0.3, unit=" points", digits=2),
            False,
            "- F1: -0.31 points (at least -0.3 points): **does not hold**",
        ),
        (
            Bar("s", 9, 4, condition=(False, "F1 70 against 80")),
            False,
            "- s: 9.0× (at least 4×; F1 70 against 80): **does not hold**",
        ),
    ],
)
def test_a_bar_states_the_target_and_whether_it_holds(bar, holds, words):
    assert bar.holds is holds
    assert str(bar) == words


def test_a_section_is_replaced_in_place_or_added():
    assert replaced(PAGE, "One", "## One\n\nnew\n") == PAGE.replace("old", "new")
    assert replaced(PAGE, "Three", "## Three\n\nnew\n") == f"{PAGE}\n## Three\n\nnew\n"
    twice = f"{PAGE}\n## One\n\nagain\n"
    assert replaced(twice, "One", "## One\n\nnew\n") == PAGE.replace("old", "new")


def test_a_result_is_printed_and_saved_with_date_machine_and_command(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    record("Two", ["twice as fast"], keep=False, page=page)
    assert page.read_text(encoding="utf-8") == PAGE
    record("Two", ["twice as fast"], page=page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(PAGE.partition("## Two")[0])
    assert "stays" not in text
    assert "cores" in text
    assert "`python benchmarks/" in text
    assert text.endswith("twice as fast\n")
    assert capsys.readouterr().out.count("twice as fast") == 2


def test_a_process_and_its_children_use_as_many_cores_as_threads():
    child = "import os; print(len(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS'])"
    code = "import sys; sys.path.insert(0, sys.argv[1]); from harness import pin; print(pin(1), flush=True); " + RUN
    command = [sys.executable, "-c", code, str(BENCHMARKS), child]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1", "1"]


def side(**more):
    return Side(
        **{
            "name": "tiny",
            "role": answering.SHIPPED,
            "kind": "quoth",
            "python": Path(sys.executable),
            "folder": str(WORDPIECE),
            **more,
        }
    )


def test_both_sides_alternate_and_answer_every_question_in_order():
    with ExitStack() as stack:
        workers = Workers(1, stack)
        one, other = side(), side(name="again")
        results = take_turns(workers, [one, other], PAIRS, 2)
        assert len(workers.running) == 1  # the same side, loaded once
        assert " in " in workers.described(one)
    assert list(results) == [one, other]
    assert results[one].answers == results[other].answers
    assert [answer in context for answer, (_, context) in zip(results[one].answers, PAIRS, strict=True)] == [True] * 4
    assert len(results[one].turns) == 2
    assert results[one].speed == pytest.approx(4 / sum(results[one].seconds))


def test_a_side_that_does_not_run_is_reported_with_its_reason_and_skipped(tmp_path, capsys):
    with ExitStack() as stack:
        workers = Workers(1, stack)
        broken, missing = side(name="broken", folder=str(tmp_path)), side(name="missing", python=None)
        assert take_turns(workers, [broken, missing], PAIRS, 1) == {}
    assert "no model" in workers.failed["broken"] or str(tmp_path) in workers.failed["broken"]
    assert workers.failed["missing"] == "its environment is missing; create it with: make peers"
    assert "broken: does not run here" in capsys.readouterr().err


def test_work_counts_tokens_without_padding(tmp_path):
    (tmp_path / "tokenizer.json").write_bytes((WORDPIECE / "tokenizer.json").read_bytes())
    config = {"hidden_size": 4, "intermediate_size": 8, "num_hidden_layers": 2}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    short, long = Example("1", "Who?", "Ida."), Example("2", "Who?", "Ida and Ida and Ida.")
    alone = answering.flops(tmp_path, [short]), answering.flops(tmp_path, [long])
    assert alone[0] < alone[1]
    assert answering.flops(tmp_path, [short, long]) == sum(alone)
    from quoth.reading import Tokenizer, Windower

    [(_, [window])] = Windower(Tokenizer.load(tmp_path)).each([short])
    length = len(window)
    # A layer: four products of 4 × 4 and two of 4 × 8 for each token, then scores and sums over all pairs.
    assert alone[0] == 2 * (length * 2 * (4 * 16 + 2 * 32) + 2 * 2 * length**2 * 4)


def of(answers, seconds):
    result = Result()
    result.add(answers, seconds)
    return result


def test_bars_use_the_fastest_peer_of_each_kind_with_good_answers():
    ours = side()
    default = side(name="old", role=answering.DEFAULT)
    slow, wrong = side(name="slow", role=answering.LIVING), side(name="wrong", role=answering.LIVING)
    results = {
        ours: of(["a"] * 8, 1.0),
        default: of(["a"] * 8, 8.0),
        slow: of(["a"] * 8, 4.0),
        wrong: of(["b"] * 8, 0.1),
    }
    f1 = {ours: 80.0, default: 80.2, slow: 80.0, wrong: 70.0}
    work = answering.Work(flops=4e9, peak=8e9, windows=0.1, network=0.8)
    first, living, share = answering.bars(results, f1, work)
    assert (first.value, first.holds) == (pytest.approx(8.0), False)
    assert "slow" in living.claim
    assert living.value == pytest.approx(4.0)
    assert (share.value, share.holds) == (pytest.approx(50.0), True)
    f1[ours] = 79.0
    assert not next(bar for bar in answering.bars(results, f1, work) if "slow" in bar.claim).holds  # faster, but worse


def test_other_weights_are_detected_by_different_answers():
    reference = side(name="old", role=answering.DEFAULT)
    same = side(name="same", role=answering.FLOAT32)
    results = {reference: of(["a", "b", None], 1.0), same: of(["a", "b", None], 1.0)}
    answering.check_alike(results, reference)
    results[same] = of(["a", "c", "d"], 1.0)
    with pytest.raises(SystemExit, match="other weights"):
        answering.check_alike(results, reference)


def test_start_up_time_and_memory_are_measured():
    # Started from a small process, like a benchmark: the memory of a child initially includes that of its parent.
    weigh = f"""import sys; sys.path.insert(0, {str(BENCHMARKS)!r})
from ask import start
data = "data = bytearray(64 << 20); data[::4096] = b'x' * 16384; print('done')"
started = start([sys.executable, "-c", data])
print(started.said.strip(), started.seconds, started.megabytes)"""
    done = subprocess.run([sys.executable, "-c", weigh], capture_output=True, text=True, check=True)
    said, seconds, megabytes = done.stdout.split()
    assert (said, float(seconds) > 0) == ("done", True)
    assert 64 < float(megabytes) < 200


def test_a_failed_start_reports_the_error_message():
    with pytest.raises(SystemExit, match="must answer, but fails: no way"):
        ask.start([sys.executable, "-c", "import sys; sys.exit('no way')"])
