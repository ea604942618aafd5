"""Claim: the network's matrix products run at 65 % or more of the CPU's measured peak; what the rest of the time is.

The engine's own counters give the time of each kind of layer, and cost a little. The peak is a product of two matrices
of 2,048 rows and columns in the same engine, in the precision in which it computes the network's products here::

    python benchmarks/engine_profile.py
"""

from __future__ import annotations

import harness
from quoth.data import read_examples
from quoth.engine_profile import profile_reader
from quoth.engines.select import computes_int8

QUESTIONS = 200
LAYERS = 8
AT_LEAST = 65.0


def main() -> None:
    """Profile the shipped reader on dev questions."""
    options = harness.options(__doc__, QUESTIONS).parse_args()
    threads = harness.pin(options.threads)
    found = profile_reader(None, harness.sample(read_examples(options.data), options.questions), threads)
    seconds = {
        "encode and split": found.split_seconds,
        "network": found.engine_seconds,
        "find the answers": found.decode_seconds,
    }
    whole = sum(seconds.values())
    steps = [(name, f"{each:.2f}", f"{each / whole:.1%}") for name, each in seconds.items()]
    slowest, rest = found.layers[:LAYERS], found.layers[LAYERS:]
    layers = [(layer.kind, f"`{layer.kernel}`", f"{layer.seconds:.2f}", f"{layer.share:.1%}") for layer in slowest]
    layers.append(("others", "", f"{sum(x.seconds for x in rest):.2f}", f"{sum(x.share for x in rest):.1%}"))
    peaks = [
        (kind, f"{peak / 1e9:,.0f}", f"{found.products_per_second / peak:.0%}") for kind, peak in found.peaks.items()
    ]
    used = "int8" if computes_int8() else found.precision
    share = 100 * found.products_per_second / found.peaks[used]
    harness.record(
        f"Where the time of an answer goes, products in {used}",
        [
            f"{found.questions:,} questions in {found.windows:,} windows, {found.padding:.1%} padding, "
            f"{threads} threads; other operations in {found.precision}.",
            "",
            *harness.table(("step", "s", "share"), *steps),
            "",
            *harness.table(("layer", "kernel", "s", "share"), *layers),
            "",
            f"Products of matrices: {found.products_per_question / 1e9:.2f} GOP a question, "
            f"{found.products_per_second / 1e9:,.0f} GOP/s in the time of the network.",
            "",
            *harness.table(("peak in", "GOP/s", "reached"), *peaks),
            "",
            str(harness.Bar(f"share of the {used} peak", share, AT_LEAST, unit=" %", digits=0)),
        ],
        keep=not options.no_record,
    )


if __name__ == "__main__":
    main()
