"""Pruning removes what the loss needs least, and leaves the rest of a checkpoint as it was."""

import copy
from importlib import import_module

import pytest

from quoth.data import write_squad
from support import towns
from support.readers import TINY

pytestmark = pytest.mark.torch
MODEL = TINY / "wordpiece"
WIDTH = 8  # of a head


@pytest.fixture
def prune():
    return import_module("prune")  # needs torch


@pytest.fixture
def data(tmp_path):
    write_squad(towns.examples(8), tmp_path / "towns.json")
    return tmp_path / "towns.json"


@pytest.fixture
def model():
    from transformers import BertForQuestionAnswering

    return BertForQuestionAnswering.from_pretrained(MODEL).eval()


def loss(model, batch):
    from quoth.training.loss import span_losses

    found = model(**batch.inputs)
    return span_losses(found.start_logits, found.end_logits, batch.legal, batch.targets).sum().item()


def test_importance_is_the_change_of_the_loss_as_an_output_shrinks(prune, model, tmp_path):
    """By finite differences, for one window."""
    write_squad(towns.examples(1), tmp_path / "one.json")
    (batch,) = prune.labelled_batches(MODEL, tmp_path / "one.json")
    assert len(batch.cls) == 1
    found = prune.importance(model, [batch])
    for layer, units, heads in zip(model.bert.encoder.layer, found.units, found.heads, strict=True):
        unit, head = int(units.argmax()), int(heads.argmax())
        for product, columns, expected in (
            (layer.output.dense, slice(unit, unit + 1), units[unit]),
            (layer.attention.output.dense, slice(head * WIDTH, (head + 1) * WIDTH), heads[head]),
        ):
            before = product.weight.data.clone()
            changed = []
            for scale in (0.99, 1.01):
                product.weight.data[:, columns] *= scale
                changed.append(loss(model, batch))
                product.weight.data.copy_(before)
            assert abs(changed[1] - changed[0]) / 0.02 == pytest.approx(expected.item(), rel=0.05, abs=1e-4)


def test_removed_units_are_the_least_important_and_nothing_else_changes(prune, model, data):
    batches = prune.labelled_batches(MODEL, data)
    found = prune.importance(model, batches)
    pruned = copy.deepcopy(model)
    prune.keep_units(pruned, found.units, 20)
    for layer, values in zip(model.bert.encoder.layer, found.units, strict=True):
        layer.output.dense.weight.data[:, values.topk(12, largest=False).indices] = 0
    for batch in batches:
        expected, actual = model(**batch.inputs), pruned(**batch.inputs)
        assert (expected.start_logits - actual.start_logits).abs().max() < 1e-5
        assert (expected.end_logits - actual.end_logits).abs().max() < 1e-5


def test_a_head_without_importance_is_silenced_first(prune, model, data):
    for layer in model.bert.encoder.layer:
        layer.attention.output.dense.weight.data[:, WIDTH:] = 0
    batches = prune.labelled_batches(MODEL, data)
    found = prune.importance(model, batches)
    assert found.heads[:, 1].tolist() == [0, 0]
    before = [loss(model, batch) for batch in batches]
    prune.silence_heads(model, found.heads, 1)
    assert [loss(model, batch) for batch in batches] == before


def test_the_pruned_checkpoint_is_an_ordinary_one(prune, data, tmp_path):
    from transformers import BertForQuestionAnswering

    out = tmp_path / "pruned"
    prune.main([str(MODEL), str(data), "--units", "20", "--heads", "1", "-o", str(out)])
    again = BertForQuestionAnswering.from_pretrained(out)
    assert again.config.intermediate_size == 20
    assert again.bert.encoder.layer[0].intermediate.dense.weight.shape == (20, 16)
    assert (out / "tokenizer.json").exists()
