"""From a trained folder to one that answers without torch."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quoth.data import read_examples
from quoth.engines.onnx import OnnxEngine
from quoth.engines.torch import TorchEngine, load_tokenizer
from quoth.errors import ConfigError, ExportError
from quoth.evaluation import Report, evaluate
from quoth.export.graph import PARITY, largest_difference, write_onnx
from quoth.export.quantize import quantize
from quoth.reader import Reader
from quoth.reading import Tokenizer
from quoth.records import Example
from quoth.store import ReaderFolder, ReaderSettings, check_new_folder, find_folder


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export came to.

    Attributes:
        folder: The new reader folder.
        difference: Largest difference of a logit between torch and the float32 ONNX file.
        size: Bytes of ``model.onnx`` as written.
        float_report, int8_report: Scores on the gate data, before and after quantising; ``None`` without.
    """

    folder: Path
    difference: float
    size: int
    float_report: Report | None = None
    int8_report: Report | None = None


def export(
    source: str | Path,
    out: str | Path,
    *,
    int8: bool = False,
    gate_data: str | Path | Sequence[Example] | None = None,
    max_f1_drop: float = 0.3,
) -> ExportResult:
    """Write a reader folder that needs no torch: one ONNX file, tokenizer and ``quoth.json``.

    Args:
        source: A folder with ``model.safetensors`` and ``config.json``, or a name on the hub.
        out: The new folder; it appears whole, or not at all.
        int8: Quantise the weights.
        gate_data: Labelled examples that decide whether the int8 reader is good enough; needed with ``int8``.
        max_f1_drop: F1 points that quantising may cost on them.

    Raises:
        ExportError: If torch and ONNX differ by more than 1e-3, or quantising costs too much F1.
        ConfigError: If ``out`` is not empty, or ``int8`` stands without ``gate_data``.
        ReaderError: If the source holds no question-answering model.
    """
    out = Path(out)
    if int8 and gate_data is None:
        raise ConfigError("int8 needs gate data, on which to prove itself: --gate-data FILE")
    check_new_folder(out)
    folder = find_folder(source)
    tokenizer = load_tokenizer(str(folder.path))
    settings = folder.settings(tokenizer.max_tokens)
    engine = TorchEngine.load(folder.path)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        difference = _write_float(engine, settings, part / "model.onnx")
        (part / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
        reports: tuple[Report | None, Report | None] = (None, None)
        if int8 and gate_data is not None:
            examples = read_examples(gate_data) if isinstance(gate_data, str | Path) else list(gate_data)
            reports = _quantize(part / "model.onnx", tokenizer, settings, examples, max_f1_drop)
        ReaderFolder(part).write_manifest(settings, _facts(folder, int8, difference, reports))
        size = (part / "model.onnx").stat().st_size
        part.chmod(0o755)
        if out.exists():
            out.rmdir()
        part.replace(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return ExportResult(out, difference, size, *reports)


def _write_float(engine: TorchEngine, settings: ReaderSettings, file: Path) -> float:
    write_onnx(engine, file)
    difference = largest_difference(
        engine, OnnxEngine(file), vocabulary=engine.model.config.vocab_size, max_tokens=settings.max_tokens
    )
    if not difference <= PARITY:
        raise ExportError(f"torch and ONNX must agree to {PARITY:g}, but a logit differs by {difference:.2g}")
    return difference


def _quantize(
    model: Path, tokenizer: Tokenizer, settings: ReaderSettings, examples: Sequence[Example], max_f1_drop: float
) -> tuple[Report, Report]:
    """Replace a float32 file by its int8 copy, if that answers as well."""
    before = evaluate(Reader(tokenizer, OnnxEngine(model), settings), examples)
    copy = model.with_name("int8.onnx")
    quantize(model, copy)
    after = evaluate(Reader(tokenizer, OnnxEngine(copy, precision="int8"), settings), examples)
    if before.f1 - after.f1 > max_f1_drop:
        raise ExportError(
            f"int8 must cost at most {max_f1_drop} F1 on the gate data, but costs {before.f1 - after.f1:.2f} "
            f"({before.f1:.2f} to {after.f1:.2f} on {before.total} questions). Export without --int8, or allow more "
            "with --max-f1-drop."
        )
    copy.replace(model)
    return before, after


def _facts(
    folder: ReaderFolder, int8: bool, difference: float, reports: tuple[Report | None, Report | None]
) -> dict[str, Any]:
    before, after = reports
    scores = dict(folder.manifest.get("scores", {}))
    if before and after:
        scores["gate"] = {"total": after.total, "f1": after.f1, "exact": after.exact, "float32_f1": before.f1}
    # Where the settings that go along come from.
    fitted = {"calibration": folder.manifest["calibration"]} if "calibration" in folder.manifest else {}
    return {
        "precision": "int8" if int8 else "float32",
        "parity": difference,
        "trained_on": folder.manifest.get("trained_on", {}),
        **fitted,
        "scores": scores,
    }
