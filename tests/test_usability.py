"""Docstring examples, suggestions for misspelt names, completion, and reprs."""

import doctest
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from importlib import import_module

import pytest

import quoth
from quoth.cli import COMMANDS
from quoth.names import suggests_names
from quoth.reading import Windower
from quoth.records import Answer, Example, Gold, Prediction, Span
from support.readers import tiny_reader, tiny_tokenizer

# Modules that import packages that are not in the base install, and the module that runs on import.
HEAVY = (
    "quoth.adapters",
    "quoth.corpus.postgres",
    "quoth.corpus.tantivy_index",
    "quoth.training",
    "quoth.tracking",
    "quoth.tables",
    "quoth.export",
    "quoth.exporting",
    "quoth.engines.torch",
    "quoth.serve",
    "quoth.__main__",
)
# Packages whose public names need an extra.
EXTRAS = ("quoth.training", "quoth.tables", "quoth.exporting")
MODULES = sorted(
    name
    for _, name, _ in pkgutil.walk_packages(quoth.__path__, "quoth.", onerror=lambda _: None)
    if not name.startswith(HEAVY)
)


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module):
    failed, _ = doctest.testmod(import_module(module), optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert failed == 0


@pytest.mark.torch
@pytest.mark.long
def test_examples_run_that_need_torch():
    failed, tried = doctest.testmod(import_module("quoth.training.run"), optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert (failed, tried > 0) == (0, True)


@pytest.mark.long
@pytest.mark.torch
def test_training_has_an_example():
    assert ">>>" in inspect.getdoc(quoth.train)


def test_public_functions_have_examples():
    functions = [getattr(quoth, name) for name in quoth.__all__ if not quoth._HOMES[name].startswith(EXTRAS)]
    functions = [function for function in functions if inspect.isfunction(function)]
    reader = [quoth.Reader.load, quoth.Reader.answer, quoth.Reader.answer_all, quoth.Reader.explain]
    assert len(functions) >= 5
    for function in (*functions, *reader):
        assert ">>>" in inspect.getdoc(function), function


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: quoth.Reader.load(thread=1),
            "load() has no argument 'thread'; did you mean 'threads'? It has: source",
        ),
        (
            lambda: tiny_reader("bpe").answer("Who?", "x", topk=3),
            "answer() has no argument 'topk'; did you mean 'top_k'?",
        ),
        (
            lambda: tiny_reader("bpe").answer("Who?", "x", zzz=3),
            "answer() has no argument 'zzz'. It has: question, context",
        ),
        (lambda: tiny_reader("bpe").answer_all([], threshold=3), "did you mean 'null_threshold'?"),
        (lambda: tiny_reader("bpe").explain("Who?", text="x"), "did you mean 'context'?"),
        (lambda: quoth.read_examples("x.json", place=False), "did you mean 'places'?"),
        (lambda: quoth.evaluate(tiny_reader("bpe"), exmples=[]), "did you mean 'examples'?"),
        (lambda: quoth.score([], predicitons={}), "did you mean 'predictions'?"),
    ],
)
def test_wrong_names_suggest_the_right_one(call, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        call()


def test_suggestions_do_not_change_signatures():
    def answer(question, *, top_k=1):
        """Answer."""
        return question, top_k

    wrapped = suggests_names(answer)
    assert wrapped("Who?", top_k=2) == ("Who?", 2)
    assert (wrapped.__name__, wrapped.__doc__) == ("answer", "Answer.")
    assert inspect.signature(wrapped) == inspect.signature(answer)
    assert list(inspect.signature(quoth.Reader.answer).parameters)[:3] == ["self", "question", "context"]


def test_unknown_parameters_of_the_pipeline_cause_a_warning():
    qa = quoth.pipeline(model=tiny_reader("wordpiece"))
    with pytest.warns(
        UserWarning, match="max_answer_length is not a parameter and has no effect; did you mean max_answer_len?"
    ):
        qa("Who?", "Ana", max_answer_length=3)


def test_wrong_public_names_are_suggested():
    code = "import quoth\nquoth.Raeder"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Did you mean: 'Reader'?" in done.stderr


def test_commands_are_completed():
    environment = os.environ | {"_QUOTH_COMPLETE": "complete_bash", "COMP_WORDS": "quoth e", "COMP_CWORD": "1"}
    code = "from quoth.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    expected = [name for name in COMMANDS if name.startswith("e")]
    assert done.stdout.split() == expected != []


def test_completion_is_installed_and_completes(tmp_path):
    """As in bash: after installation, the shell itself completes the words."""
    quoth_itself = tmp_path / "quoth"
    quoth_itself.write_text(f"#!{sys.executable}\nfrom quoth.cli import main\n\nmain()\n")
    quoth_itself.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    home = os.environ | {"HOME": str(tmp_path), "PATH": path, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    installed = [str(quoth_itself), "--install-completion", "bash"]
    subprocess.run(installed, env=home, capture_output=True, text=True, check=True)
    asked = f'source "{tmp_path}/.bash_completions/quoth.sh"; COMP_WORDS=(quoth data ""); COMP_CWORD=2; '
    asked += '_quoth_completion quoth; echo "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", asked], env=home, capture_output=True, text=True, check=True)
    assert {"check", "describe", "windows"} <= set(done.stdout.split()), done.stderr


def test_reprs_are_informative():
    asked = Example("q", "Who?", "By Ana.")
    prediction = Prediction(asked, (Answer("Ana", Span(3, 6), 1.0, 0.257),), 0.0, False)
    assert str(prediction) == "Ana (25.7%, code points 3 to 6)"
    assert str(Prediction(asked, (), None, True, "nothing to read")) == "no answer: nothing to read"
    (window, *_) = Windower(tiny_tokenizer("bpe"), max_tokens=48, overlap=16).windows(
        Example("q1", "Who?", "Ana " * 60)
    )
    assert re.fullmatch(r"Window\(example='q1', index=0, tokens=48, context_tokens=0 to \d+ of \d+\)", repr(window))
    explanation = tiny_reader("wordpiece").explain("Who keeps the lamp?", "Ana Ribeiro. " * 20)
    assert len(repr(explanation)) < 200
    assert repr(explanation).startswith("Explanation(question='Who keeps the lamp?', answer=")
    assert str(explanation).splitlines()[0] == str(explanation.prediction)
    assert len(str(explanation).splitlines()) == 1 + len(explanation.rejected_counts)
    assert "engine='openvino'" in repr(tiny_reader("wordpiece"))


def test_large_objects_have_short_reprs():
    reader = tiny_reader("wordpiece")
    examples = [Example(str(number), "Who?", "Ana kept it.", (Gold("Ana", 0),)) for number in range(50)]
    report = quoth.evaluate(reader, examples)
    (window,) = reader.windower.windows(examples[0])
    assert repr(report.has_answer).startswith("Slice(questions=50, exact=")
    assert repr(report.calibration).startswith("Calibration(questions=50, error=")
    assert repr(window.context) == f"Tokens(number={len(window.context)})"
    assert repr(reader.windower).startswith("Windower(Tokenizer(vocabulary=")
    assert max(len(repr(each)) for each in (report, report.slices["question word"], reader, reader.windower)) < 200
