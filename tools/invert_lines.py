"""Inverts lines of the package, one at a time, and checks that a test notices.

``python tools/invert_lines.py [WORD...]`` takes the rows whose file holds one of the words; all of them without. Each
row is tried in a copy of the sources. A row that no test notices is printed, and the exit status is 1.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import copytree
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
# Seconds that the tests of one row may take.
LIMIT = 600


class Row(NamedTuple):
    """A line, what it becomes, and the tests that must fail then (words of pytest)."""

    file: str
    line: str
    inverted: str
    tests: str


ROWS = (
    # The claims of safety.
    Row(
        "export/run.py",
        "if not high <= max_f1_drop:",
        "if not -gate.f1.points <= max_f1_drop:",
        "test_export.py -k upper",
    ),
    Row("export/quantize.py", "+ correction[columns]", "- correction[columns]", "test_export.py -k right_on_average"),
    Row(
        "calibrate/probability_fit.py",
        "fitted(np.arange(_FOLDS) != fold)",
        "fitted(np.arange(_FOLDS) == fold)",
        "test_calibration.py -k crossvalidated",
    ),
    Row(
        "calibrate/probability_fit.py",
        "losses[:, np.arange(_FOLDS) != fold]",
        "losses[:, np.arange(_FOLDS) == fold]",
        "test_calibration.py -k crossvalidated",
    ),
    Row(
        "training/trainer.py",
        "accelerator.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm)",
        "accelerator.clip_grad_norm_(self.model.parameters(), 1e9)",
        "test_training.py -k clipped",
    ),
    # The lowest layer.
    Row("text.py", "if match.end() > position:", "if match.end() >= position:", "test_text.py"),
    Row("text.py", "if 0 < end < len(context)", "if 0 < end <= len(context) - 2", "test_text.py"),
    Row("display.py", "\\u202a-\\u202e\\u2066-\\u2069", "\\u2066-\\u2069", "test_cli_data.py -k obey"),
    Row("display.py", "if 0 < probability < 0.001:", "if 0 <= probability < 0.001:", "test_cli_ask.py -k pretend"),
    Row("files.py", "if old.exists():", "if not old.exists():", "test_files.py"),
    Row("files.py", "if not final.exists():", "if final.exists():", "test_files.py"),
    Row("files.py", "part.unlink(missing_ok=True)", "pass", "test_files.py"),
    Row("config.py", "and value > self.above", "and value >= self.above", "test_config.py"),
    Row("config.py", "self.least <= value <= self.most", "self.least < value <= self.most", "test_config.py"),
    Row("config.py", "isinstance(value, bool) and self.kind is not bool", "False", "test_config.py"),
    Row(
        "errors.py",
        "return _again, (type(self), self.args), self.__dict__",
        "return type(self), self.args",
        "test_errors.py",
    ),
    # Data, and what is done with files.
    Row("data/split.py", "if example.title in wanted]", "if example.title not in wanted]", "test_data.py -k split"),
    Row("data/flat.py", "if len(cells) != len(header):", "if len(cells) > len(header):", "test_data.py -k csv"),
    Row(
        "data/read.py",
        "if 0 < len(unlabelled) < len(rows):",
        "if 0 < len(unlabelled) <= len(rows):",
        "test_data.py test_data_formats.py",
    ),
    Row(
        "documents/read.py",
        "if len(data) > limits.file_bytes:",
        "if len(data) < limits.file_bytes:",
        "test_documents.py",
    ),
    Row(
        "documents/read.py", 'return "utf-16-le" if odd > even', 'return "utf-16-le" if odd < even', "test_documents.py"
    ),
    Row(
        "cli/outputs.py",
        "return os.path.realpath(path) == os.path.realpath(other)",
        "return False",
        "test_cli_data.py -k overwrite",
    ),
    Row(
        "cli/draw.py", "if end + reach >= len(context):", "if end + reach < len(context):", "test_cli_ask.py -k passage"
    ),
    # Scores.
    Row("evaluation/metrics.py", "if shared == 0:", "if shared != 0:", "test_evaluation.py"),
    Row(
        "evaluation/metrics.py",
        "return float(predicted == gold)",
        "return float(predicted != gold)",
        "test_evaluation.py",
    ),
    Row("evaluation/compare.py", "sum(b.exact > a.exact", "sum(b.exact >= a.exact", "test_slices.py -k compar"),
    Row("evaluation/compare.py", "sum(a.exact > b.exact", "sum(a.exact >= b.exact", "test_slices.py -k compar"),
    Row("evaluation/bootstrap.py", "if 2**count <= _FLIPS:", "if 2**count > _FLIPS:", "test_evaluation.py"),
    Row(
        "evaluation/bootstrap.py",
        "np.where(bits == 1, -1.0, 1.0)",
        "np.where(bits == 1, 1.0, 1.0)",
        "test_evaluation.py",
    ),
    Row(
        "evaluation/error_analysis.py",
        "if len(gap) <= _NEAR",
        "if len(gap) > _NEAR",
        "test_slices.py test_evaluation.py",
    ),
    # Reading and engines.
    Row("reading/settings.py", "if self.max_answer_tokens < 1:", "if self.max_answer_tokens < 0:", "test_store.py"),
    Row("reading/align.py", "if first < end else None", "if first > end else None", "test_reading_windows.py"),
    Row("reading/batches.py", "* width > budget:", "* width < budget:", "test_reading_batches.py"),
    Row("engines/select.py", "if wanted <= flags)", "if wanted < flags)", "test_engines.py -k processor"),
    Row("engines/network.py", "if not {", "if {", "test_engines.py -k network"),
    Row("engines/precisions.py", 'Precision("float16", "fp16")', 'Precision("float16", "bf16")', "test_config.py"),
    Row("store/folder.py", "if sha256(file) != wanted:", "if sha256(file) == wanted:", "test_store.py"),
    Row("store/folder.py", "if found != FORMAT:", "if found == FORMAT:", "test_store.py"),
    Row("store/layout.py", '".." not in path.parts', "True", "test_store.py"),
    Row("store/folder.py", "any(path.iterdir())):", "not any(path.iterdir())):", "test_store.py"),
    # Training.
    Row(
        "training/checkpoints.py",
        "if sha256(path / name) != expected:",
        "if not (path / name).exists():",
        "test_training_steps.py -k damaged",
    ),
    Row("training/checkpoints.py", "if len(kept) < keep:", "if len(kept) <= keep:", "test_training_steps.py -k kept"),
    Row("training/optimizer.py", "if step < rise:", "if step <= rise:", "test_training_steps.py -k learning_rate"),
    Row(
        "training/optimizer.py",
        "(1 + self.seen) / (10 + self.seen)",
        "(10 + self.seen) / (10 + self.seen)",
        "test_training_steps.py -k average",
    ),
    Row("training/config.py", "if name not in _FREE and", "if name in _FREE and", "test_training_config.py"),
    Row(
        "training/sweep/plan.py",
        'if not spec["low"] < spec["high"]:',
        'if not spec["low"] > spec["high"]:',
        "test_sweep.py -k named_at_once",
    ),
    # What is built on a reader.
    Row("verification/claims.py", "or item[key] < 0:", "or item[key] < -9:", "test_verification.py"),
    Row("tables/settings.py", "if self.top_k < 1:", "if self.top_k < 0:", "test_tables.py"),
    Row("dropin/calls.py", "if stride > longest:", "if stride < longest:", "test_dropin.py -k wrong"),
    Row("dropin/calls.py", "if len(question) != len(context):", "if len(question) == len(context):", "test_dropin.py"),
    Row("drawing/markup.py", "html.escape(visible(str(text)))", "visible(str(text))", "test_drawing.py -k obeyed"),
    Row("serve/texts.py", "while self.size > self._max_bytes:", "while self.size < 0:", "test_serve_texts.py"),
    Row(
        "serve/queue/batcher.py",
        "self.tokens + tokens > self.capacity",
        "self.tokens > self.capacity",
        "test_serve_batcher.py",
    ),
    Row("serve/http/middleware.py", "if self._left < 0:", "if self._left < -9e9:", "test_serve_limits.py -k body"),
)


def invert(row: Row, source: Path) -> None:
    """Replace the line in a copy of the sources.

    Raises:
        SystemExit: If the line does not stand there, or more than once.
    """
    file = source / "quoth" / row.file
    text = file.read_text(encoding="utf-8")
    if text.count(row.line) != 1:
        sys.exit(f"{row.file}: must hold this once, but holds it {text.count(row.line)} times: {row.line}")
    file.write_text(text.replace(row.line, row.inverted), encoding="utf-8")


def is_noticed(row: Row) -> bool:
    """Return whether a test fails where the line is inverted."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        copytree(ROOT / "src", source, ignore=lambda *_: ["__pycache__"])
        invert(row, source)
        words = row.tests.split()
        files = [f"tests/{word}" if word.endswith(".py") else word for word in words]
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not long", *files]
        environment = {**os.environ, "PYTHONPATH": str(source)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=LIMIT, check=False)
    if done.returncode not in (0, 1):  # no test of this name, or one that cannot be imported
        print(f"{row.file}: the tests could not be run: {row.tests}\n{done.stdout.decode()[-500:]}", flush=True)
    return done.returncode == 1


def main(words: list[str]) -> int:
    """Try the rows, and print each that no test notices."""
    rows = [row for row in ROWS if not words or any(word in row.file for word in words)]
    survivors = 0
    for row in rows:
        noticed = is_noticed(row)
        survivors += not noticed
        print(f"{'noticed ' if noticed else 'SURVIVED'} {row.file}: {row.line} -> {row.inverted}", flush=True)
    print(f"{len(rows) - survivors} of {len(rows)} inverted lines are noticed")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
