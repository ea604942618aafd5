"""MLflow: a tracked run, and a served reader with the answers of ``quoth ask``."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from quoth.cli import main
from quoth.errors import ConfigError, DataError, ReaderError
from quoth.reader import Reader
from quoth.store import ReaderFolder, ReaderSettings
from support import towns
from support.readers import LAYOUTS, TINY, tiny_folder, tiny_layout

# mlflow's libraries raise warnings about their own code.
# The tiny encoders are evaluated on their training data.
pytestmark = [
    pytest.mark.long,
    pytest.mark.torch,
    pytest.mark.filterwarnings("default"),
    pytest.mark.filterwarnings("ignore::quoth.errors.OverlapWarning"),
]

CONTEXT = "The black cat sat on the mat. It was tired. The dog ran home with the bone in the rain."
ROWS = [
    {"question": "Who sat on the mat?", "context": CONTEXT},
    {"question": "Where did the dog run? \N{GRINNING FACE}", "context": "\N{GRINNING FACE} " + CONTEXT * 4},
    {"question": "Who was tired?", "context": " "},
    *({"question": f"What is in line {line}?", "context": f"{line} {CONTEXT}"} for line in range(20)),
]


@pytest.fixture(scope="session")
def mlflow():
    import mlflow

    return mlflow


@pytest.fixture(scope="session")
def store(mlflow, tmp_path_factory):
    """A temporary MLflow store, with the experiment "ours"."""
    folder = tmp_path_factory.mktemp("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    mlflow.create_experiment("ours", artifact_location=(folder / "artifacts").as_uri())
    return mlflow.MlflowClient()


@pytest.fixture(scope="session")
def reader(tmp_path_factory):
    """A tiny reader without torch; its windows are small, so that a context has several."""
    folder = tiny_folder("wordpiece", tmp_path_factory.mktemp("readers") / "tiny")
    (folder / "tf_model.h5").write_bytes(b"not ours to log")
    return ReaderFolder(folder).write_manifest(
        ReaderSettings(48, 16), {"scores": {"dev": {"exact": 50.0, "f1": 60.5, "total": 4}}}
    )


@pytest.fixture(scope="session")
def address(store, reader):
    from quoth.tracking.model import track_reader

    return track_reader(reader.path, experiment="ours", run_name="kept", registered_model="cat")


def expected(reader, row, **settings):
    """Return the answers of ``Reader`` in the format of the served model: the keys of ``quoth ask --json``."""
    prediction = Reader.load(reader.path).answer(row["question"], row["context"], **settings)
    best = prediction.best
    return [(each.text, each.span.start, each.span.end) for each in prediction.answers], best and best.text


def seen(reply):
    answers = [(each["text"], each["start"], each["end"]) for each in reply["answers"]]
    return answers, reply["best"] and reply["best"]["text"]


def test_a_logged_reader_gives_the_same_answers(mlflow, address, reader):
    model = mlflow.pyfunc.load_model(address)
    replies = model.predict(ROWS, params={"top_k": 3})
    assert [seen(reply) for reply in replies] == [expected(reader, row, top_k=3) for row in ROWS]
    for threshold in (-1e9, 0.0):
        replies = model.predict(ROWS, params={"null_threshold": threshold})
        assert [seen(reply) for reply in replies] == [expected(reader, row, null_threshold=threshold) for row in ROWS]
    replies = model.predict(ROWS, params={"null_threshold": -1e9, "abstain": "never"})
    assert [seen(reply) for reply in replies] == [expected(reader, row, null_threshold="never") for row in ROWS]
    with pytest.raises(mlflow.MlflowException, match="abstain must be \"never\" or omitted, but is 'always'"):
        model.predict(ROWS, params={"abstain": "always"})
    for wanted in ({"min_probability": 0.99}, {"top_k": 3, "overlapping": True}):
        replies = model.predict(ROWS, params=wanted)
        assert [seen(reply) for reply in replies] == [expected(reader, row, **wanted) for row in ROWS]
    replies = model.predict(ROWS)
    assert replies[2]["no_answer"]
    assert replies[2]["reason"] == "the context has no text to quote"
    place = replies[1]["best"]
    context = ROWS[1]["context"].encode("utf-16-le")
    assert context[2 * place["start_utf16"] : 2 * place["end_utf16"]].decode("utf-16-le") == place["text"]


def test_mlflow_evaluates_a_logged_reader(mlflow, store, address, reader):
    import pandas as pd

    from quoth import evaluate
    from quoth.records import Example, Gold
    from quoth.tracking.metrics import squad_metrics

    loaded = Reader.load(reader.path)
    texts = [(f"Who is number {n}?", f"{n} {CONTEXT}") for n in range(12)]
    said = [loaded.answer(*pair).text for pair in texts]
    right = [[said[0] or "x", "The cat"], "dog bone", "", None, *(text or "mat" for text in said[4:])]
    frame = pd.DataFrame({"question": [q for q, _ in texts], "context": [c for _, c in texts], "answer": right})
    mlflow.set_experiment("ours")
    with mlflow.start_run():
        result = mlflow.models.evaluate(
            address,
            frame,
            targets="answer",
            predictions="text",
            extra_metrics=squad_metrics(),
        )
    golds = [[gold] if isinstance(gold, str) else gold or [] for gold in right]
    examples = [
        Example(str(n), *texts[n], tuple(Gold(gold, 0) for gold in each if gold)) for n, each in enumerate(golds)
    ]
    report = evaluate(loaded, examples)
    assert result.metrics["squad_f1/mean"] == pytest.approx(report.f1)
    assert result.metrics["squad_exact/mean"] == pytest.approx(report.exact)
    assert 0 < report.f1 < 100
    rows = result.tables["eval_results_table"]
    assert rows["squad_f1/score"].tolist() == pytest.approx([row.f1 for row in report.rows])


def test_missing_targets_are_unanswerable_and_others_must_be_texts():
    import pandas as pd

    from quoth.tracking.metrics import squad_metrics

    exact, _ = squad_metrics()
    missing = pd.Series(["Ada", pd.NA], dtype="string")
    for targets in (missing, ["Ada", float("nan")], [{"text": ["Ada"]}, {"text": []}], [["Ada"], pd.NaT]):
        assert exact.eval_fn(["Ada", ""], targets, {}).scores == [100.0, 100.0]
    for wrong in (5, 5.5, ["Ada", 5]):
        with pytest.raises(DataError, match="row 1 must be a text or a list of texts, but has 5"):
            exact.eval_fn(["Ada", ""], ["Ada", wrong], {})
    with pytest.raises(ConfigError, match="f1_by must be"):
        squad_metrics("word")


def test_all_invalid_rows_are_reported_and_none_is_answered(mlflow, address):
    model = mlflow.pyfunc.load_model(address)
    rows = [*ROWS[:2], {"question": " ", "context": CONTEXT}, ROWS[0], {"question": "Who?", "context": None}]
    with pytest.raises(mlflow.MlflowException) as refused:
        model.predict(rows)
    assert "question of row 2: must not be empty" in str(refused.value)
    assert re.search("context of row 4: must be text, but is (None|nan|NaN)", str(refused.value))
    rows = [ROWS[0], {"question": "who " * 60, "context": CONTEXT}, {"question": "sat " * 70, "context": CONTEXT}]
    with pytest.raises(mlflow.MlflowException, match=r"(?s)of row 1: .*of row 2: "):
        model.predict(rows)
    for number in (0, -1):
        with pytest.raises(mlflow.MlflowException, match=f"top_k must be at least 1, but is {number}"):
            model.predict(ROWS, params={"top_k": number})


def test_the_model_has_a_signature_and_requirements(mlflow, store, address, reader):
    info = mlflow.models.get_model_info(address)
    assert [item.name for item in info.signature.inputs] == ["question", "context"]
    assert [item.name for item in info.signature.params] == [
        "top_k",
        "null_threshold",
        "abstain",
        "min_probability",
        "overlapping",
    ]
    folder = Path(mlflow.artifacts.download_artifacts(address))
    lines = (folder / "requirements.txt").read_text().splitlines()
    names = {line.partition("==")[0] for line in lines}
    assert {"quoth", "mlflow", "pandas", "numpy", "openvino", "regex", "tokenizers"} <= names
    assert not names & {"torch", "transformers", "accelerate", "onnx", "optuna", "pytest"}
    assert all("==" in line and "+" not in line for line in lines)
    files = {path.name for path in (folder / "artifacts" / "reader").iterdir()}
    assert files == {"quoth.json", "README.md", "tokenizer.json", "tokenizer_config.json", "model.onnx"}
    (version,) = store.search_model_versions("name = 'cat'")
    run = store.get_run(version.run_id)
    assert (run.info.run_name, run.data.metrics["dev_f1"]) == ("kept", 60.5)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "one"])
def test_a_reader_is_logged_with_any_layout_of_weights(mlflow, store, layout, tmp_path):
    from quoth.tracking.model import track_reader

    folder = ReaderFolder.open(tiny_layout(layout, tmp_path / "reader"))
    address = track_reader(folder.path, experiment="ours", run_name=layout, registered_model=None)
    (reply,) = mlflow.pyfunc.load_model(address).predict(ROWS[:1])
    assert seen(reply) == expected(folder, ROWS[0])
    logged = Path(mlflow.artifacts.download_artifacts(address))
    lines = (logged / "requirements.txt").read_text()
    assert ("torch==" in lines) == (folder.onnx is None), "torch is asked for only where it is needed"


def test_a_reader_without_onnx_requires_torch(tmp_path):
    from quoth.tracking.model import requirements

    folder = tiny_folder("wordpiece", tmp_path, "tokenizer.json", "config.json", "model.safetensors")
    names = {line.partition("==")[0] for line in requirements(ReaderFolder.open(folder))}
    assert {"torch", "transformers", "quoth"} <= names


def test_a_folder_that_is_not_a_reader_is_not_logged(store, tmp_path):
    from quoth.tracking.model import track_reader

    with pytest.raises(ReaderError, match="must contain a reader"):
        track_reader(tmp_path, experiment="ours", run_name="nothing", registered_model=None)
    experiment = store.get_experiment_by_name("ours")
    assert store.search_runs([experiment.experiment_id], "attributes.run_name = 'nothing'") == []


def test_the_command_line_logs_a_reader(mlflow, store, reader, tmp_path, capsys):
    words = ["track", str(reader.path), "--experiment", "ours", "--run-name", "typed", "--registered-model", "typed"]
    with pytest.raises(SystemExit) as done:
        main(words)
    assert not done.value.code
    (version,) = store.search_model_versions("name = 'typed'")
    (found,) = runs(store, "typed")
    assert version.run_id == found.info.run_id
    address = capsys.readouterr().out.strip()
    assert mlflow.models.get_model_info(address).run_id == found.info.run_id
    with pytest.raises(SystemExit) as failed:
        main(["track", str(tmp_path / "nothing")])
    assert failed.value.code == 1
    assert "must be the folder of a reader, but there is no such folder" in capsys.readouterr().err


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    return towns.base(tmp_path_factory.mktemp("base"), TINY / "wordpiece")


def train(base, out, **settings):
    from quoth.training import train

    common = {"max_tokens": 64, "overlap": 16, "batch_size": 8, "precision": "float32", "threads": 1}
    settings = {"experiment": "ours", "max_steps": 2, "dev": towns.examples(8), "eval_steps": 1, **common, **settings}
    return train(towns.examples(32), out=out, base=str(base), **settings)


def runs(store, name):
    experiment = store.get_experiment_by_name("ours")
    return store.search_runs([experiment.experiment_id], f"attributes.run_name = '{name}'")


def logged(mlflow, store, run):
    """Return the models that a run logged."""
    experiment = store.get_experiment_by_name("ours")
    models = mlflow.search_logged_models([experiment.experiment_id], output_format="list")
    return [model for model in models if model.source_run_id == run.info.run_id]


def test_a_run_is_tracked_and_its_reader_registered(mlflow, store, base, tmp_path):
    result = train(base, tmp_path / "out", run_name="first", registered_model="towns")
    (found,) = runs(store, "first")
    assert found.info.status == "FINISHED"
    assert (found.data.params["learning_rate"], found.data.params["questions"]) == ("5e-05", "32")
    assert {"exact", "f1", "train_loss", "train_seconds"} <= set(found.data.metrics)
    assert found.data.metrics["dev_f1"] == result.f1, "that of the weights that are kept"
    assert found.data.metrics["dev_loss"] > 0
    inputs = [{tag.key: tag.value for tag in each.tags} for each in found.inputs.dataset_inputs]
    assert {each["mlflow.data.context"]: each["questions"] for each in inputs} == {"training": "32", "choosing": "8"}
    (version,) = store.search_model_versions("name = 'towns'")
    assert version.run_id == found.info.run_id
    folder = Path(mlflow.artifacts.download_artifacts("models:/towns/1")) / "artifacts" / "reader"
    assert (folder / "model.safetensors").read_bytes() == (result.folder / "model.safetensors").read_bytes()
    assert not (folder / "checkpoints").exists()
    assert store.list_artifacts(found.info.run_id) == [], "nothing lies there twice"
    (row,) = mlflow.pyfunc.load_model("models:/towns/1").predict(ROWS[:1])
    assert seen(row) == expected(ReaderFolder(result.folder), ROWS[0]), "torch serves what has no model.onnx"


def test_a_run_has_the_report_as_an_artifact(mlflow, store, base, tmp_path):
    page = tmp_path / "report.html"
    train(base, tmp_path / "out", run_name="reported", log_model=False, html=page)
    (found,) = runs(store, "reported")
    artifact = mlflow.artifacts.download_artifacts(run_id=found.info.run_id, artifact_path="report.html")
    assert Path(artifact).read_text(encoding="utf-8") == page.read_text(encoding="utf-8")
    assert "The scores on the development data" in page.read_text(encoding="utf-8")


def test_a_resumed_run_continues_the_same_mlflow_run(mlflow, store, base, tmp_path):
    from transformers import TrainerCallback

    class Fail(TrainerCallback):
        def on_step_end(self, args, state, *_, **__):
            if state.global_step == 2:
                raise RuntimeError("the power is out")

    with pytest.raises(RuntimeError):
        train(base, tmp_path / "out", run_name="stopped", callbacks=[Fail()], log_model=False)
    assert mlflow.active_run() is None
    (found,) = runs(store, "stopped")
    assert found.info.status == "FAILED"
    train(base, tmp_path / "out", run_name="stopped", resume=True, patience=5, log_model=False)
    (again,) = runs(store, "stopped")
    assert again.info.run_id == found.info.run_id
    assert again.info.status == "FINISHED"
    assert logged(mlflow, store, again) == []
    assert {each.step for each in store.get_metric_history(again.info.run_id, "f1")} == {0, 1, 2}


def test_an_active_run_is_used_and_left_open(mlflow, store, base, tmp_path):
    mlflow.set_experiment("ours")
    with mlflow.start_run(run_name="mine") as mine:
        train(base, tmp_path / "out", run_name="not this", log_model=False)
        assert mlflow.active_run().info.run_id == mine.info.run_id
    assert runs(store, "not this") == []
    assert "f1" in store.get_run(mine.info.run_id).data.metrics


def test_registering_needs_tracking(base, tmp_path):
    with pytest.raises(ConfigError, match="registered_model needs tracking and log_model"):
        train(base, tmp_path / "out", registered_model="towns", tracking=False)


def test_a_sweep_is_a_parent_run_with_nested_trials(mlflow, store, base, tmp_path):
    from quoth.training import SweepPlan, run_sweep

    plan = SweepPlan.of({"trials": 2, "vary": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}})
    settings = {"dev": towns.examples(8), "experiment": "ours", "run_name": "swept", "registered_model": "best"}
    settings |= {"max_tokens": 64, "overlap": 16, "precision": "float32", "threads": 1, "max_steps": 2}
    result = run_sweep(plan, towns.examples(16), out=tmp_path, base=str(base), **settings)
    (parent,) = runs(store, "swept")
    best = result.rows[0]
    assert parent.data.metrics["f1"] == best.f1
    assert parent.data.tags["best_trial"] == best.name
    for row in result.rows:
        (child,) = runs(store, row.name)
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert float(child.data.params["learning_rate"]) == row.values["learning_rate"]
        assert child.info.status == parent.info.status == "FINISHED"
        assert logged(mlflow, store, child) == []
    (version,) = store.search_model_versions("name = 'best'")
    assert version.run_id == parent.info.run_id, "only the best is logged as a model"


@pytest.fixture(scope="module")
def served(mlflow, address):
    """Run ``mlflow models serve`` in a separate process, on a free port; yield a function that sends a POST."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["mlflow", "models", "serve", "--model-uri", address, "--env-manager", "local", "--port", str(port)]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    server = subprocess.Popen([sys.executable, "-m", *command], env=environment, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(f"{url}/ping", server)
        yield lambda document: _post(f"{url}/invocations", document)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait(url, server):
    for _ in range(600):
        assert server.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the server did not start in two minutes")


def _post(url, document):
    data = json.dumps(document).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_the_server_gives_the_answers_of_ask(served, reader):
    status, reply = served({"dataframe_records": ROWS, "params": {"top_k": 3}})
    assert status == 200
    assert len(reply["predictions"]) == len(ROWS)
    asked = [sys.executable, "-m", "quoth", "ask", "--reader", str(reader.path), "--json", "--top-k", "3"]
    for row, served_row in list(zip(ROWS, reply["predictions"], strict=True))[:3]:
        done = subprocess.run([*asked, "--text", row["context"], row["question"]], capture_output=True, check=True)
        said = json.loads(done.stdout)
        for answer in said["answers"]:
            del answer["context"], answer["page"], answer["boxes"]
        assert served_row["answers"] == said["answers"]
        assert (served_row["no_answer"], served_row["reason"]) == (said["no_answer"], said["reason"])
    assert [seen(each) for each in reply["predictions"]] == [expected(reader, row, top_k=3) for row in ROWS]


def test_the_server_uses_the_threshold(served, reader):
    for threshold in (-1e9, 0.0, 1e9):
        status, reply = served({"dataframe_records": ROWS, "params": {"null_threshold": threshold}})
        assert status == 200
        assert [seen(each) for each in reply["predictions"]] == [
            expected(reader, row, null_threshold=threshold) for row in ROWS
        ]
    assert reply["predictions"][0]["best"]
    _, reply = served({"dataframe_records": ROWS[:1], "params": {"null_threshold": -1e9}})
    (abstained,) = reply["predictions"]
    assert abstained["no_answer"]
    assert abstained["best"] is None
    assert abstained["answers"], "what it would have been is there all the same"


def test_the_server_rejects_invalid_rows_by_number(served):
    rows = [ROWS[0], {"question": "", "context": CONTEXT}, ROWS[0], {"question": "\n", "context": CONTEXT}]
    status, reply = served({"dataframe_records": rows})
    assert status == 400
    assert "question of row 1: must not be empty\nquestion of row 3: must not be empty" in reply["message"]
    assert served({"dataframe_records": ROWS[:1]})[0] == 200, "and goes on"
