"""From a trained folder to one that answers without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quoth.data import read_examples
from quoth.engines.select import open_onnx
from quoth.engines.torch import TorchEngine, load_tokenizer
from quoth.errors import ConfigError, ExportError
from quoth.evaluation import Comparison, Report, compare, evaluate
from quoth.export.graph import PARITY, largest_difference, write_onnx
from quoth.export.quantize import quantize
from quoth.files import whole_folder
from quoth.reader import Reader
from quoth.reading import Tokenizer, WindowBatch, by_token_budget
from quoth.records import Example
from quoth.store import ReaderFolder, ReaderSettings, check_new_folder, find_folder

# Questions whose windows tell how large activations are.
_SAMPLE = 64


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export came to.

    Attributes:
        folder: The new reader folder.
        difference: Largest difference of a logit between torch and the float32 ONNX file.
        size: Bytes of ``model.onnx`` as written.
        gate: The scores on the gate data, of the float32 and the int8 reader, compared; ``None`` without.
    """

    folder: Path
    difference: float
    size: int
    gate: Comparison | None = None

    @property
    def float_report(self) -> Report | None:
        """Scores before quantising."""
        return self.gate.first if self.gate else None

    @property
    def int8_report(self) -> Report | None:
        """Scores after."""
        return self.gate.second if self.gate else None


def export(
    source: str | Path,
    out: str | Path,
    *,
    int8: bool = False,
    gate_data: str | Path | Sequence[Example] | None = None,
    max_f1_drop: float = 0.3,
    least_questions: int = 2000,
) -> ExportResult:
    """Write a reader folder that needs no torch: one ONNX file, tokenizer and ``quoth.json``.

    Args:
        source: A folder with ``model.safetensors`` and ``config.json``, or a name on the hub.
        out: The new folder; it appears whole, or not at all.
        int8: Quantise.
        gate_data: Labelled examples that decide whether the int8 reader is good enough; needed with ``int8``. A few of
            them also tell how large activations are; no answer of theirs is looked at for that.
        max_f1_drop: F1 points that quantising may cost on them: the upper end of the drop's 95 % interval (paired
            bootstrap over articles) must not be above it.
        least_questions: How many labelled examples the gate data must hold.

    Raises:
        ExportError: If torch and ONNX differ by more than 1e-3, or quantising may cost too much F1.
        ConfigError: If ``out`` is not empty, ``max_f1_drop`` is negative or not a number, or one of ``int8`` and
            ``gate_data`` stands without the other, or with too little of it.
        ReaderError: If the source holds no question-answering model.
    """
    out = Path(out)
    if not max_f1_drop >= 0:
        raise ConfigError(f"--max-f1-drop must be a number of F1 points, 0 or more, but is {max_f1_drop:g}")
    if gate_data is not None and not int8:
        raise ConfigError("--gate-data decides on int8, but int8 is not asked for. Give --int8 too, or no --gate-data")
    gate_examples = _gate_examples(gate_data, least_questions) if int8 else []
    check_new_folder(out)
    folder = find_folder(source)
    tokenizer = load_tokenizer(str(folder.path))
    settings = folder.settings(tokenizer.max_tokens)
    engine = TorchEngine.load(folder.path)
    with whole_folder(out) as part:
        difference = _write_float(engine, settings, part / "model.onnx")
        (part / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
        gate = _quantize(part / "model.onnx", tokenizer, settings, gate_examples, max_f1_drop) if int8 else None
        ReaderFolder(part).write_manifest(settings, _facts(folder, difference, gate))
        size = (part / "model.onnx").stat().st_size
    return ExportResult(out, difference, size, gate)


def _write_float(engine: TorchEngine, settings: ReaderSettings, file: Path) -> float:
    write_onnx(engine, file)
    difference = largest_difference(
        engine,
        open_onnx(file, precision="float32"),
        vocabulary=engine.model.config.vocab_size,
        max_tokens=settings.max_tokens,
    )
    if not difference <= PARITY:
        raise ExportError(f"torch and ONNX must agree to {PARITY:g}, but a logit differs by {difference:.2g}")
    return difference


def _gate_examples(data: str | Path | Sequence[Example] | None, least: int) -> list[Example]:
    if data is None:
        raise ConfigError("int8 needs gate data, on which to prove itself: --gate-data FILE")
    examples = list(read_examples(data) if isinstance(data, str | Path) else data)
    labelled = [example for example in examples if example.golds is not None]
    if len(labelled) < least:
        raise ConfigError(f"the gate data must hold at least {least:,} labelled questions, but holds {len(labelled):,}")
    return labelled


def _quantize(
    model: Path, tokenizer: Tokenizer, settings: ReaderSettings, examples: Sequence[Example], max_f1_drop: float
) -> Comparison:
    """Replace a float32 file by its int8 copy, if that answers as well, each as this machine would run it."""
    before = Reader(tokenizer, open_onnx(model, precision="float32"), settings)
    copy = model.with_name("int8.onnx")
    quantize(model, copy, _sample(before, examples))
    after = Reader(tokenizer, open_onnx(copy), settings)
    gate = compare(evaluate(before, examples), evaluate(after, examples), ("float32", "int8"))
    low, high = sorted(-end for end in gate.f1.interval)
    if not high <= max_f1_drop:
        first, second, drop = gate.first.f1, gate.second.f1, -gate.f1.points
        raise ExportError(
            f"int8 must cost at most {max_f1_drop} F1 on the gate data, but may cost {high:.2f}: from {first:.2f} to "
            f"{second:.2f} on {gate.first.total:,} questions, a drop of {drop:.2f} (95 % interval {low:.2f} to "
            f"{high:.2f}). Export without --int8, give more data, or allow more with --max-f1-drop."
        )
    copy.replace(model)
    return gate


def _sample(reader: Reader, examples: Sequence[Example]) -> list[WindowBatch]:
    """Return the windows of some questions, spread evenly over all of them."""
    some = examples[:: max(1, len(examples) // _SAMPLE)][:_SAMPLE]
    windows = [window for group in reader.windower.each(some) for window in group]
    pad = reader.tokenizer.pad_id
    return [WindowBatch.of([windows[i] for i in indices], pad) for indices in by_token_budget(windows, 4096)]


def _facts(folder: ReaderFolder, difference: float, gate: Comparison | None) -> dict[str, Any]:
    scores = dict(folder.manifest.get("scores", {}))
    if gate:
        after, low_high = gate.second, gate.f1.interval
        scores["gate"] = {
            "total": after.total,
            "f1": after.f1,
            "exact": after.exact,
            "float32_f1": gate.first.f1,
            "f1_difference": {"points": gate.f1.points, "interval": list(low_high)},
        }
    # Where the settings that go along come from.
    fitted = {"calibration": folder.manifest["calibration"]} if "calibration" in folder.manifest else {}
    return {
        "precision": "int8" if gate else "float32",
        "parity": difference,
        "trained_on": folder.manifest.get("trained_on", {}),
        **fitted,
        "scores": scores,
    }
