"""Export: from a trained reader folder to one that answers without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quoth.data import read_examples
from quoth.data.provenance import DataSet
from quoth.engines.select import open_onnx
from quoth.engines.torch import TorchEngine, load_tokenizer
from quoth.errors import ConfigError, ExportError, ReaderError
from quoth.evaluation import Comparison, Report, compare, evaluate
from quoth.exporting.graph import PARITY, largest_difference, write_onnx
from quoth.exporting.quantize import quantize
from quoth.files import atomic_folder
from quoth.reader import Reader
from quoth.reading import Tokenizer, WindowBatch, batches_of
from quoth.records import Example
from quoth.store import ReaderFolder, ReaderSettings, check_new_folder, find_folder
from quoth.store.layout import has_torch_weights
from quoth.store.provenance import Used, warn_if_seen

# Number of questions whose windows calibrate the int8 scales.
_SAMPLE = 64


@dataclass(frozen=True, slots=True)
class ExportResult:
    """Result of an export.

    Attributes:
        folder: The new reader folder.
        difference: Largest absolute difference of a logit between torch and the float32 ONNX file.
        size: Size of ``model.onnx``, in bytes.
        gate: Comparison of the float32 and the int8 reader on the gate data; ``None`` without ``int8``.
    """

    folder: Path
    difference: float
    size: int
    gate: Comparison | None = None

    @property
    def float_report(self) -> Report | None:
        """Scores before quantization."""
        return self.gate.first if self.gate else None

    @property
    def int8_report(self) -> Report | None:
        """Scores after quantization."""
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
        source: A folder with ``model.safetensors`` and ``config.json``, or a hub name.
        out: The new folder, written atomically.
        int8: Whether to quantize.
        gate_data: Labelled examples for the F1 gate; required with ``int8``. The texts of a few of them also calibrate
            the scales; their golds are not used for that.
        max_f1_drop: Maximum loss of F1 points on the gate data. The upper bound of the 95% confidence interval of the
            loss (paired bootstrap over articles) must not exceed it.
        least_questions: Minimum number of labelled examples in the gate data.

    Raises:
        ExportError: If the logits of torch and ONNX differ by more than 1e-3, or quantization may lose too much F1.
        ConfigError: If ``out`` is not empty, ``max_f1_drop`` is negative or NaN, ``int8`` or ``gate_data`` is given
            without the other, or there is too little gate data.
        ReaderError: If the source is not a question-answering model with weights for torch.
    """
    out = Path(out)
    if not max_f1_drop >= 0:
        raise ConfigError(f"--max-f1-drop must be a number of F1 points, 0 or more, but is {max_f1_drop:g}")
    if gate_data is not None and not int8:
        raise ConfigError("--gate-data is only used with --int8. Add --int8, or remove --gate-data")
    gate_examples = _gate_examples(gate_data, least_questions) if int8 else []
    check_new_folder(out)
    folder = find_folder(source)
    if folder.onnx and not has_torch_weights(folder.path):
        raise ReaderError(
            f"{folder.path}: must contain model.safetensors to be exported, but has been exported already: it contains "
            f"only {folder.onnx.name}. Use the reader that it was exported from"
        )
    used = [each for each in folder.used if each.role != "gating"]
    if int8:
        name = str(gate_data) if isinstance(gate_data, str | Path) else "examples in memory"
        warn_if_seen(
            used, gate_examples, name, purpose="the gate may pass an int8 reader that is worse on new questions"
        )
        used.append(Used("gating", DataSet.of(name, gate_examples)))
    tokenizer = load_tokenizer(str(folder.path))
    settings = folder.settings(tokenizer.max_tokens)
    engine = TorchEngine.load(folder.path)
    with atomic_folder(out) as part:
        difference = _write_float(engine, settings, part / "model.onnx")
        (part / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
        gate = _quantize(part / "model.onnx", tokenizer, settings, gate_examples, max_f1_drop) if int8 else None
        ReaderFolder(part).write_manifest(settings, _facts(folder, difference, gate), used=used)
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
        raise ExportError(f"logits of torch and ONNX must differ by at most {PARITY:g}, but differ by {difference:.2g}")
    return difference


def _gate_examples(data: str | Path | Sequence[Example] | None, least: int) -> list[Example]:
    if data is None:
        raise ConfigError("int8 needs labelled data for the F1 gate: --gate-data FILE")
    examples = list(read_examples(data) if isinstance(data, str | Path) else data)
    labelled = [example for example in examples if example.golds is not None]
    if len(labelled) < least:
        raise ConfigError(
            f"the gate data must have at least {least:,} labelled questions, but has {len(labelled):,}: with so few, a "
            "loss of F1 by int8 cannot be distinguished from noise. Gate on another set of this language, such as "
            "SQuAD's dev set; export without --int8; or accept a wide interval (--least-questions, --max-f1-drop)"
        )
    return labelled


def _quantize(
    model: Path, tokenizer: Tokenizer, settings: ReaderSettings, examples: Sequence[Example], max_f1_drop: float
) -> Comparison:
    """Replace a float32 file by its int8 copy if that passes the F1 gate on this machine's engine."""
    before = Reader(tokenizer, open_onnx(model, precision="float32"), settings)
    copy = model.with_name("int8.onnx")
    quantize(model, copy, _sample(before, examples))
    after = Reader(tokenizer, open_onnx(copy, int8=True), settings)
    gate = compare(evaluate(before, examples), evaluate(after, examples), ("float32", "int8"))
    raise_if_worse(gate, max_f1_drop)
    copy.replace(model)
    return gate


def raise_if_worse(gate: Comparison, max_f1_drop: float) -> None:
    """Raise if int8 may lose too much F1: if the upper bound of the loss's 95% confidence interval is too high.

    Args:
        gate: The scores of the float32 reader (first) and of the int8 reader (second) on the gate data.
        max_f1_drop: Maximum loss, in F1 points.

    Raises:
        ExportError: If the upper bound exceeds it.
    """
    low, high = sorted(-end for end in gate.f1.interval)
    if not high <= max_f1_drop:
        first, second, drop = gate.first.f1, gate.second.f1, -gate.f1.points
        raise ExportError(
            f"int8 must lose at most {max_f1_drop} F1 on the gate data, but may lose {high:.2f}: from {first:.2f} to "
            f"{second:.2f} on {gate.first.total:,} questions, a drop of {drop:.2f} (95% confidence interval {low:.2f} "
            f"to {high:.2f}). Export without --int8, give more data, or raise --max-f1-drop."
        )


def _sample(reader: Reader, examples: Sequence[Example]) -> list[WindowBatch]:
    """Return the windows of a sample of the questions, evenly spaced."""
    some = examples[:: max(1, len(examples) // _SAMPLE)][:_SAMPLE]
    windows = [window for _, group in reader.windower.each(some) for window in group]
    return list(batches_of(windows, 4096, reader.tokenizer.pad_id, limit=reader.settings.max_tokens))


def _facts(folder: ReaderFolder, difference: float, gate: Comparison | None) -> dict[str, Any]:
    scores = dict(folder.manifest.get("scores", {}))
    if gate:
        after = gate.second
        scores["gate"] = {
            "total": after.total,
            "f1": after.f1,
            "exact": after.exact,
            "float32_f1": gate.first.f1,
            "f1_difference": {"points": gate.f1.points, "interval": list(gate.f1.interval)},
        }
    # Keep the records of how the reader's settings were calibrated.
    fitted = {name: folder.manifest[name] for name in ("calibration", "corpus_calibration") if name in folder.manifest}
    return {
        "precision": "int8" if gate else "float32",
        "parity": difference,
        "trained_on": folder.manifest.get("trained_on", {}),
        **fitted,
        "scores": scores,
    }
