"""Training on a CPU with an encoder of a few thousand weights: real runs of seconds."""

import contextlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quoth.errors import ConfigError, OverlapWarning, TrainingError, TrainingStoppedError
from quoth.reading import Tokenizer, WindowBatch, Windower
from quoth.records import Gold
from quoth.store import ReaderFolder, ReaderSettings
from support import towns
from support.readers import tiny_folder

# The tiny encoders are evaluated on their training data.
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::quoth.errors.OverlapWarning")]
TINY = Path(__file__).parent / "tiny"


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    return towns.base(tmp_path_factory.mktemp("base"), TINY / "wordpiece")


def run(base, out, data=None, **settings):
    from quoth.training import train

    settings = {
        "base": str(base),
        "max_tokens": 64,
        "overlap": 16,
        "batch_size": 8,
        "epochs": 1.0,
        "precision": "float32",
        "tracking": False,
        "threads": 1,
        **settings,
    }
    return train(towns.examples(64) if data is None else data, out=out, **settings)


@pytest.fixture(scope="session")
def learned(base, tmp_path_factory):
    """A run that is long enough to memorize the data, with several evaluations."""
    out = tmp_path_factory.mktemp("learned") / "reader"
    return run(base, out, epochs=20.0, learning_rate=3e-3, dev=towns.examples(64), eval_steps=50)


def weights(folder):
    from safetensors.numpy import load_file

    return load_file(Path(folder) / "model.safetensors")


def test_training_lowers_the_loss_and_keeps_the_best_weights(learned):
    assert learned.f1 > 60
    history = json.loads((learned.folder / "history.json").read_text())
    losses = [row["loss"] for row in history if "loss" in row]
    assert losses[-1] < losses[0] / 2
    f1s = [row["eval_f1"] for row in history if "eval_f1" in row]
    assert len(f1s) >= 3
    assert learned.f1 == max(f1s), "the best weights are kept, not the last"


def test_the_folder_reproduces_the_scores_of_training(learned):
    import quoth

    report = quoth.evaluate(quoth.Reader.load(learned.folder), towns.examples(64))
    assert report.f1 == pytest.approx(learned.f1, abs=1e-6)
    manifest = json.loads((learned.folder / "quoth.json").read_text())
    assert manifest["scores"]["dev"]["f1"] == pytest.approx(learned.f1)
    assert manifest["trained_on"]["config"]["seed"] == 0
    assert manifest["trained_on"]["questions"] == 64
    card = (learned.folder / "README.md").read_text()
    assert f"F1 {learned.f1:.2f} on 64 questions" in card
    assert "64 questions, " in card


def test_the_base_is_not_read_again_after_the_training(base, tmp_path):
    """It may be on a hub that cannot be reached hours later."""
    own = shutil.copytree(base, tmp_path / "base")
    result = run(own, tmp_path / "out", max_steps=1, progress=lambda now: now.step and shutil.rmtree(own, True))
    assert not own.exists()
    assert (result.folder / "tokenizer_config.json").is_file()


def test_a_run_reports_progress_and_precision(base, tmp_path):
    told = []
    run(base, tmp_path / "out", max_steps=6, dev=towns.examples(8), eval_steps=3, progress=told.append)
    assert [now.step for now in told] == [0, 1, 2, 3, 3, 4, 5, 6, 6], "after each step and each evaluation"
    assert {(now.steps, now.precision) for now in told} == {(6, "float32")}
    assert [now.evaluated for now in told] == [0, 0, 0, 0, 3, 3, 3, 3, 6]
    assert str(told[1]).startswith("step 1 of 6 in float32")
    assert "dev at step 3: EM" in str(told[4])
    assert told[-1].seconds_left == 0


def test_transformers_loads_the_folder(learned):
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    model = AutoModelForQuestionAnswering.from_pretrained(learned.folder)
    tokenizer = AutoTokenizer.from_pretrained(learned.folder)
    output = model(**tokenizer("Where does Ada live ?", "Ada lives in Rome .", return_tensors="pt"))
    assert output.start_logits.shape == output.end_logits.shape


def test_one_step_moves_every_parameter(base, tmp_path):
    from transformers import AutoModelForQuestionAnswering

    result = run(base, tmp_path / "out", max_steps=1, learning_rate=1e-2, warmup=0.0)
    before = AutoModelForQuestionAnswering.from_pretrained(base).state_dict()
    after = weights(result.folder)
    still = [
        name
        for name, value in after.items()
        if "qa_outputs" not in name and np.array_equal(value, before[name].numpy())
    ]
    # The bias of the keys shifts all scores of a query equally, so its gradient is zero except for rounding.
    assert [name for name in still if "key.bias" not in name] == []


def test_gradients_are_clipped(base, tmp_path):
    """After one step, AdamW's first moment is a tenth of the gradient."""
    from safetensors.numpy import load_file

    norms = []
    for name, norm in (("free", 1e6), ("clipped", 0.01)):
        run(base, tmp_path / name, max_steps=1, max_grad_norm=norm)
        moments = load_file(tmp_path / name / "checkpoints" / "checkpoint-1" / "optimizer.safetensors")
        first = [value for key, value in moments.items() if key.endswith("/exp_avg")]
        norms.append(10 * float(np.sqrt(sum(np.square(value).sum() for value in first))))
    assert norms[0] > 0.1
    assert norms[1] == pytest.approx(0.01, rel=1e-3)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(base, tmp_path):
    first, second, other = (
        weights(run(base, tmp_path / name, max_steps=4, seed=seed).folder)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


def test_a_resumed_run_ends_with_the_same_weights(base, tmp_path):
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        def on_save(self, args, state, control, **_):
            if state.global_step == 4:
                raise KeyboardInterrupt

    settings = {"epochs": 1.0, "save_steps": 2, "hidden_dropout": 0.1}
    whole = weights(run(base, tmp_path / "whole", **settings).folder)
    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "cut", callbacks=[Stop()], **settings)
    cut = weights(run(base, tmp_path / "cut", resume=True, **settings).folder)
    assert all(np.array_equal(whole[name], cut[name]) for name in whole)


def test_an_incomplete_checkpoint_is_not_resumed(base, tmp_path):
    from quoth.training.checkpoints import MANIFEST, newest_checkpoint

    run(base, tmp_path / "out", save_steps=2, keep_checkpoints=3)
    checkpoints = tmp_path / "out" / "checkpoints"
    newest = newest_checkpoint(checkpoints)
    steps = sorted(int(path.name.rpartition("-")[2]) for path in checkpoints.iterdir())
    assert newest.name == f"checkpoint-{steps[-1]}"
    (newest / MANIFEST).unlink()
    assert newest_checkpoint(checkpoints).name == f"checkpoint-{steps[-2]}"


def test_two_runs_in_one_folder_are_rejected(base, tmp_path):
    run(base, tmp_path / "out", max_steps=1)
    with pytest.raises(TrainingError, match="already contains a run"):
        run(base, tmp_path / "out", max_steps=1)
    with pytest.raises(TrainingError, match="another configuration: max_steps was 1 and is 2"):
        run(base, tmp_path / "out", max_steps=2, resume=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("dear diary")
    with pytest.raises(TrainingError, match="contains other files"):
        run(base, tmp_path / "mine")


def test_early_stopping_on_f1(base, tmp_path):
    result = run(
        base, tmp_path / "out", epochs=50.0, learning_rate=1e-9, dev=towns.examples(8), eval_steps=2, patience=2
    )
    history = json.loads((result.folder / "history.json").read_text())
    assert max(row["step"] for row in history) <= 8


@pytest.mark.parametrize(
    ("data", "settings", "error", "words"),
    [
        ([], {}, TrainingError, "at least one question"),
        ([replace(towns.examples(1)[0], golds=None)], {}, TrainingError, "unlabelled"),
        (
            None,
            {"base": "no/such/folder"},
            TrainingError,
            "no/such/folder: cannot load this base; it must be a model",
        ),
        (None, {"max_tokens": 4, "overlap": 0}, ConfigError, "max_tokens must be at least"),
        (None, {"precision": "float16"}, ConfigError, "float32 or bfloat16"),
    ],
    ids=["empty", "unlabelled", "no base", "small window", "float16"],
)
def test_a_run_that_cannot_start_reports_the_reason(base, tmp_path, data, settings, error, words):
    with pytest.raises(error, match=words):
        run(settings.pop("base", base), tmp_path / "out", data=data, **settings)
    assert not (tmp_path / "out").exists(), "a run that did not start leaves nothing behind"


def test_a_diverging_loss_stops_the_run_before_saving(base, tmp_path):
    from quoth.training.checkpoints import newest_checkpoint

    with pytest.raises(TrainingError, match=r"the loss diverged: .* lower learning_rate \(it is 1000\)"):
        run(base, tmp_path / "out", epochs=9.0, learning_rate=1e3, save_steps=8)
    assert newest_checkpoint(tmp_path / "out" / "checkpoints") is None
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_a_checkpoint_of_another_run_is_rejected(base, tmp_path):
    """The configuration in the checkpoint counts, even if run.json was edited."""
    run(base, tmp_path / "out", max_steps=4, save_steps=2)
    file = tmp_path / "out" / "run.json"
    file.write_text(file.read_text().replace('"max_steps": 4', '"max_steps": 6'))
    with pytest.raises(TrainingError, match="checkpoint-4: checkpoint of another configuration: max_steps was 4"):
        run(base, tmp_path / "out", max_steps=6, save_steps=2, resume=True)


def test_a_run_is_resumed_only_with_the_same_data(base, tmp_path):
    run(base, tmp_path / "out", max_steps=4, save_steps=2)
    file = tmp_path / "out" / "checkpoints" / "checkpoint-4"
    with pytest.raises(TrainingError, match=r"checkpoint-4: the data must be the same as before \(76 windows\)"):
        run(base, tmp_path / "out", data=towns.examples(64, seed=9), max_steps=4, save_steps=2, resume=True)
    assert file.is_dir()


def test_a_run_is_resumed_only_with_the_same_step_size(base, tmp_path):
    import hashlib

    run(base, tmp_path / "out", max_steps=4)
    folder = tmp_path / "out" / "checkpoints" / "checkpoint-4"
    # As two processes leave it.
    state = (folder / "state.json").read_text().replace('"step_windows": 8', '"step_windows": 16').encode()
    (folder / "state.json").write_bytes(state)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["state.json"] = hashlib.sha256(state).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(TrainingError, match=r"each step must have 16 windows, but would have 8 with 1 process\. Use"):
        run(base, tmp_path / "out", max_steps=4, resume=True)


def test_epochs_are_saved_without_an_evaluation(base, tmp_path):
    run(base, tmp_path / "out", epochs=2.0, save_steps=6, keep_checkpoints=9)
    saved = {path.name for path in (tmp_path / "out" / "checkpoints").iterdir()}
    assert saved == {f"checkpoint-{step}" for step in (6, 10, 12, 18, 20)}


def test_windows_longer_than_the_model_are_rejected(tmp_path):
    short = towns.base(tmp_path / "short", TINY / "wordpiece", positions=48)
    with pytest.raises(ConfigError, match=r"max_tokens must be at most 48 for .*short, but is 64"):
        run(short, tmp_path / "out")


def test_the_accumulation_setting_of_accelerate_is_ignored(base, tmp_path, monkeypatch):
    plain = weights(run(base, tmp_path / "plain", max_steps=2).folder)
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    other = weights(run(base, tmp_path / "other", max_steps=2).folder)
    assert all(np.array_equal(plain[name], other[name]) for name in plain)


def test_a_different_number_of_threads_causes_a_warning(base, tmp_path, caplog):
    run(base, tmp_path / "out", max_steps=2, threads=1)
    run(base, tmp_path / "out", max_steps=2, threads=2, resume=True)
    assert "not be bit-identical to an uninterrupted run: threads was 1 and is 2" in caplog.text


def test_a_slow_precision_causes_a_warning(caplog):
    from quoth.training.device import choose_precision

    assert choose_precision("bfloat16") == "bfloat16"
    assert ("no native bfloat16" in caplog.text) == (choose_precision("auto") == "float32")
    caplog.clear()
    choose_precision("float32")
    assert caplog.text == ""


def test_a_finished_run_is_not_trained_again(base, tmp_path):
    settings = {"epochs": 50.0, "learning_rate": 1e-9, "dev": towns.examples(8), "eval_steps": 2, "patience": 2}
    before = weights(run(base, tmp_path / "out", **settings).folder)
    told = []
    after = weights(run(base, tmp_path / "out", resume=True, progress=told.append, **settings).folder)
    assert told == []
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_signal_during_the_last_evaluation_is_not_lost(base, tmp_path):
    import signal

    from transformers import TrainerCallback

    class Tell(TrainerCallback):
        def on_evaluate(self, args, state, control, **_):
            if state.global_step:
                signal.raise_signal(signal.SIGTERM)

    settings = {"max_steps": 3, "dev": towns.examples(8)}
    whole = run(base, tmp_path / "whole", **settings)
    with pytest.raises(
        TrainingStoppedError, match="stopped by SIGTERM after step 3 of 3; a checkpoint was saved"
    ) as stopped:
        run(base, tmp_path / "cut", callbacks=[Tell()], **settings)
    assert stopped.value.signal == signal.SIGTERM
    assert not (tmp_path / "cut" / "model.safetensors").exists()
    cut = run(base, tmp_path / "cut", resume=True, **settings)
    assert (cut.f1, cut.step) == (whole.f1, whole.step)


def test_dev_is_evaluated_before_the_first_step(base, tmp_path):
    result = run(base, tmp_path / "out", max_steps=3, dev=towns.examples(8))
    history = json.loads((result.folder / "history.json").read_text())
    first, last = (row for row in history if "eval_f1" in row)
    assert (first["step"], last["step"], result.step) == (0, 3, 3)
    assert result.before == first["eval_f1"]
    assert result.scores["loss"] == last["eval_loss"] != first["eval_loss"]


def test_the_dev_loss_is_the_training_loss_of_dev(base, tmp_path):
    dev = towns.examples(8)
    # One step over all windows, whose loss is computed before the step.
    result = run(base, tmp_path / "out", data=dev, dev=dev, max_steps=1, hidden_dropout=0.0, attention_dropout=0.0)
    history = json.loads((result.folder / "history.json").read_text())
    trained = next(row["loss"] for row in history if "loss" in row)
    assert next(row["eval_loss"] for row in history if "eval_loss" in row) == pytest.approx(trained, abs=1e-5)


def test_a_signal_aborts_an_evaluation(base, tmp_path):
    import signal

    from transformers import TrainerCallback

    class Tell(TrainerCallback):
        def on_save(self, args, state, control, **_):
            if state.global_step == 3:
                signal.raise_signal(signal.SIGTERM)

    settings = {"max_steps": 6, "eval_steps": 3, "dev": towns.examples(8)}
    whole = run(base, tmp_path / "whole", **settings)
    with pytest.raises(TrainingStoppedError, match="stopped by SIGTERM after step 3 of 6; a checkpoint was saved"):
        run(base, tmp_path / "cut", callbacks=[Tell()], **settings)
    state = json.loads((tmp_path / "cut" / "checkpoints" / "checkpoint-3" / "state.json").read_text())
    assert [row["step"] for row in state["trainer"]["log_history"] if "eval_f1" in row] == [0]
    cut = run(base, tmp_path / "cut", resume=True, **settings)
    assert (cut.f1, cut.step) == (whole.f1, whole.step)
    assert all(np.array_equal(value, weights(whole.folder)[name]) for name, value in weights(cut.folder).items())


def test_a_kill_while_the_configuration_is_written_does_not_block_a_new_run(base, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".run.json.part").write_text('{"base": "sh')
    assert run(base, tmp_path / "out", max_steps=1, resume=True).step == 1


@pytest.mark.long
def test_the_moving_average_becomes_the_reader(base, tmp_path):
    import quoth

    dev = towns.examples(40, seed=1)
    settings = {"epochs": 6.0, "learning_rate": 2e-3, "dev": dev, "eval_steps": 24}
    averaged = run(base, tmp_path / "averaged", average=0.9, **settings)
    plain = run(base, tmp_path / "plain", **settings)
    assert any(
        not np.array_equal(weights(plain.folder)[name], value) for name, value in weights(averaged.folder).items()
    )
    report = quoth.evaluate(quoth.Reader.load(averaged.folder), dev)
    assert report.f1 == pytest.approx(averaged.f1, abs=1e-6), "what is written is what was evaluated"


def mixed_towns(count):
    """Return equally many answerable and unanswerable questions; the latter ask for a name that is not in the text."""
    answerable = towns.examples(count)
    return [
        *answerable,
        *(replace(each, id=f"{each.id}-not", question="Where does Zoe live ?", golds=()) for each in answerable),
    ]


@pytest.mark.long
def test_a_reader_trained_on_unanswerable_questions_abstains(base, tmp_path):
    import quoth

    examples = mixed_towns(32)
    result = run(base, tmp_path / "out", data=examples, dev=examples, epochs=30.0, learning_rate=2e-3, eval_steps=1000)
    reader = quoth.Reader.load(result.folder)
    assert reader.settings.decode.null_threshold == result.scores["null_threshold"]
    report = quoth.evaluate(reader, examples)
    assert report.f1 == pytest.approx(result.f1, abs=1e-6), "what is written is what was selected"
    assert report.has_answer.f1 == pytest.approx(result.scores["HasAns_f1"], abs=1e-6)
    assert report.no_answer.f1 == pytest.approx(result.scores["NoAns_f1"], abs=1e-6)
    assert report.no_answer.f1 > 60
    assert result.scores["never_f1"] <= 50
    scores = json.loads((result.folder / "quoth.json").read_text(encoding="utf-8"))["scores"]["dev"]
    assert scores == dict(result.scores)


def test_a_reader_that_should_always_abstain_does(base, tmp_path):
    import quoth

    examples = [*towns.examples(8), *(replace(each, id=f"{each.id}-not", golds=()) for each in towns.examples(16))]
    result = run(base, tmp_path / "out", data=examples, dev=examples, max_steps=1)
    assert result.scores["NoAns_f1"] == 100  # after one step, nothing else is as good
    report = quoth.evaluate(quoth.Reader.load(result.folder), examples)
    assert report.f1 == pytest.approx(result.f1, abs=1e-6)


@pytest.mark.long
def test_train_ends_with_the_report_of_evaluate_and_the_learning_curve(base, tmp_path, quoth):
    from quoth.data import write_squad

    write_squad(mixed_towns(32), tmp_path / "data.json")
    words = ["train", "data.json", "--dev", "data.json", "--base", base, "--max-tokens", 64, "--overlap", 16]
    words += ["--batch-size", 8, "--epochs", 4, "--eval-steps", 6, "--learning-rate", 2e-3, "--precision", "float32"]
    words += ["--no-tracking", "--out", "mine", "--html", "train.html"]
    with contextlib.chdir(tmp_path):
        status, _, err = quoth(*words)
        assert (status, "Report: train.html" in err) == (0, True), err
        status, _, err = quoth("evaluate", "data.json", "--reader", "mine", "--html", "evaluate.html")
        assert status == 0, err
    pages = [(tmp_path / name).read_text(encoding="utf-8") for name in ("train.html", "evaluate.html")]
    assert pages[0] == pages[1]
    assert "The scores on the development data" in pages[0]
    assert "by which this reader was chosen among the checkpoints" in pages[0]
    assert pages[0].count("<svg") == 5


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "--html reports on the data of --dev: give both"),
        (["--dev", "r.html"], "--dev and --html must be different files"),
        (["--dev", "d.json", "--sweep", "s.toml"], "--html and --sweep cannot be used together"),
    ],
)
def test_a_report_that_cannot_be_written_is_rejected_before_training(quoth, tmp_path, words, sentence):
    status, _, err = quoth("train", "none.json", *words, "--html", "r.html", "--base", "none", "--out", tmp_path / "o")
    assert (status, sentence in err) == (2, True), err


def test_a_report_in_a_missing_folder_is_rejected_before_training(tmp_path):
    with pytest.raises(ConfigError, match=r"r\.html: the folder of the file must exist, but does not"):
        run("none", tmp_path / "o", dev=towns.examples(4), html=tmp_path / "no" / "r.html")
    assert not (tmp_path / "o").exists()
    with pytest.raises(TrainingError, match="none: cannot load this base"):  # its own folder is made later
        run("none", tmp_path / "o", dev=towns.examples(4), html=tmp_path / "o" / "r.html")


@pytest.mark.long
def test_training_with_the_teacher_loss_only(learned, base, tmp_path):
    # All targets are "no answer", and have no weight.
    taught = run(
        base,
        tmp_path / "taught",
        data=[replace(example, golds=()) for example in towns.examples(64)],
        dev=towns.examples(64),
        epochs=40.0,
        learning_rate=2e-3,
        eval_steps=1000,
        teacher=str(learned.folder),
        teacher_weight=1.0,
    )
    assert taught.f1 > 50


@pytest.mark.long
def test_a_teacher_of_answerable_questions_does_not_affect_the_others(learned, base, tmp_path):
    from safetensors.numpy import load_file

    # With all the loss from a teacher of answerable questions, the unanswerable ones still learn from their golds.
    answerable, unanswerable = towns.examples(48), [replace(each, golds=()) for each in towns.examples(48, seed=1)]
    settings = {"epochs": 1.0, "teacher": str(learned.folder), "teacher_weight": 1.0}
    alone = run(base, tmp_path / "alone", data=unanswerable, teacher_on="answerable", **settings)
    without = run(base, tmp_path / "without", data=unanswerable, epochs=1.0)
    same = [load_file(each.folder / "model.safetensors") for each in (alone, without)]
    assert all(np.array_equal(same[0][name], same[1][name]) for name in same[0])
    both = run(base, tmp_path / "both", data=[*answerable, *unanswerable], teacher_on="answerable", **settings)
    every = run(base, tmp_path / "every", data=[*answerable, *unanswerable], teacher_on="all", **settings)
    other = [load_file(each.folder / "model.safetensors") for each in (both, every)]
    assert not all(np.array_equal(other[0][name], other[1][name]) for name in other[0])


def test_teacher_logits_are_computed_once_and_cached(learned, base, tmp_path):
    taught = {"teacher": str(learned.folder), "max_steps": 4}
    run(base, tmp_path / "out", **taught)
    kept = sorted((tmp_path / "out" / "teacher").iterdir())
    written = [file.stat().st_mtime_ns for file in kept]
    run(base, tmp_path / "out", resume=True, **taught)
    assert [file.stat().st_mtime_ns for file in kept] == written
    kept[0].write_bytes(b"damaged")
    run(base, tmp_path / "out", resume=True, **taught)
    assert len(kept[0].read_bytes()) > 1000, "damaged files are computed again"


def test_teacher_logits_equal_those_of_the_reader(learned, tmp_path):
    """With token types, without which a BERT cannot distinguish question and context."""
    from quoth.engines.torch import TorchEngine
    from quoth.reading import WindowBatch
    from quoth.training.teacher import Teacher

    engine = TorchEngine.load(learned.folder)
    windower = Windower(Tokenizer.load(learned.folder), max_tokens=64, overlap=16)
    windows = [window for example in towns.examples(6) for window in windower.windows(example)]
    teacher_logits = Teacher(engine, 0, 64).logits(windows, tmp_path)
    for window, logits in zip(windows, teacher_logits, strict=True):
        said = engine.run(WindowBatch.of([window], 0))
        assert logits == pytest.approx(np.concatenate([said.start, said.end]), abs=1e-4)
    others = Teacher(engine, 0, 64).logits(windows[1:], tmp_path)
    assert all(np.allclose(other, logits, atol=1e-4) for other, logits in zip(others, teacher_logits[1:], strict=True))


def test_processes_share_the_computation_of_teacher_logits(learned, tmp_path):
    from quoth.engines.torch import TorchEngine
    from quoth.training.teacher import Teacher

    windower = Windower(Tokenizer.load(learned.folder), max_tokens=64, overlap=16)
    windows = [window for example in towns.examples(8) for window in windower.windows(example)]
    teacher = Teacher(TorchEngine.load(learned.folder), 0, 64, piece=3)
    whole = teacher.logits(windows, tmp_path / "one")
    parts = [teacher.logits(windows, tmp_path / "two", process=process, processes=2) for process in range(2)]
    for index, logits in enumerate(whole):
        mine, theirs = parts[index // 3 % 2][index], parts[1 - index // 3 % 2][index]
        assert np.array_equal(mine, logits)
        assert theirs is None


def test_a_much_better_teacher_does_not_stop_the_run(learned, base, tmp_path):
    import shutil

    from safetensors.numpy import save_file

    sure = tmp_path / "sure"
    shutil.copytree(learned.folder, sure, ignore=shutil.ignore_patterns("checkpoints", "quoth.json"))
    heads = {name: value * 40 if "qa_outputs" in name else value for name, value in weights(sure).items()}
    save_file(heads, sure / "model.safetensors", {"format": "pt"})
    assert run(base, tmp_path / "out", teacher=str(sure), teacher_weight=1.0, max_steps=2, learning_rate=1e-9).step == 2


def test_a_teacher_with_another_tokenizer_is_rejected(base, tmp_path):
    names = ("tokenizer.json", "tokenizer_config.json", "model.safetensors", "config.json")
    bpe = tiny_folder("bpe", tmp_path / "bpe", *names)
    with pytest.raises(TrainingError, match="the teacher must have the same tokenizer as the base"):
        run(base, tmp_path / "out", teacher=str(bpe))


def test_out_of_memory_reports_the_batch_and_the_setting_to_lower():
    import torch

    from quoth.engines.torch import TorchEngine
    from quoth.errors import ReaderError
    from quoth.training.config import TrainConfig
    from quoth.training.features import Collator
    from quoth.training.stops import explain_out_of_memory

    windows = Windower(Tokenizer.load(TINY / "wordpiece"), max_tokens=64, overlap=16).windows(towns.examples(1)[0])
    batch = Collator(0, True)(windows)
    config = TrainConfig(base="b", batch_size=12, max_tokens=64)
    size = f"1 windows of {len(windows[0])} tokens"
    words = rf"{size} does not fit .* Lower batch_size \(it is 12\)"
    with pytest.raises(TrainingError, match=words), explain_out_of_memory(config, batch):
        torch.empty(2**60)
    engine = TorchEngine.load(TINY / "wordpiece")
    large = np.lib.stride_tricks.as_strided(np.ones(1, np.int64), (2**40, 128), (0, 0))
    with pytest.raises(TrainingError, match="the run does not fit"), explain_out_of_memory(config):
        engine.run(WindowBatch(large, large, large, ()))
    too_long = np.ones((1, 200), np.int64)
    with pytest.raises(ReaderError, match="cannot run"), explain_out_of_memory(config):
        engine.run(WindowBatch(too_long, too_long, too_long, ()))
    with pytest.raises(RuntimeError, match="size"), explain_out_of_memory(config):
        torch.ones(2) + torch.ones(3)


def test_lost_golds_are_counted(base, tmp_path):
    example = towns.examples(1)[0]
    long = replace(example, id="long", golds=(Gold(example.context, 0),))
    result = run(base, tmp_path / "out", data=[example, long], max_tokens=16, overlap=2, max_steps=1)
    assert result.lost == ("long",)


@pytest.mark.long
def test_a_source_tree_that_is_not_installed_has_no_version():
    """Such a tree has no version, which used to fail at the first checkpoint."""
    import subprocess
    import sys

    names = "'torch', 'transformers', 'accelerate', 'tokenizers', 'quoth'"
    code = f"""
import sys
from quoth.training.snapshot import made_with
sys.meta_path[:] = [finder for finder in sys.meta_path if not hasattr(finder, 'find_distributions')]
found = made_with(1)
assert [found[name] for name in ({names})] == [None] * 5, found
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_reader_stores_the_data_sets_that_it_was_made_from(base, tmp_path):
    from hashlib import sha256

    from quoth.data import write_squad
    from quoth.reader import Reader

    train, dev = tmp_path / "train.json", tmp_path / "dev.json"
    write_squad(towns.examples(16), train)
    write_squad(towns.examples(4, seed=9), dev)
    folder = run(base, tmp_path / "out", data=[train, *towns.examples(2, seed=5)], dev=dev, max_steps=1).folder
    manifest = json.loads((folder / "quoth.json").read_text())
    assert [(data["role"], data["name"], data["questions"]) for data in manifest["data"]] == [
        ("training", "train.json", 16),
        ("training", "examples in memory", 2),
        ("choosing", "dev.json", 4),
    ]
    assert manifest["data"][0]["sha256"] == sha256(train.read_bytes()).hexdigest()
    assert json.loads((folder / "run.json").read_text())["data"] == manifest["data"]
    used = Reader.load(folder).made_from
    assert [each.data.seen.overlap(towns.examples(16)).questions for each in used] == [16, 0, 0]

    # A reader that is trained further knows what its base was trained on, and dev is compared with that too.
    with pytest.warns(OverlapWarning) as told:
        again = run(folder, tmp_path / "again", data=dev, dev=train, max_steps=1).folder
    assert [str(each.message) for each in told] == [
        "train.json: 16 of 16 questions are in train.json, which the base of this reader was trained on; its scores "
        "are too high and may select the wrong checkpoint. Use questions about other texts"
    ]
    assert [(each.role, each.of, each.data.name) for each in Reader.load(again).made_from] == [
        ("training", None, "dev.json"),
        ("choosing", None, "train.json"),
        ("training", "base", "train.json"),
        ("training", "base", "examples in memory"),
        ("choosing", "base", "dev.json"),
    ]


def test_dev_in_the_training_data_causes_a_warning_with_its_name(base, tmp_path):
    with pytest.warns(OverlapWarning, match="dev: 8 of 8 questions are in examples in memory, which this reader was"):
        run(base, tmp_path / "out", data=towns.examples(16), dev=towns.examples(8), max_steps=1)


def test_a_warning_if_the_base_abstains_and_dev_cannot_fit_a_threshold(base, tmp_path):
    folder = run(base, tmp_path / "first", max_steps=1).folder
    opened = ReaderFolder.open(folder)
    decode = opened.settings().decode.with_(null_threshold=1.5)
    opened.with_settings(ReaderSettings(64, 16, decode), {})
    with pytest.warns(UserWarning, match=r"abstains above a null threshold of 1\.50, but the new reader never"):
        run(folder, tmp_path / "again", max_steps=1)
