"""Measures the F1 of the shipped file on SQuAD's dev set against the float checkpoint it was made from.

    python benchmarks/fidelity.py [--model FLOAT_FOLDER] [--questions 2000] [--threads 2]

The file as it ships, in its default engine, against the checkpoint in torch and float32, both with the settings that
ship (window sizes, threshold), over the same questions: exact match, F1, and the difference with its 95 % interval,
paired and by article. ``--questions 0`` asks all 10,570.
"""

from __future__ import annotations

from pathlib import Path

from harness import Bar, options, pin, record, sample, table

# The target, in points of F1.
LEAST = -0.3


def main() -> None:
    """Measure, and print the results."""
    given = options(__doc__, 2000).parse_args()
    threads = pin(given.threads)
    from quoth import Reader
    from quoth.data import read_examples
    from quoth.engines.torch import TorchEngine
    from quoth.evaluation import compare, evaluate

    examples = sample(list(read_examples(given.data)), given.questions)
    shipped = Reader.load(threads=threads)
    engine = TorchEngine.load(Path(given.model))
    checkpoint = Reader(shipped.tokenizer, engine, shipped.settings)
    readers = {"the file that ships": shipped, "the float checkpoint": checkpoint}
    reports = {name: evaluate(reader, examples) for name, reader in readers.items()}
    ours, reference = reports.values()
    change = compare(reference, ours).f1
    rows = []
    for name, reader in readers.items():
        what = f"{name}: {reader.engine.name} in {reader.engine.precision}"
        rows.append((what, f"{reports[name].exact:.2f}", f"{reports[name].f1:.2f}"))
    low, high = change.interval
    bar = Bar("F1 of the file that ships, against the float checkpoint", change.points, LEAST, unit=" points", digits=2)
    lines = [
        f"{len(examples):,} questions of SQuAD v1.1 dev, with the threshold that ships.",
        "",
        *table(("", "EM", "F1"), *rows),
        "",
        str(bar),
        f"- 95 % interval of that difference: {low:+.2f} to {high:+.2f}",
    ]
    record("F1 of the shipped file against the float checkpoint", lines, keep=not given.no_record)


if __name__ == "__main__":
    main()
