"""The metrics of an evaluation during training, and the best null threshold."""

from __future__ import annotations

from quoth.evaluation import Report


def dev_metrics(report: Report) -> dict[str, float]:
    """Return the metrics of one evaluation, with the names that Trainer's callbacks expect.

    A model in training has no null threshold yet, and without one it never abstains. So if dev has unanswerable
    questions, exact match and F1 are those at the best thresholds, computed as in the official scorer. They select the
    best checkpoint.

    Args:
        report: The report on the dev questions, answered without abstaining.

    Returns:
        ``eval_exact`` and ``eval_f1``, in [0, 100], and ``eval_questions``. With unanswerable questions also
        ``eval_null_threshold`` (the one with the best F1), ``eval_has_answer_f1`` and ``eval_no_answer_f1`` at this
        threshold, and ``eval_never_f1``, the F1 without abstaining.
    """
    metrics = {"eval_exact": report.exact, "eval_f1": report.f1, "eval_questions": float(report.total)}
    if not (report.best_f1 and report.best_exact and report.has_answer and report.no_answer):
        return metrics
    threshold = report.best_f1.usable
    answered = {row.id: row.confidence.null_odds <= threshold for row in report.rows if row.confidence}
    answerable = [row.f1_share * answered.get(row.id, False) for row in report.has_answer.rows]
    unanswerable = [float(not answered.get(row.id, False)) for row in report.no_answer.rows]
    return metrics | {
        "eval_exact": report.best_exact.value,
        "eval_f1": report.best_f1.value,
        "eval_never_f1": report.f1,
        "eval_null_threshold": threshold,
        "eval_has_answer_f1": 100.0 * sum(answerable) / len(answerable),
        "eval_no_answer_f1": 100.0 * sum(unanswerable) / len(unanswerable),
    }
