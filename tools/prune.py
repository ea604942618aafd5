"""Removes feed-forward units and attention heads from a float checkpoint, those that its loss needs least.

    python tools/prune.py MODEL DATA --units 1152 -o pruned
    quoth train DATA --base pruned --teacher MODEL -o trained

Every layer keeps the same number of units, so that the checkpoint stays an ordinary one with another
``intermediate_size``. Heads can only be set to zero (``--heads``), because the width of BERT's attention is that of its
layers: such a checkpoint says what F1 would be without them, and is no faster.

The importance of a unit or head is the sum of its outputs times their gradients, as an absolute value for each
window, added up over windows.

Source: Michel, Levy and Neubig 2019, "Are Sixteen Heads Really Better than One?", section 4.1.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoTokenizer, BertForQuestionAnswering

from quoth.data import read_examples
from quoth.reading import Tokenizer, Windower
from quoth.training.features import Collator, TrainingBatch, WindowDataset
from quoth.training.loss import span_losses

WINDOWS = 512
BATCH = 16


class Importance(NamedTuple):
    """How much the loss changes without a unit or a head, to first order.

    Attributes:
        units: ``(layers, intermediate_size)`` float32, at least 0.
        heads: ``(layers, heads)`` float32, at least 0.
    """

    units: torch.Tensor
    heads: torch.Tensor


def importance(model: BertForQuestionAnswering, batches: Iterable[TrainingBatch]) -> Importance:
    """Compute the importance of every feed-forward unit and attention head.

    Args:
        model: The reader's network; its gradients are overwritten.
        batches: Labelled windows.
    """
    layers = model.bert.encoder.layer
    outputs: dict[int, torch.Tensor] = {}
    # Each product takes the outputs of units, or those of heads, which are several columns wide.
    places = [layer.output.dense for layer in layers] + [layer.attention.output.dense for layer in layers]
    widths = [1] * len(layers) + [model.config.hidden_size // model.config.num_attention_heads] * len(layers)

    def keep(index: int) -> Any:
        def hook(_: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            given[0].retain_grad()
            outputs[index] = given[0]

        return hook

    hooks = [place.register_forward_pre_hook(keep(index)) for index, place in enumerate(places)]
    totals = [torch.zeros(place.in_features // width) for place, width in zip(places, widths, strict=True)]
    model.eval()
    for batch in batches:
        found = model(**batch.inputs)
        span_losses(found.start_logits, found.end_logits, batch.legal, batch.targets).sum().backward()  # type: ignore[no-untyped-call]
        for index, output in outputs.items():
            assert output.grad is not None
            change = (output * output.grad).detach().sum(1)
            totals[index] += change.view(len(change), -1, widths[index]).sum(-1).abs().sum(0)
        model.zero_grad()
    for hook in hooks:
        hook.remove()
    return Importance(torch.stack(totals[: len(layers)]), torch.stack(totals[len(layers) :]))


def keep_units(model: BertForQuestionAnswering, units: torch.Tensor, count: int) -> None:
    """Remove all but the ``count`` most important feed-forward units of each layer, in place.

    Args:
        model: The network.
        units: Importance, ``(layers, intermediate_size)``.
        count: Units to keep in each layer.
    """
    for layer, values in zip(model.bert.encoder.layer, units, strict=True):
        kept = values.topk(count).indices.sort().values
        into, out = layer.intermediate.dense, layer.output.dense
        into.weight = torch.nn.Parameter(into.weight[kept])
        into.bias = torch.nn.Parameter(into.bias[kept])
        out.weight = torch.nn.Parameter(out.weight[:, kept])
        into.out_features = out.in_features = count
    model.config.intermediate_size = count


def silence_heads(model: BertForQuestionAnswering, heads: torch.Tensor, count: int) -> None:
    """Set the outputs of all but the ``count`` most important heads of each layer to zero, in place.

    Args:
        model: The network.
        heads: Importance, ``(layers, heads)``.
        count: Heads to keep in each layer.
    """
    width = model.config.hidden_size // model.config.num_attention_heads
    for layer, values in zip(model.bert.encoder.layer, heads, strict=True):
        for head in values.topk(len(values) - count, largest=False).indices.tolist():
            layer.attention.output.dense.weight.data[:, head * width : (head + 1) * width] = 0


def main(arguments: list[str] | None = None) -> None:
    """Write a pruned checkpoint; the arguments are those of the command line by default."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path, help="labelled questions; at most 512 windows of them are used")
    parser.add_argument("--units", type=int, help="feed-forward units to keep in each layer; all by default")
    parser.add_argument("--heads", type=int, help="heads to keep in each layer; all by default")
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    model = BertForQuestionAnswering.from_pretrained(options.model)
    found = importance(model, labelled_batches(options.model, options.data))
    if options.units:
        keep_units(model, found.units, options.units)
    if options.heads:
        silence_heads(model, found.heads, options.heads)
    model.save_pretrained(options.out)
    AutoTokenizer.from_pretrained(options.model).save_pretrained(options.out)


def labelled_batches(model: Path, data: Path) -> list[TrainingBatch]:
    """Return batches of up to ``WINDOWS`` windows."""
    tokenizer = Tokenizer.load(model)
    windows = WindowDataset(
        read_examples(data)[:WINDOWS], Windower(tokenizer, max_tokens=min(384, tokenizer.max_tokens or 384), overlap=32)
    ).windows[:WINDOWS]
    collate = Collator(tokenizer.pad_id, takes_types=True)
    ordered = sorted(windows, key=len)
    return [collate(ordered[first : first + BATCH]) for first in range(0, len(ordered), BATCH)]


if __name__ == "__main__":
    main()
