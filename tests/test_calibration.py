"""Calibration, thresholds and their fit, compared with plain loops, the official scorer and real tiny readers."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from quoth.calibrating import calibrate, fit
from quoth.calibrating.probability_fit import ODDS_SCALES, TEMPERATURES, fit_null, fit_probability
from quoth.data import read_examples, write_squad
from quoth.data.provenance import DataSet
from quoth.errors import ConfigError
from quoth.evaluation import evaluate, score
from quoth.evaluation.calibration import calibration_error, reliability, risk_coverage, risk_coverage_area
from quoth.evaluation.threshold import best_threshold, fit_threshold, threshold_at
from quoth.reader import Reader
from quoth.reading import Windower, WindowLogits, decode, log_shares, no_answer_probability, right_given_answerable
from quoth.records import Answer, Example, Gold, Prediction, Span
from quoth.store import ReaderFolder, ReaderSettings
from quoth.store.provenance import Used
from support import official_squad
from support.readers import KINDS, tiny_folder, tiny_layout, tiny_reader, tiny_tokenizer
from support.texts import few

LETTERS = "b c d e f g h i"
TEXT = "The keeper lit the lamp of Cabo Branco in 1972 and Ana Ribeiro wrote it down in the log of the tower"


def questions(count, unanswerable=0):
    """Return examples about one text, in five articles; golds are words of the text, and the last are unanswerable."""
    words = [word for word in TEXT.split() if word.lower() != "the"]  # which is no answer to SQuAD v2.0
    found = []
    for number in range(count):
        word = words[number % len(words)]
        golds = (Gold(word, TEXT.index(word)),) if number < count - unanswerable else ()
        context = f"{TEXT} {number} ."
        found.append(Example(f"q{number}", f"Which word {number} ?", context, golds, f"article {number % 5}"))
    return found


# --- calibration error and reliability


def test_bins_of_a_small_example():
    bins = reliability([0.0, 0.05, 0.1, 0.11, 1.0], [0, 1, 1, 0, 1], bins=10)
    assert [each.total for each in bins] == [3, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert (bins[0].probability, bins[0].accuracy) == (pytest.approx(0.05), pytest.approx(2 / 3))
    assert (bins[2].probability, bins[2].accuracy, bins[2].gap) == (None, None, 0.0)
    assert calibration_error(bins) == pytest.approx((3 * (2 / 3 - 0.05) + 0.11 + 0) / 5)


outcomes = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@given(outcomes)
def test_the_calibration_error_equals_its_definition(pairs):
    probabilities, events = zip(*pairs, strict=True)
    slow = 0.0
    for number in range(15):
        inside = [(p, e) for p, e in pairs if number / 15 < p <= (number + 1) / 15 or (number == 0 and p == 0.0)]
        slow += abs(sum(p for p, _ in inside) - sum(e for _, e in inside)) / len(pairs)
    found = reliability(probabilities, events)
    assert calibration_error(found) == pytest.approx(slow, abs=1e-12)
    assert sum(each.total for each in found) == len(pairs)


# --- risk and coverage


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.floats(0, 1)), min_size=1, max_size=40), st.randoms())
def test_risk_does_not_depend_on_the_order_of_equal_confidences(pairs, random):
    curve = risk_coverage(*zip(*pairs, strict=True))
    random.shuffle(pairs)
    assert risk_coverage(*zip(*pairs, strict=True)) == pytest.approx(curve)
    assert curve[-1] == pytest.approx(sum(risk for _, risk in pairs) / len(pairs))


def test_the_risk_coverage_area_of_a_small_example():
    assert risk_coverage([0.9, 0.8, 0.1], [0, 1, 1]).tolist() == pytest.approx([0, 1 / 2, 2 / 3])
    assert risk_coverage_area([0.1, 0.9, 0.8], [1, 0, 1]) == pytest.approx((0 + 1 / 2 + 2 / 3) / 3)
    assert risk_coverage_area([0.5, 0.5], [0, 1]) == 0.5


# --- the best threshold


@st.composite
def answered(draw):
    """Draw examples with correct, partly correct and missing answers, and with equal null odds."""
    examples, predictions = [], []
    for number in range(draw(st.integers(1, 15))):
        golds = draw(st.sampled_from([(), ("black cat",), ("cat", "the")]))
        text = draw(st.sampled_from(["black cat", "cat", "the", "dog", ""]))
        odds = draw(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.5]))
        answers = (Answer(text, Span(0, len(text)), 1.0, draw(st.floats(0, 1))),) if text else ()
        null_score = 1.0 + odds if text else None
        examples.append(Example(f"q{number}", "?", "x", tuple(Gold(gold, 0) for gold in golds)))
        predictions.append(Prediction(examples[-1], answers, null_score, not text))
    examples.append(Example("none", "?", "x", ()))
    predictions.append(Prediction(examples[-1], (Answer("dog", Span(0, 3), 0.0, 0.5),), 3.0, False))
    return examples, predictions


@given(answered())
def test_the_best_threshold_equals_the_official_one(case):
    examples, predictions = case
    dataset = [
        {"paragraphs": [{"qas": [{"id": each.id, "answers": [{"text": gold.text} for gold in each.golds]}]}]}
        for each in examples
    ]
    texts = {each.id: each.text for each in predictions}
    odds = {each.id: 1e9 if each.null_odds is None else each.null_odds for each in predictions}
    official = official_squad.find_all_best_thresh(dataset, texts, odds)
    ours = score(examples, predictions).to_dict()
    assert {key: ours[key] for key in official} == official


def test_without_null_scores_there_is_no_best_threshold():
    report = score([Example("1", "?", "x", ()), Example("2", "?", "x", (Gold("x", 0),))], {"1": "", "2": "x"})
    assert (report.best_f1, report.calibration) == (None, None)
    assert "best_f1" not in report.to_dict()


# --- the fit of the threshold

readings = st.lists(
    st.tuples(st.sampled_from([-1.5, -1.0, 0.0, 0.5, 2.0]), st.sampled_from([0.0, 0.4, 1.0]), st.booleans()),
    min_size=2,
    max_size=30,
).filter(lambda rows: len({has for *_, has in rows}) == 2)


def outcome(rows, threshold):
    """Return the mean F1 of both kinds and the loss on answerable questions, in points, computed row by row."""
    has = [0.0 if odds > threshold else f1 for odds, f1, answerable in rows if answerable]
    none = [1.0 if odds > threshold else 0.0 for odds, _, answerable in rows if not answerable]
    whole = [f1 for _, f1, answerable in rows if answerable]
    means = sum(has) / len(has), sum(none) / len(none)
    return 50 * sum(means), 100 * (sum(whole) - sum(has)) / len(has)


@given(readings, st.sampled_from([None, 0.0, 5.0, 40.0]))
def test_no_threshold_has_a_higher_f1_than_the_fitted_one(rows, max_cost):
    odds, f1, has = zip(*[(odds, f1 if answerable else 0.0, answerable) for odds, f1, answerable in rows], strict=True)
    found = fit_threshold(odds, f1, has, max_cost=max_cost)
    value = math.inf if found.threshold == "never" else found.threshold
    assert outcome(rows, value) == pytest.approx((found.f1, found.cost))
    assert outcome(rows, math.inf)[0] == pytest.approx(found.never_f1)
    limit = math.inf if max_cost is None else max_cost
    assert found.cost <= limit + 1e-9
    for other in (-math.inf, -1.2, -0.5, 0.2, 1.0, math.inf):
        total, cost = outcome(rows, other)
        if cost <= limit + 1e-9:
            assert total <= found.f1 + 1e-9
            if total == pytest.approx(found.f1):
                assert not any(value < each <= other for each in odds), "of equal ones, the one that abstains least"


@given(readings, st.sampled_from([-2.0, -1.2, 0.0, 0.7, 2.0, "never"]))
def test_the_metrics_at_a_given_threshold_equal_their_definition(rows, threshold):
    odds, f1, has = zip(*[(odds, f1 if answerable else 0.0, answerable) for odds, f1, answerable in rows], strict=True)
    found = threshold_at(odds, f1, has, threshold)
    value = math.inf if threshold == "never" else threshold
    assert (found.f1, found.cost) == pytest.approx(outcome(rows, value))
    assert found.never_f1 == pytest.approx(outcome(rows, math.inf)[0])
    assert found.declined == pytest.approx(
        sum(o > value for o, _, answerable in rows if not answerable) / sum(not answerable for *_, answerable in rows)
    )


def test_a_threshold_lies_between_two_questions():
    found = fit_threshold([-1.0, 0.0, 3.0, 4.0], [1, 1, 0, 0], [True, True, False, False])
    assert (found.threshold, found.f1, found.never_f1, found.kept, found.declined) == (1.5, 100.0, 50.0, 1.0, 1.0)
    assert fit_threshold([5.0, 4.0], [1.0, 0.0], [True, False], max_cost=0.0).threshold == "never"


def test_always_abstaining_is_fitted_if_it_is_best_within_the_cost():
    worthless = fit_threshold([0.0, 1.0, 2.0], [0.0, 0.0, 0.0], [False, True, True], max_cost=0.0)
    assert (worthless.threshold, worthless.f1, worthless.never_f1, worthless.cost) == (-1.0, 50.0, 0.0, 0.0)
    assert (worthless.kept, worthless.declined) == (0.0, 1.0)
    odds, f1, has = [0.0, 1.0, 2.0], [0.0, 0.4, 0.0], [False, True, True]
    assert fit_threshold(odds, f1, has, max_cost=20.0).threshold == -1.0
    assert fit_threshold(odds, f1, has, max_cost=19.0).threshold == "never"


@pytest.mark.parametrize(
    ("has", "cost", "message"),
    [
        ([True, True], None, "but none is unanswerable"),
        ([False, False], None, "but none is answerable"),
        ([True, False], -1.0, "max_cost must be at least 0"),
        ([True, False], math.nan, "max_cost must be at least 0"),
    ],
)
def test_invalid_arguments_of_a_fit_are_rejected(has, cost, message):
    with pytest.raises(ConfigError, match=message):
        fit_threshold([0.0, 1.0], [1.0, 0.0], has, max_cost=cost)


# --- the fit of a reader


@few
@given(
    st.sampled_from(KINDS),
    st.lists(st.sampled_from([0.25, 0.7, 1.0, 3.0, 50.0]), max_size=4),
    st.sampled_from([-2.0, 0.0, 0.3, 5.0]),
    st.sampled_from([0.5, 1.0, 8.0]),
)
def test_probabilities_equal_those_of_decode_at_every_temperature(kind, temperatures, threshold, scale):
    reader = tiny_reader(kind)
    stored = reader.settings.decode
    for example, windows in reader.read_all(questions(2)):
        odds = decode(example, windows, stored).null_odds
        shares = log_shares(windows, stored, temperatures)
        right = right_given_answerable(shares, scale)
        silence = no_answer_probability(right, (odds - threshold) / 3.0)
        changes = {"null_bias": threshold, "odds_scale": scale, "null_temperature": 3.0}
        settings = [stored.with_(temperature=temperature, **changes) for temperature in temperatures]
        for never, expected in ((True, right), (False, right * (1 - silence))):
            said = [
                decode(example, windows, each.with_(null_threshold="never" if never else threshold))
                for each in settings
            ]
            assert [each.answers[0].probability for each in said] == pytest.approx(list(expected))
            assert [each.null_probability for each in said] == pytest.approx(list(silence))


def test_nothing_to_quote_has_no_probability():
    reader = tiny_reader("wordpiece")
    (_, windows), *_ = reader.read_all([Example("1", "Who?", "   ")])
    assert log_shares(windows, reader.settings.decode, [1.0]) is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_metrics_of_a_fit_equal_those_of_evaluate(kind):
    examples = questions(40, unanswerable=15)
    reader = tiny_reader(kind)
    found = fit(reader, examples[:25], examples[25:])
    assert (found.questions, found.unanswerable) == (40, 15)
    before = evaluate(reader, examples[:25])
    assert before.calibration.error == pytest.approx(found.probability.ece_before)

    fitted = Reader(reader.tokenizer, reader.engine, found.settings(reader.settings))
    report = evaluate(fitted, examples)
    decode_settings = fitted.settings.decode.with_(null_threshold="never")
    never = Reader(reader.tokenizer, reader.engine, replace(fitted.settings, decode=decode_settings))
    assert evaluate(never, examples[:25]).calibration.error == pytest.approx(found.probability.ece_after)
    assert (report.has_answer.f1 + report.no_answer.f1) / 2 == pytest.approx(found.threshold.f1)
    assert report.no_answer.f1 == pytest.approx(100 * found.threshold.declined)
    assert evaluate(reader, examples[:25]).f1 - report.has_answer.f1 == pytest.approx(found.threshold.cost)


class Sampled:
    """A reader with random logits, and questions whose golds are drawn from its softmax at a given temperature."""

    def __init__(self, temperature, count, seed=0):
        self.settings = tiny_reader("wordpiece", max_answer_tokens=1).settings
        self._draw = np.random.default_rng(seed)
        self._temperature = temperature
        self.examples = [self._example(number) for number in range(count)]

    def _example(self, number):
        scores = 3 * self._draw.normal(size=len(LETTERS.split()))
        shares = np.exp(scores / self._temperature)
        start = 2 * int(self._draw.choice(len(shares), p=shares / shares.sum()))
        golds = (Gold(LETTERS[start], start),)
        return Example(str(number), "b", LETTERS, golds, f"article {number % 10}"), scores

    def read_all(self, examples):
        known = {example.id: scores for example, scores in self.examples}
        examples = list(examples)
        windower = Windower(tiny_tokenizer("wordpiece"), max_tokens=32, overlap=8)
        for example, (window,) in windower.each(examples):
            half = (known[example.id] / 2).astype(np.float32)
            yield example, [WindowLogits(window, half, half, null=-100.0)]


@pytest.mark.parametrize("temperature", [0.6, 1.7])
def test_the_true_temperature_is_recovered(temperature):
    reader = Sampled(temperature, 1000)
    assert [len(windows[0].start) for _, windows in reader.read_all([reader.examples[0][0]])] == [8]
    found = fit(reader, [example for example, _ in reader.examples]).probability
    assert found.temperature == pytest.approx(temperature, rel=0.2)
    assert found.odds_scale == pytest.approx(1, rel=0.5)
    # With a thousand answers in 15 bins, the error of a perfect reader is about 0.03.
    assert max(found.ece_after, found.ece_crossvalidated) < 0.05 < found.ece_before
    assert found.ece_after != found.ece_crossvalidated


def test_the_crossvalidated_error_uses_articles_outside_the_fit():
    """In one article of five all answers are right, in the others none, and the scores do not distinguish them."""
    articles = np.repeat(np.arange(5), 20)
    right = (articles == 0).astype(np.float64)
    shares = np.full((100, len(TEMPERATURES)), np.log(0.5))
    found, crossvalidated = fit_probability(shares, right, articles, np.full(100, 0.5), 1.0)
    assert len(crossvalidated) == 100
    low, high = found.odds_scale_interval
    assert low <= found.odds_scale <= high
    assert low < high / 2, "it depends on how often the one article is drawn"
    assert found.ece_after < 0.05  # 0.2 for all, as often as they are right
    assert found.ece_crossvalidated > 0.3  # 0 for the one, 0.25 for the others


def test_the_crossvalidated_error_of_no_answer_uses_articles_outside_the_fit():
    """In one article of five all questions are answerable, in the others none, and the scores do not differ."""
    articles = np.repeat(np.arange(5), 20)
    found, _ = fit_null(np.full(100, 0.5), np.full(100, 3.0), articles == 0, np.ones(100), articles)
    assert found.ece < 0.05  # 0.8 for all, as often as the text does not answer
    assert found.ece_crossvalidated > 0.3  # 1 for the one article, about 0.75 for the others


def test_without_titles_a_context_is_in_one_fold():
    reader = Sampled(0.6, 200)
    named = [example for example, _ in reader.examples]
    bare = [replace(each, context=LETTERS + number % 10 * " ", title="") for number, each in enumerate(named)]
    assert fit(reader, bare) == fit(reader, named)


@pytest.mark.parametrize("silent", [[], [Example("none", "Which ?", "", ())]])
def test_a_fit_uses_the_scoring_rules_of_the_report(silent):
    """Golds and answers are empty after normalization: an exact match by the rules of v1.1, but not of v2.0."""
    reader = tiny_reader("wordpiece")
    golds = (Gold("cat", 0), Gold("The", 0))
    examples = [Example(f"q{n}", "Which ?", f"The . {n * 'a '}", golds, f"a{n}") for n in range(6)]
    found = fit(reader, examples, silent).probability
    report = evaluate(reader, [*examples, *silent])
    assert report.has_answer.exact == (0 if silent else 100)
    assert found.ece_before == pytest.approx(report.calibration.error)


def test_right_f1_below_1_accepts_inexact_answers():
    examples = [Example(f"q{n}", "Which ?", TEXT, (Gold(TEXT, 0),), f"a{n}") for n in range(6)]
    reader = tiny_reader("wordpiece")
    exact, lenient = fit(reader, examples).probability, fit(reader, examples, right_f1=1e-7).probability
    assert (exact.right_f1, lenient.right_f1) == (100.0, 1e-7)
    assert exact.ece_before != lenient.ece_before
    for right_f1 in (0.0, 100.1):
        with pytest.raises(ConfigError, match="right_f1 must be above 0 and at most 100"):
            fit(reader, examples, right_f1=right_f1)


def test_a_fit_needs_answerable_questions():
    with pytest.raises(ConfigError, match="at least one answerable question to fit probabilities"):
        fit(tiny_reader("wordpiece"), questions(3, unanswerable=3))


def test_temperatures_are_evenly_spaced():
    assert (TEMPERATURES[0], TEMPERATURES[-1]) == (0.25, 4.0)
    assert 1.0 in TEMPERATURES
    assert 1.0 in ODDS_SCALES


# --- the command


@pytest.fixture
def files(tmp_path):
    """A reader folder with a manifest, data and pairs."""
    folder = tiny_folder("wordpiece", tmp_path / "reader")
    ReaderFolder.open_unchecked(folder).write_manifest(ReaderSettings(48, 16), {"precision": "float32", "seed": 3})
    examples = questions(30, unanswerable=10)
    write_squad(examples[:20], tmp_path / "data.json")
    write_squad(examples[20:], tmp_path / "pairs.json")
    return folder, tmp_path / "data.json", tmp_path / "pairs.json"


def test_calibrate_stores_the_fitted_values(quoth, files):
    folder, data, pairs = files
    status, out, err = quoth("calibrate", folder, "--data", data, "--unanswerable", pairs, "--max-cost", "1")
    assert (status, out) == (0, f"{folder}\n")
    assert "Temperature " in err
    assert "Null threshold " in err
    manifest = json.loads((folder / "quoth.json").read_text(encoding="utf-8"))
    found = manifest["calibration"]
    assert manifest["decode"]["temperature"] == found["probability"]["temperature"] != 1.0
    assert manifest["decode"]["odds_scale"] == found["probability"]["odds_scale"]
    assert manifest["decode"]["null_threshold"] == found["null_threshold"]["threshold"]
    assert (found["data"], found["pairs"], found["questions"], found["unanswerable"]) == (
        "data.json",
        "pairs.json",
        30,
        10,
    )
    assert (manifest["seed"], manifest["windows"]["max_tokens"]) == (3, 48)
    assert found["null_threshold"]["cost"] <= 1
    assert f"{found['null_threshold']['threshold']}" in (folder / "README.md").read_text(encoding="utf-8")
    assert Reader.load(folder, threads=1).settings.decode.temperature == found["probability"]["temperature"]


def test_calibrate_stores_a_given_threshold_and_reports_on_a_given_probability(quoth, files, tmp_path):
    folder, data, pairs = files
    words = ("calibrate", folder, "--data", data, "--unanswerable", pairs)
    status, _, err = quoth(*words, "--null-threshold", "-3.5", "--min-probability", "0.2", "-o", tmp_path / "fixed")
    assert status == 0, err
    assert "Null threshold -3.500 " in err
    assert "At --min-probability 0.2: " in err
    found = json.loads((tmp_path / "fixed" / "quoth.json").read_text(encoding="utf-8"))
    assert found["decode"]["null_threshold"] == found["calibration"]["null_threshold"]["threshold"] == -3.5
    assert found["decode"]["null_bias"] == -3.5, "there, no answer and the best answer are equally probable"
    point = found["calibration"]["chosen_point"]
    reader, examples = Reader.load(tmp_path / "fixed", threads=1), [*read_examples(data), *read_examples(pairs)]
    given = [p for p in reader.answer_all(examples, min_probability=0.2) if p.best]
    answerable = sum(bool(each.golds) for each in examples)
    weight = {True: 0.5 / answerable, False: 0.5 / (len(examples) - answerable)}
    assert point["answered"] == pytest.approx(sum(weight[bool(p.example.golds)] for p in given))
    status, _, err = quoth(*words, "--null-threshold", "0", "--max-cost", "1")
    assert status == 2 or status == 1
    assert "max_cost" in err


@pytest.mark.torch
def test_calibrate_prints_confidence_intervals(quoth, files, tmp_path):
    folder, data, pairs = files
    plot = tmp_path / "few.svg"
    status, _, err = quoth("calibrate", folder, "--data", data, "--unanswerable", pairs, "--plot", plot)
    found = json.loads((folder / "quoth.json").read_text(encoding="utf-8"))["calibration"]
    low, high = found["probability"]["temperature_interval"]
    assert low <= found["probability"]["temperature"] <= high
    low, high = found["null_threshold_interval"]
    assert f"Null threshold {found['null_threshold']['threshold']:.3f} [{low:.2f}, {high:.2f}]:" in err
    assert low <= found["null_threshold"]["threshold"] <= high
    assert status == 0
    assert "Warning: fitted on 20 answerable questions" in err
    assert "only 20 questions:" in plot.read_text(encoding="utf-8")


@pytest.mark.filterwarnings("always::quoth.errors.OverlapWarning")
def test_calibrate_stores_its_data_and_warns_of_overlap(quoth, files, tmp_path):
    folder, data, pairs = files
    assert "warning" not in quoth("calibrate", folder, "--data", data)[2]
    assert "warning" not in quoth("calibrate", folder, "--data", data)[2], "again is no second use"
    written = json.loads((folder / "quoth.json").read_text(encoding="utf-8"))["data"]
    assert [(each["role"], each["name"]) for each in written] == [("calibrating", "data.json")]
    _, out, err = quoth("evaluate", data, "--reader", folder, "--json")
    assert (
        "data.json: 20 of 20 questions are in data.json, on which the probabilities of this reader were fitted" in err
    )
    assert json.loads(out)["seen_before"] == [err.strip().removeprefix("quoth: warning: ")]
    assert "warning" not in quoth("evaluate", pairs, "--reader", folder)[2]
    ReaderFolder.open(folder).with_settings(
        ReaderSettings(48, 16), {}, used=[Used("training", DataSet.of(str(data), read_examples(data)))]
    )
    _, _, err = quoth("calibrate", folder, "--data", data, "-o", tmp_path / "copy")
    assert (
        "data.json: 20 of 20 questions are in data.json, which this reader was trained on; probabilities fitted" in err
    )
    assert [each.role for each in Reader.load(tmp_path / "copy", threads=1).made_from] == ["training", "calibrating"]


def test_the_shipped_reader_is_calibrated_into_a_new_folder(quoth, files, tmp_path):
    _, data, _ = files
    status, _, err = quoth("calibrate", "shipped", "--data", data)
    assert (
        status,
        "shipped is not a folder, so the calibrated copy must be written to a new one: --out DIR" in err,
    ) == (
        2,
        True,
    )


def test_calibrate_can_write_to_a_new_folder(quoth, files, tmp_path):
    folder, data, _ = files
    (folder / "README.md").write_text("My own words.", encoding="utf-8")
    before = (folder / "quoth.json").read_bytes()
    status, out, _ = quoth("calibrate", folder, "--data", data, "-o", tmp_path / "new", "--json")
    document = json.loads(out)
    assert (status, document["folder"], document["null_threshold"]) == (0, str(tmp_path / "new"), None)
    assert (folder / "quoth.json").read_bytes() == before
    assert (tmp_path / "new" / "README.md").read_text(encoding="utf-8") == "My own words."
    assert Reader.load(tmp_path / "new", threads=1).settings.decode.null_threshold == "never"
    status, _, err = quoth("calibrate", folder, "--data", data, "-o", tmp_path / "new")
    assert status == 2
    assert "must be a new or empty folder" in err


def test_calibrate_is_also_a_function(quoth, files, tmp_path):
    folder, data, pairs = files
    seen = []
    examples, unanswerable = read_examples(data, places=False), read_examples(pairs, places=False)
    result = calibrate(
        folder, examples, unanswerable=unanswerable, out=tmp_path / "new", progress=lambda *counts: seen.append(counts)
    )
    assert seen == [(number, 30) for number in range(1, 31)]
    assert (result.folder, result.data, result.pairs, result.fit.questions) == (tmp_path / "new", None, None, 30)
    quoth("calibrate", folder, "--data", data, "--unanswerable", pairs)
    theirs, ours = (
        json.loads((each / "quoth.json").read_text(encoding="utf-8")) for each in (folder, tmp_path / "new")
    )
    assert theirs["calibration"] == {**ours["calibration"], "data": "data.json", "pairs": "pairs.json"}
    assert (theirs["decode"], theirs["calibration"]["max_cost"]) == (ours["decode"], None)


def test_calibrate_keeps_weights_in_a_sub_folder(quoth, files, tmp_path):
    _, data, _ = files
    folder = tiny_layout("sub-folder", tmp_path / "plain")
    status, *_ = quoth("calibrate", folder, "--data", data, "-o", tmp_path / "new")
    assert status == 0
    assert (tmp_path / "new" / "onnx" / "model.onnx").read_bytes() == (folder / "onnx" / "model.onnx").read_bytes()
    assert Reader.load(tmp_path / "new", threads=1).settings.decode.temperature != 1.0


def test_evaluate_prints_the_calibration(quoth, files, tmp_path):
    folder, *_ = files
    write_squad(questions(30, unanswerable=10), tmp_path / "both.json")
    words = ("evaluate", tmp_path / "both.json", "--reader", folder)
    _, out, _ = quoth(*words, "--json")
    document = json.loads(out)
    assert 0 <= document["ece"] <= 1
    assert len(document["reliability"]) == 15
    assert document["best_f1"] >= document["f1"]
    assert {"HasAns_f1", "NoAns_f1", "aurc_exact", "aurc_f1", "aurc_f1_by_null_odds"} <= document.keys()
    _, out, _ = quoth(*words)
    assert f"expected calibration error {document['ece']:.3f}" in out
    assert f"F1 {document['best_f1']:.2f} at {document['best_f1_thresh']:.2f}" in out


@pytest.mark.torch  # of all that make test-base does without, matplotlib
def test_the_reliability_plot_is_drawn(quoth, files, tmp_path):
    folder, data, _ = files
    for name, magic in [("plot.svg", b"<?xml"), ("plot.png", b"\x89PNG")]:
        status, _, err = quoth("evaluate", data, "--reader", folder, "--plot", tmp_path / name)
        assert (status, err) == (0, f"measured at null threshold never\nReliability diagram: {tmp_path / name}\n")
        assert (tmp_path / name).read_bytes().startswith(magic)
    assert b"probability" in (tmp_path / "plot.svg").read_bytes()
    status, _, err = quoth("evaluate", data, "--reader", folder, "--plot", tmp_path / "plot.txt")
    assert status == 2
    assert "must end in .svg, .png, .pdf" in err


def test_a_reader_whose_best_threshold_is_stored_has_the_score_even_if_it_always_abstains():
    odds, f1, has = [-3.0, -1.0, 2.0], [0.0, 0.0, 0.0], [True, False, False]
    best = best_threshold(odds, f1, has)
    assert (best.threshold, str(best)) == (0.0, "66.67 by always abstaining")
    stored = threshold_at(odds, f1, has, best.usable, unanswerable_share=2 / 3)
    assert stored.f1 == pytest.approx(best.value)


def test_the_best_threshold_without_unanswerable_questions():
    assert best_threshold([1.0, 2.0], [0.0, 0.0], [True, False]).threshold == 0.0


@pytest.mark.torch  # of all that make test-base does without, matplotlib
def test_a_plot_in_a_missing_folder_is_rejected_before_reading(files, tmp_path):
    from quoth.evaluation.plots import check_plot

    with pytest.raises(ConfigError, match=r"plot\.svg: the folder of the file must exist, but does not"):
        check_plot(tmp_path / "no" / "plot.svg")
    assert check_plot(tmp_path / "plot.svg") == tmp_path / "plot.svg"


@pytest.mark.torch  # of all that make test-base does without, matplotlib
def test_a_missing_plot_is_noted(quoth, files, tmp_path):
    folder, *_ = files
    write_squad([Example("1", "Who?", "  ", ())], tmp_path / "blank.json")
    status, _, err = quoth("evaluate", tmp_path / "blank.json", "--reader", folder, "--plot", tmp_path / "plot.svg")
    assert (status, err) == (0, "measured at null threshold never\nNo plot: no labelled question has a text.\n")
    assert not (tmp_path / "plot.svg").exists()
