"""Fingerprints of what a reader has seen."""

import pytest
from hypothesis import given

from quoth.data.provenance import Overlap, Seen
from quoth.records import Example
from support.texts import few, texts

ANA = Example("1", "Who kept it?", "Ana kept the light.", (), "One")


def test_the_same_question_and_the_same_context_are_noticed():
    seen = Seen.of([ANA, Example("2", "Who baked?", "Ben baked.")])
    asked = [
        Example("x", "who  KEPT it?", "Ana kept\nthe light."),
        Example("y", "What did Ana keep?", "Ana kept the light."),
        Example("z", "Who kept it?", "Nobody kept it."),
    ]
    found = seen.overlap(asked)
    assert found == Overlap(questions=1, contexts=2, total=3)
    assert str(found) == "1 of 3 questions"
    assert str(seen.overlap(asked[1:])) == "the contexts of 1 of 2 questions"
    assert not seen.overlap(asked[2:])
    assert not seen.overlap([])


@few
@given(texts, texts, texts)
def test_fingerprints_survive_being_written(question, context, other):
    examples = [Example("1", question, context), Example("2", other, context)]
    seen = Seen.of(examples) | Seen.of([ANA])
    back = Seen.from_bytes(seen.to_bytes())
    assert back.overlap([*examples, ANA]).questions == 3
    assert (back.questions.tolist(), back.contexts.tolist()) == (seen.questions.tolist(), seen.contexts.tolist())


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK\x03\x04"])
def test_other_bytes_are_refused(content):
    with pytest.raises(ValueError, match="must be an NPZ file of questions and contexts, but is not"):
        Seen.from_bytes(content)
