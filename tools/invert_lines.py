"""Mutation test: inverts lines of the package, one at a time, and checks that a test fails.

``python tools/invert_lines.py [TEXT...]`` tries the rows whose file contains one of the texts, or all rows. For each
row, its tests must pass with the package as it is, and fail in a copy in which the line is inverted. The exit status is
1 if a row is not noticed. All rows together take about an hour on one core.
"""

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from shutil import copytree
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
# Maximum time for the tests of one row, in seconds.
LIMIT_S = 600


class Row(NamedTuple):
    """One inversion.

    Attributes:
        file: The file, below ``src/quoth``.
        line: Text that the file contains exactly once.
        inverted: The text that replaces it.
        tests: Arguments of pytest for the tests that must then fail.
    """

    file: str
    line: str
    inverted: str
    tests: str


ROWS = (
    # The safety claims.
    Row(
        "exporting/run.py",
        "if not high <= max_f1_drop:",
        "if not -gate.f1.points <= max_f1_drop:",
        "test_export.py -k upper",
    ),
    Row("exporting/quantize.py", "+ correction[columns]", "- correction[columns]", "test_export.py -k no_bias"),
    Row(
        "calibrating/probability_fit.py",
        "fitted(np.arange(_FOLDS) != fold)",
        "fitted(np.arange(_FOLDS) == fold)",
        "test_calibration.py -k crossvalidated",
    ),
    Row(
        "calibrating/probability_fit.py",
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
    # The lowest layers.
    Row("text.py", "if match.end() > position:", "if match.end() >= position:", "test_text.py"),
    Row("text.py", "if 0 < end < len(context)", "if 0 < end <= len(context) - 2", "test_text.py"),
    Row("display.py", "\\u202a-\\u202e\\u2066-\\u2069", "\\u2066-\\u2069", "test_cli_data.py -k escapes"),
    Row("display.py", "if 0 < probability < 0.001:", "if 0 <= probability < 0.001:", "test_cli_ask.py -k rounded_to"),
    Row("files.py", "if old.exists():", "if not old.exists():", "test_files.py"),
    Row("files.py", "if not final.exists():", "if final.exists():", "test_files.py"),
    Row("files.py", "part.unlink(missing_ok=True)", "pass", "test_files.py"),
    Row("config.py", "and value > self.above", "and value >= self.above", "test_config.py"),
    Row("config.py", "self.least <= value <= self.most", "self.least < value <= self.most", "test_config.py"),
    Row("config.py", "isinstance(value, bool) and self.kind is not bool", "False", "test_config.py"),
    Row(
        "errors.py",
        "return _recreated, (type(self), self.args), self.__dict__",
        "return type(self), self.args",
        "test_errors.py",
    ),
    # Data, documents and output files.
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
    Row("encodings.py", '((1, "utf-16-le"), (0,', '((0, "utf-16-le"), (1,', "test_documents.py -k utf16"),
    Row(
        "cli/outputs.py",
        "return os.path.realpath(path) == os.path.realpath(other)",
        "return False",
        "test_cli_score.py -k one_file_for",
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
    Row("evaluation/bootstrap.py", "if 2**count <= _FLIPS:", "if 2**count > _FLIPS:", "test_slices.py -k flip"),
    Row(
        "evaluation/bootstrap.py",
        "np.where(bits == 1, -1.0, 1.0)",
        "np.where(bits == 1, 1.0, 1.0)",
        "test_slices.py -k flip",
    ),
    Row(
        "evaluation/error_analysis.py",
        "if len(gap) <= _NEAR",
        "if len(gap) > _NEAR",
        "test_slices.py test_evaluation.py",
    ),
    # Reading and engines.
    Row("reading/settings.py", 'tokens.", COUNT] = 30', 'tokens."] = 30', "test_store.py"),
    Row("reading/align.py", "if first < end else None", "if first > end else None", "test_reading_windows.py"),
    Row("reading/batches.py", "* width > budget:", "* width < budget:", "test_reading_batches.py"),
    Row("engines/select.py", "if kind.flags <= flags)", "if kind.flags < flags)", "test_engines.py -k kind"),
    Row("engines/network.py", "if not {", "if {", "test_engines.py -k network"),
    Row("engines/precisions.py", 'Precision("float16", "fp16")', 'Precision("float16", "bf16")', "test_config.py"),
    Row("store/folder.py", "if sha256(file) != wanted:", "if sha256(file) == wanted:", "test_store.py"),
    Row("store/folder.py", "if found != FORMAT:", "if found == FORMAT:", "test_store.py"),
    Row("store/layout.py", '".." not in path.parts', "True", "test_store.py"),
    Row("store/folder.py", "any(path.iterdir())):", "not any(path.iterdir())):", "test_pickling.py -k saved"),
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
        "test_sweep.py -k reported_at_once",
    ),
    # Packages above the reader.
    Row("verification/claims.py", "or item[key] < 0:", "or item[key] < -9:", "test_verification.py"),
    Row("tables/settings.py", 'all of them.", COUNT] = 1', 'all of them."] = 1', "test_tables.py -k out_of_range"),
    Row("dropin/calls.py", "if stride > longest:", "if stride < longest:", "test_dropin.py -k wrong"),
    Row(
        "dropin/calls.py",
        "if len(question) != len(context):",
        "if len(question) == len(context):",
        "test_dropin.py -k shape",
    ),
    Row("drawing/markup.py", "html.escape(visible(str(text)))", "visible(str(text))", "test_drawing.py -k escaped"),
    Row("serve/store.py", "if excess <= 0:", "if excess <= 1e12:", "test_serve_texts.py"),
    Row(
        "serve/queue/batcher.py",
        "if fair and fair + min(tokens, share.free) > self.capacity:",
        "if fair and fair > self.capacity:",
        "test_serve_batcher.py",
    ),
    Row(
        "serve/http/exchange.py",
        "if self.received > self._rules.max_bytes:",
        "if False:",
        "test_serve_limits.py -k body",
    ),
    Row(
        "serve/http/access.py",
        'scheme.lower() == "bearer" and any(matches)',
        'scheme.lower() == "bearer" and all(matches)',
        "test_serve_access.py -k rotated",
    ),
    Row("serve/http/hosted.py", "if asked.handle_impossible_answer else NEVER", "", "test_serve.py -k hugging_face"),
    Row(
        "serve/http/assets.py",
        "; require-trusted-types-for 'script'; trusted-types 'none'",
        "",
        "test_serve_page.py -m long -k policy",
    ),
    Row(
        "serve/queue/batcher.py",
        "shortest >= _MIN_LENGTH_RATIO * longest",
        "shortest <= longest",
        "test_serve_batcher.py -k similar",
    ),
    Row(
        "serve/queue/batcher.py", "or request.deadline <= now:", "or False:", "test_serve_batcher.py -k never_computed"
    ),
    Row("serve/queue/queries.py", "if tokens > max_tokens:", "if tokens < 0:", "test_serve_limits.py -k maximum_queue"),
    Row(
        "serve/page/decide.js",
        "(best.probability ?? 0) < least",
        "(best.probability ?? 0) > least",
        "test_serve_page.py -m long -k slider",
    ),
    Row(
        "serve/page/offsets.js",
        "this.pairs[index] < unit",
        "this.pairs[index] > unit",
        "test_serve_page.py -m long -k as_in_python",
    ),
    # What protects the server, by what it protects from: clients that send without end,
    Row(
        "serve/http/protocol.py",
        "if not self._is_head and self._non_body_bytes > _HEAD_BYTES:",
        "if False:",
        "test_serve_hostile.py -k bounded_before",
    ),
    Row(
        "serve/http/protocol.py",
        "if self._header_bytes > _HEAD_BYTES:",
        "if False:",
        "test_serve_hostile.py -k too_large",
    ),
    # many large files,
    Row(
        "serve/budget.py",
        "return self.held + size <= self.limit",
        "return True",
        "test_serve_uploads.py -k within_a_budget",
    ),
    Row(
        "documents/parsing.py",
        "resource.setrlimit(resource.RLIMIT_AS, (",
        "resource.getrlimit(resource.RLIMIT_AS); ((",
        "test_serve_uploads.py -k too_much_memory",
    ),
    Row(
        "serve/http/uploads.py",
        "if error.errno not in (errno.ENOSPC, errno.EDQUOT):",
        "if True:",
        "test_serve_uploads.py -k full_disk",
    ),
    Row(
        "documents/pool.py",
        "stop.ends(worker.kill)",
        "stop.ends(lambda: None)",
        "test_serve_uploads.py -k client_leaves",
    ),
    # a very long text,
    Row(
        "serve/queue/requests.py",
        "return min(float(self.tokens), max(0.0, left))",
        "return float(self.tokens)",
        "test_serve_limits.py -k very_long_text",
    ),
    Row(
        "serve/queue/batcher.py",
        "if beyond or now < request.urgent",
        "if now < request.urgent",
        "test_serve_batcher.py",
    ),
    # idle and slow clients,
    Row("serve/http/protocol.py", "if self._open > self._limit:", "if False:", "test_serve_hostile.py -k make_room"),
    Row(
        "serve/http/protocol.py",
        "self._sending = self.loop.call_later(self._limits.send_s,",
        "self._sending = self.loop.call_later(1e6,",
        "test_serve_hostile.py -k does_not_read",
    ),
    Row("serve/http/middleware.py", "if exchange.has_body:", "if False:", "test_serve_hostile.py -k slow_bodies"),
    Row(
        "serve/http/middleware.py",
        "needs_slot = refused is None and not is_open(scope) and",
        "needs_slot = refused is None and",
        "test_serve_hostile.py -k page_and_health",
    ),
    # ten times the load,
    Row(
        "serve/queue/batcher.py",
        "if fair and fair + min(tokens, share.free) > self.capacity:",
        "if False:",
        "test_serve_overload.py -k ten_times",
    ),
    # work on the event loop,
    Row(
        "serve/queue/answerer.py",
        "return await self.in_thread(finish_and_render, is_long=is_long)",
        "return finish_and_render()",
        "test_serve_operators.py -k holds_the_event_loop",
    ),
    # other pages, and missing secrets,
    Row(
        "serve/http/access.py",
        "if self._any_host or self._is_allowed(host_of(hosts[0])):",
        "if True:",
        "test_serve_access.py -k rebinding",
    ),
    Row(
        "serve/http/access.py",
        "elif not self._is_cross_site(scope, headers):",
        "else:",
        "test_serve_access.py -k foreign",
    ),
    Row("serve/tokens.py", "if token is not None and not token.strip():", "if False:", "test_serve_access.py -k empty"),
    Row("documents/pool.py", "name.upper() in _INHERITED or", "True or", "test_serve_access.py -k inherit"),
    # the death of a process, and another reader,
    Row(
        "serve/worker.py",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "pass",
        "test_serve_operators.py -k with_their_supervisor",
    ),
    Row(
        "serve/run.py",
        '_LOG.error("worker %s',
        '_LOG.debug("worker %s',
        "test_serve_operators.py -k with_their_supervisor",
    ),
    Row("serve/jobs.py", "and self._presence.is_alive(owner):", "and True:", "test_serve_jobs.py -k killed_process"),
    Row("serve/jobs.py", 'AND owner = ? AND done = ?"', 'AND owner = ? AND ? >= 0"', "test_serve_jobs.py -k one_owner"),
    Row(
        "serve/http/job_runner.py",
        'if chosen.served.hash != began["hash"]:',
        "if False:",
        "test_serve_jobs.py -k by_another",
    ),
    Row("serve/http/job_runner.py", "if job.deaths >= _DEATHS:", "if False:", "test_serve_jobs.py -k three_workers"),
    # texts that would hold the interpreter, and settings that would silently do nothing,
    Row(
        "documents/read.py",
        "if len(data) > _MAX_BYTES * limits.characters:",
        "if False:",
        "test_documents.py -k rejected_before",
    ),
    Row(
        "verification/claims.py",
        '_ELLIPSIS = re.compile(r"',
        '_ELLIPSIS = re.compile(r"\\s*',
        "test_verification.py -k spaces_and_marks",
    ),
    Row("serve/settings.py", "problems += _unusable_names(settings)", "", "test_serve_operators.py -k contradictory"),
    # and errors that a client cannot read.
    Row(
        "serve/http/middleware.py",
        "await exchange.run(self._wrap(refused.response()))",
        "await exchange.run(refused.response())",
        "test_serve_access.py -k headers_of_cors",
    ),
    Row(
        "serve/http/protocol.py",
        "content-type: application/json",
        "content-type: text/plain",
        "test_serve_hostile.py -k error_in_json",
    ),
    # Corpora, tables, tracking, drawings, the drop-in, calibration, export, and the core.
    Row("corpus/passages.py", "return places[-1]", "return places[0]", "test_corpus.py -k passage"),
    Row("corpus/passages.py", "if is_heading and", "if not is_heading and", "test_corpus.py -k heading"),
    Row(
        "reading/queries.py", "if word not in STOP_WORDS] or words", "if word in STOP_WORDS] or words", "test_corpus.py"
    ),
    Row("corpus/sqlite.py", "if tables and version not in (1, FORMAT):", "if False:", "test_corpus.py -k format"),
    Row("corpus/sqlite.py", "if tables and application != _APPLICATION:", "if False:", "test_corpus.py -k format"),
    Row(
        "corpus/indexing.py",
        "if known.file_hash != sha256(file):",
        "if False:",
        "test_corpus_stores.py -k only_changed",
    ),
    Row(
        "corpus/indexing.py",
        "if known.stamp == stamp:",
        "if known.stamp != stamp:",
        "test_corpus_stores.py -k only_changed",
    ),
    Row("documents/archives.py", "if unpacked > most:", "if unpacked < 0:", "test_documents.py -k bomb"),
    Row(
        "documents/files.py",
        'for each in names if not each.startswith("."))',
        'for each in names if each.startswith("."))',
        "test_documents.py -k folder",
    ),
    Row("documents/files.py", "> limits.file_bytes:", "< limits.file_bytes:", "test_documents.py"),
    Row(
        "verification/verify.py",
        "[: MAX_PLACES - len(check.places)]",
        "[:1]",
        "test_verification.py -k place",
    ),
    Row("tables/columns.py", "    if taken:", "    if False:", "test_tables.py -k unsuitable"),
    Row("tables/rows.py", "len(value) > limit:", "len(value) <= limit:", "test_tables.py -k cannot_be_read"),
    Row(
        "tables/job/run.py",
        "(job.retry_errors and counts.failed)",
        "(job.retry_errors and not counts.failed)",
        "test_tables_job.py -k repeated_if",
    ),
    Row("tables/job/run.py", "if inside:", "if not locations:", "test_tables_job.py"),
    Row("tables/job/folder.py", 'OWN = "_quoth"', 'OWN = "quoth"', "test_tables_job.py -k duckdb"),
    Row("files.py", "LOCK_EX | fcntl", "LOCK_SH | fcntl", "test_tables_job.py -k two_concurrent"),
    Row("tables/job/manifest.py", "    if found:", "    if False:", "test_tables_job.py -k other_versions"),
    Row("tables/job/plan.py", "if counts.rows == stop - start else None", "", "test_tables_job.py -k depend_only"),
    Row("tables/rows.py", "leading(piece, PIECE_BYTES)", "leading(piece, 1 << 40)", "test_tables.py -k pieces"),
    Row("tables/rows.py", "ends, before + PIECE_BYTES", "ends, 1 << 40", "test_tables.py -k long_text"),
    Row(
        "tables/sources/table.py", "!= (self.fingerprint[", "== (self.fingerprint[", "test_tables_sources.py -k changes"
    ),
    Row("stream.py", "characters >= self.block_characters", "False", "test_stream.py -k ahead"),
    Row("reading/windows.py", "min(1, self.remembered_contexts)", "0", "test_reader.py -k cached_up"),
    Row(
        "tracking/model.py",
        '"" if folder.onnx else "torch"',
        '"torch" if folder.onnx else ""',
        "test_mlflow.py -k requires",
    ),
    Row("tracking/callback.py", "if name not in there}", "if name in there}", "test_mlflow.py -k tracked"),
    Row("tracking/pyfunc.py", "if problems:", "if not rows:", "test_mlflow.py -k all_invalid"),
    Row("drawing/page.py", "default-src 'none'; style-src", "style-src", "test_drawing.py"),
    Row("drawing/prediction.py", "percent(answer.probability)", "percent(1 - answer.probability)", "test_drawing.py"),
    Row("drawing/window.py", "first, last = int(", "last, first = int(", "test_drawing.py -k window"),
    Row("dropin/native.py", "first = 0 if prediction.no_answer else 1", "first = 0", "test_dropin.py -k no_answer"),
    Row(
        "dropin/native.py",
        "if parameters.handle_impossible_answer else NEVER",
        "",
        "test_dropin.py -k by_default",
    ),
    Row("dropin/legacy.py", 'same["score"] += score', 'same["score"] = score', "test_dropin.py -k compat"),
    Row("dropin/legacy.py", "if allowed[first] and allowed[last]:", "if allowed[first]:", "test_dropin.py -k compat"),
    Row("dropin/legacy.py", "null = min(null,", "null = max(null,", "test_dropin.py -k compat"),
    Row("lengths.py", "self._fits < tried < self._fails", "tried < self._fits", "test_dropin.py -k positions"),
    Row(
        "calibrating/operating_points.py",
        "hits >= precision * given",
        "hits <= precision * given",
        "test_operating_points.py",
    ),
    Row(
        "calibrating/operating_points.py",
        "(1.0 - unanswerable_share) / has.sum()",
        "unanswerable_share / has.sum()",
        "test_operating_points.py -k weights",
    ),
    Row(
        "calibrating/fit.py",
        "if not 0 < right_f1 <= 100:",
        "if not 0 <= right_f1 <= 900:",
        "test_calibration.py -k right_f1",
    ),
    Row("engine_benchmark.py", "if figures.problem is None}", "}", "test_engines.py -k best_available"),
    Row("engine_benchmark.py", "if runs_in(name,", "if not runs_in(name,", "test_engines.py -k measures"),
    Row("engine_benchmark.py", "if all(is_blank(", "if any(is_blank(", "test_engines.py -k blank_text"),
    Row("exporting/activations.py", "np.min([part.least", "np.max([part.least", "test_export.py -k range_of"),
    Row(
        "exporting/run.py", "if not difference <= PARITY:", "if difference > 9e9:", "test_export.py -k differ_too_much"
    ),
    Row("exporting/run.py", "if len(labelled) < least:", "if len(labelled) > least:", "test_export.py -k enough"),
    Row(
        "exporting/graph.py",
        "ids = random.integers(0, vocabulary,",
        "ids = random.integers(0, 1,",
        "test_export.py -k every_token",
    ),
    Row("training/sweep/table.py", "-(row.f1 or 0.0)", "(row.f1 or 0.0)", "test_sweep.py -k best"),
    Row(
        "training/sweep/run.py",
        'raise TrainingError(f"{self.out}: at',
        'raise SystemExit(f"{self.out}: at',
        "test_sweep.py -k all_fail",
    ),
    Row(
        "training/loss.py",
        "return -spans.logsumexp(-1) / 2",
        "return spans.logsumexp(-1) / 2",
        "test_training_steps.py -k loss",
    ),
    Row("training/loss.py", "/ 2 * _TEMPERATURE**2", "/ 2", "test_training_steps.py -k teacher"),
    Row("training/teacher.py", 'get("of") == name', 'get("of") != name', "test_training.py -k teacher"),
    Row(
        "reading/decode.py",
        "(margin := null_score - best.score) <= threshold:",
        "(margin := null_score - best.score) < threshold:",
        "test_reading_decode.py -k threshold",
    ),
    Row(
        "reading/probability.py",
        "return None if probability >= least else",
        "return None if probability < least else",
        "test_reading_decode.py -k min_prob",
    ),
    Row(
        "stream.py",
        "return batches_of(windows",
        "return batches_of(windows[:1]",
        "test_stream.py",
    ),
    Row("signals.py", "self.seen = number", "self.seen = 0", "test_tables_job.py -m long -k after_a_signal"),
    Row("inputs.py", "if question.strip() else", "if question else", "test_reader.py -k empty_question"),
    Row(
        "reader.py",
        "if min_probability is not None and null_threshold is not None:",
        "if False:",
        "test_reader.py -k exclude",
    ),
    Row("records.py", "None if self.no_answer or not self.answers", "None if not self.answers", "test_reader.py"),
)


def invert(row: Row, source: Path) -> None:
    """Invert the line in a copy of the package.

    Raises:
        SystemExit: If the file does not contain the line exactly once.
    """
    file = source / "quoth" / row.file
    text = file.read_text(encoding="utf-8")
    if text.count(row.line) != 1:
        sys.exit(f"{row.file}: must contain this once, but contains it {text.count(row.line)} times: {row.line}")
    file.write_text(text.replace(row.line, row.inverted), encoding="utf-8")


def outcome(row: Row) -> str:
    """Try a row; return ``noticed``, ``NOT NOTICED``, or ``NOT TRIED`` if its tests fail without the inversion."""
    if run_tests(row.tests, ROOT / "src") != 0:
        return "NOT TRIED"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        copytree(ROOT / "src", source, ignore=lambda *_: ["__pycache__"])
        invert(row, source)
        return "noticed" if run_tests.__wrapped__(row.tests, source) == 1 else "NOT NOTICED"


@cache
def run_tests(tests: str, source: Path) -> int:
    """Run tests with the package in a folder; return the exit status of pytest."""
    words = [f"tests/{word}" if word.endswith(".py") else word for word in tests.split()]
    words += [] if "-k" in words else ["-m", "not long"]  # a row that names a test may name a long one
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *words]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        print(f"pytest {tests}: more than {LIMIT_S} s", flush=True)
        return -1
    if done.returncode not in (0, 1):  # a test that does not exist, or cannot be imported
        print(f"pytest {tests}: exit status {done.returncode}\n{done.stdout.decode()[-500:]}", flush=True)
    return done.returncode


def main(texts: list[str]) -> int:
    """Try the rows and print the outcome of each."""
    rows = [row for row in ROWS if not texts or any(text in row.file for text in texts)]
    noticed = 0
    for row in rows:
        result = outcome(row)
        noticed += result == "noticed"
        print(f"{result:<11} {row.file}: {row.line} -> {row.inverted or '(removed)'}", flush=True)
    print(f"{noticed} of {len(rows)} lines noticed")
    return int(noticed < len(rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
