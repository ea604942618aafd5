"""Measures questions/s against the old pipeline and current libraries, with F1; and the share of the matrix peak.

    python benchmarks/answering.py [--model FLOAT_FOLDER] [--questions 1000] [--threads 2]

Every side runs in its own process and its own environment (`make peers`), on the same cores. They have the same
weights: the shipped file, or the float checkpoint it was made from. Only the last ones have the shape of the old
pipeline's default network, which its users had, with random weights and its published F1. All alternate, block by
block, over the same questions of SQuAD's dev set. Answers are compared before times: if a side has other weights or
loses questions, the run stops. A side that cannot run on this machine is listed with the reason.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import old_default
from harness import F1_MARGIN, Bar, options, peer_python, pin, record, sample, table
from quoth.engines.select import best_precision, processor
from turns import Result, Side, Workers, take_turns

if TYPE_CHECKING:
    from quoth import Example

# A current peer with a lower F1 than this does not count as the best: points below the float checkpoint.
LIVING_MARGIN = 2.0
# Share of equal answers that two float32 sides must reach, although they choose spans by different rules.
ALIKE = 0.8
BATCHES = (1, 8, 32, 64)
ENGINES = "openvino:float32,openvino:bfloat16,onnxruntime:float32,torch:float32,torch:bfloat16"
OLD = "The pipeline of transformers 4.57"
# The roles of sides, and the targets.
SHIPPED, ENGINE, PEAK = "shipped", "engine", "peak"
DEFAULT, FLOAT32, BFLOAT16, LIVING = "as called by default", "float32", "bfloat16", "living"
BARS = {DEFAULT: 20.0, FLOAT32: 6.0, BFLOAT16: 2.0, LIVING: 4.0, PEAK: 40.0}
# The same for the old pipeline with its default network, and for Quoth, one question at a time.
ONE = "one at a time"
USUAL = {role: f"its default network, {role}" for role in (DEFAULT, FLOAT32, BFLOAT16)}
USUAL_BARS = {USUAL[DEFAULT]: 16.0, USUAL[FLOAT32]: 16.0, USUAL[BFLOAT16]: 7.0, ONE: 12.0}


def main() -> None:
    """Measure, and print the results."""
    parser = options(__doc__, 1000)
    parser.add_argument("--blocks", type=int, default=2, help="blocks of each side (2)")
    parser.add_argument("--search", type=int, default=128, help="questions for choosing the batch size (128)")
    parser.add_argument("--engines", default=ENGINES, help=f"engines and precisions for the float file ({ENGINES})")
    given = parser.parse_args()
    from quoth.data import read_examples
    from quoth.evaluation import score

    examples = sample(list(read_examples(given.data)), given.questions)
    pairs = [(example.question, example.context) for example in examples]
    threads = pin(given.threads)
    with ExitStack() as stack:
        workers = Workers(threads, stack)
        ours = list(quoth_sides(given, stack.enter_context(tempfile.TemporaryDirectory())))
        usual = stack.enter_context(tempfile.TemporaryDirectory())
        old_default.make(Path(usual), Path(given.data).parents[1] / "vocab" / "bert-base-cased", Path(given.model))
        ways = [*peer_sides(str(given.model)), *usual_sides(usual)]
        workers.failed.update(emulated([*ours, *(way for each in ways for way in each)]))
        peers = [fastest(workers, each, pairs[: given.search]) for each in ways]
        peak = Side("The matrix peak", PEAK, "peak", peer_python("pipeline"), "")
        results = take_turns(workers, [*ours, *peers, peak], pairs, given.blocks)
        if missing := [side.name for side in (ours[0], peers[0], peak) if side not in results]:
            sys.exit(f"answering: {' and '.join(missing)} must be measured, but cannot be: see above")
        check_alike(results, peers[0])
        parts = [replace(ours[0], call={"part": part}) for part in ("windows", "network")]
        windows, network = (seconds(workers, part, pairs) for part in parts)
        shipped = workers.described(ours[0])
    work = Work(flops(given.model, examples), max(results.pop(peak).answers), windows, network - windows)
    f1 = {side: score(examples, texts(examples, result)).f1 for side, result in results.items()}
    f1 |= dict.fromkeys([side for side in results if side.role in USUAL.values()], old_default.PUBLISHED_F1)
    lines = [*rows(results, f1, peers[0], shipped), ""]
    for why in dict.fromkeys(workers.failed.values()):
        lines.append(f"- Not run here, because {why}: {'; '.join(n for n, w in workers.failed.items() if w == why)}")
    lines += map(str, bars(results, f1, work))
    lines += map(str, usual_bars(results, f1))
    lines += profile(results[ours[0]], results[peers[0]], work)
    threads_used = f"{threads} thread{'s' if threads > 1 else ''}"
    where = "" if has_bfloat16() else f", on {processor()}"
    record(
        f"Answering, against the old pipeline and current peers{where}",
        [f"On {threads_used}.", "", *lines],
        keep=not given.no_record,
    )


@dataclass(frozen=True, slots=True)
class Work:
    """The operations of the shipped reader's network for all questions, and the time of its parts.

    Attributes:
        flops: Floating-point operations, without padding.
        peak: Operations a second of a large product, in the fastest precision.
        windows: Seconds to split the examples into windows.
        network: Seconds of the network.
    """

    flops: float
    peak: float
    windows: float
    network: float


def quoth_sides(given: argparse.Namespace, empty: str) -> Iterator[Side]:
    """Yield the shipped reader, then the float checkpoint in each requested engine."""
    python = Path(sys.executable)
    yield Side("**Quoth, as it ships**", SHIPPED, "quoth", python, "")
    yield Side(f"Quoth, as it ships, {ONE}", ONE, "quoth", python, "", call={"one_at_a_time": True})
    yield Side("Quoth, as it ships, in ONNX Runtime", ENGINE, "quoth", python, "", {"engine": "onnxruntime"})
    wanted = [item.split(":") for item in given.engines.split(",") if item]
    if any(engine != "torch" for engine, _ in wanted):
        from quoth import export

        export(given.model, empty)
    for engine, precision in wanted:
        folder = str(given.model) if engine == "torch" else empty
        name = f"Quoth, float checkpoint, {engine} in {precision}"
        yield Side(name, ENGINE, "quoth", python, folder, {"engine": engine, "precision": precision})


def peer_sides(model: str) -> Iterator[list[Side]]:
    """Yield each peer as a list of ways to call it; the fastest is used.

    The precision of each is set explicitly; by default, they would use that of the stored weights.
    """
    yield from pipeline_sides(OLD, model, {role: role for role in (DEFAULT, FLOAT32, BFLOAT16)})
    python = peer_python("haystack")
    for dtype in ("float32", "bfloat16"):
        settings = {"model_kwargs": {"dtype": dtype}}
        yield [Side(f"Haystack's reader, {dtype}", LIVING, "haystack", python, model, settings)]
    python = peer_python("txtai")
    for dtype, more in (("float32", {}), ("bfloat16", {}), ("int8", {"quantize": True})):
        quantised: dict[str, Any] = {"dtype": "float32" if more else dtype, **more}
        yield [Side(f"txtai's questions, {dtype}", LIVING, "txtai", python, model, quantised)]


def usual_sides(folder: str) -> Iterator[list[Side]]:
    """Yield the old pipeline with its default network, in random weights."""
    yield from pipeline_sides(f"{OLD} with its default network (random weights)", folder, USUAL)


def pipeline_sides(name: str, folder: str, roles: dict[str, str]) -> Iterator[list[Side]]:
    """Yield the old pipeline as called by default, and its batch sizes in both precisions.

    Args:
        name: Its name.
        folder: Its network.
        roles: The role of each way to call it.
    """
    python = peer_python("pipeline")
    yield [Side(f"{name}, {DEFAULT}", roles[DEFAULT], "pipeline", python, folder, {"dtype": "float32"})]
    for dtype in (FLOAT32, BFLOAT16):
        called = f"{name}, {dtype}, batches of"
        yield [
            Side(f"{called} {size}", roles[dtype], "pipeline", python, folder, {"dtype": dtype}, {"batch_size": size})
            for size in BATCHES
        ]


def has_bfloat16() -> bool:
    """Return whether this CPU has bfloat16 instructions."""
    return best_precision("openvino") == BFLOAT16


def emulated(sides: Iterable[Side]) -> dict[str, str]:
    """Return the names of sides in bfloat16 on a CPU that only emulates it, many times slower, and this reason."""
    if has_bfloat16():
        return {}
    slow = [side.name for side in sides if BFLOAT16 in json.dumps(side.settings)]
    return dict.fromkeys(slow, "this CPU has no bfloat16 instructions")


def seconds(workers: Workers, side: Side, pairs: Sequence[tuple[str, str]]) -> float:
    """Return the seconds of a side that has already run."""
    reply = workers.ask(side, pairs)
    if reply is None:
        raise RuntimeError(f"{side.name} must run to be measured, but does not: {workers.failed.get(side.name)}")
    return float(reply["seconds"])


def fastest(workers: Workers, ways: list[Side], pairs: Sequence[tuple[str, str]]) -> Side:
    """Return the fastest way of calling a peer, measured with a few questions."""
    if len(ways) == 1:
        return ways[0]
    tried = [(reply["seconds"], at) for at, way in enumerate(ways) if (reply := workers.ask(way, pairs))]
    return ways[min(tried)[1] if tried else 0]


def flops(model: Path | str, examples: Sequence[Example]) -> float:
    """Return the floating-point operations of a BERT for the windows of examples: weights and attention."""
    from quoth.reading import Tokenizer, Windower

    config = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
    wide, inner, layers = (config[name] for name in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    lengths = [len(window) for _, group in Windower(Tokenizer.load(Path(model))).each(examples) for window in group]
    weights = 4 * wide**2 + 2 * wide * inner
    return float(sum(layers * (2 * length * weights + 4 * length**2 * wide) for length in lengths))


def check_alike(results: dict[Side, Result], reference: Side) -> None:
    """Exit if a float32 side with the same network gives other answers."""
    for side, result in results.items():
        if side.role == FLOAT32 or side.settings.get("precision") == "float32":
            share = alike(result, results[reference])
            if share < ALIKE:
                sys.exit(
                    f"answering: {side.name} must answer as {reference.name}, but does in {share:.0%}: other weights?"
                )


def alike(one: Result, other: Result) -> float:
    """Return how many answers are equal, in [0, 1]."""
    return sum(map(str.__eq__, map(str, one.answers), map(str, other.answers))) / len(one.answers)


def texts(examples: Sequence[Example], result: Result) -> dict[str, str | None]:
    """Return the answers by the questions' ids."""
    return dict(zip((example.id for example in examples), result.answers, strict=True))


def rows(results: dict[Side, Result], f1: dict[Side, float], reference: Side, shipped: str) -> list[str]:
    """Return the table."""
    speed = next(iter(results.values())).speed
    lines = [("", "questions/s", "each turn", "F1", "answers as the old pipeline", "Quoth is")]
    for side, result in results.items():
        name = f"{side.name}: {shipped}" if side.role == SHIPPED else side.name
        turns = ", ".join(f"{turn:.1f}" for turn in result.turns)
        same = f"{100 * alike(result, results[reference]):.1f} %"
        ratio = "" if side.role == SHIPPED else f"{speed / result.speed:.2f}×"
        lines.append((name, f"{result.speed:.1f}", turns, f"{f1[side]:.2f}", same, ratio))
    return table(*lines)


def bars(results: dict[Side, Result], f1: dict[Side, float], work: Work) -> Iterator[Bar]:
    """Yield the targets: against the fastest side of each kind of peer, and the share of the peak."""
    ours = next(iter(results))
    reference = next(f1[side] for side in results if side.role == DEFAULT)
    for role in (DEFAULT, FLOAT32, BFLOAT16, LIVING):
        sides = [side for side in results if side.role == role and f1[side] >= reference - LIVING_MARGIN]
        if not sides:
            continue
        peer = max(sides, key=lambda side: results[side].speed)
        no_worse = (f1[ours] >= f1[peer] - F1_MARGIN, f"F1 {f1[ours]:.2f} against {f1[peer]:.2f}")
        claim = f"questions/s, against {peer.name}{', the best living peer' if role == LIVING else ''}"
        yield Bar(claim, results[ours].speed / results[peer].speed, BARS[role], condition=no_worse)
    share = 100 * work.flops / sum(results[ours].seconds) / work.peak
    yield Bar("share of the matrix peak measured here, without padding", share, BARS[PEAK], unit=" %", digits=0)


def usual_bars(results: dict[Side, Result], f1: dict[Side, float]) -> Iterator[Bar]:
    """Yield the targets against the old pipeline with its default network: what its users had."""
    by_role = {side.role: side for side in results}
    if USUAL[DEFAULT] not in by_role:
        return
    for role, bound in USUAL_BARS.items():
        ours, peer = (
            (by_role[ONE], by_role[USUAL[DEFAULT]]) if role == ONE else (next(iter(results)), by_role.get(role))
        )
        if peer is not None:
            claim = f"questions/s{', ' + ONE if role == ONE else ''}, against {peer.name}"
            no_worse = (f1[ours] >= f1[peer] - F1_MARGIN, f"F1 {f1[ours]:.2f} against the published {f1[peer]:.1f}")
            yield Bar(claim, results[ours].speed / results[peer].speed, bound, condition=no_worse)


def profile(ours: Result, default: Result, work: Work) -> list[str]:
    """Return the time of each part, and the limit that the machine sets."""
    count = len(ours.answers)
    most = count * work.peak / work.flops
    return [
        "",
        f"The peak is {work.peak / 1e9:,.0f} GFLOP/s (torch, 2048 × 2048 × 2048, float32 or bfloat16), and a question "
        f"{work.flops / count / 1e9:.2f} GFLOP: a network that ran at the peak, with nothing around it, would answer "
        f"{most:.0f} questions/s, {most / default.speed:.1f} times the old pipeline as called by default. Of ours, "
        f"one after the other: windows {work.windows:.2f} s, the network {work.network:.2f} s "
        f"({work.flops / work.network / work.peak:.0%} of the peak); `answer_all` needs {sum(ours.seconds):.2f} s.",
    ]


if __name__ == "__main__":
    main()
