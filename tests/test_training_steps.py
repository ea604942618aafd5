"""The parts of a training step: targets, order, loss, optimizer, average; and atomic checkpoints."""

import errno
import json
import os
from pathlib import Path

import pytest

from quoth.data import read_examples
from quoth.errors import TrainingError
from quoth.reading import Tokenizer, Windower
from quoth.records import Example, Gold
from support import towns

pytestmark = pytest.mark.torch
TINY = Path(__file__).parent / "tiny"


def windows_of(examples, **sizes):
    windower = Windower(Tokenizer.load(TINY / "wordpiece"), **{"max_tokens": 24, "overlap": 4, **sizes})
    return [window for example in examples for window in windower.windows(example)]


# Targets


def test_targets_are_inclusive_ends_or_the_cls_token():
    from quoth.training.features import Collator

    windows = windows_of(towns.examples(12))
    batch = Collator(pad_id=0, takes_types=True)(windows)
    assert {window.target is None for window in windows} == {True, False}
    for row, window in enumerate(windows):
        start, end = batch.targets[row, 0].tolist()
        if window.target is None:
            assert start == end == window.cls
        else:
            assert (start, end) == (window.target.start, window.target.end - 1)
            first, last = window.offsets[start], window.offsets[end]
            assert window.example.context[first[0] : last[1]] == window.example.golds[0].text
    assert batch.inputs["input_ids"].shape[1] == max(map(len, windows))


def test_batches_have_few_different_lengths():
    from quoth.training.features import Collator

    lengths = set()
    for window in windows_of(towns.examples(12)):
        batch = Collator(pad_id=0, takes_types=True, limit=24)([window])
        assert batch.inputs["attention_mask"].sum() == len(window)
        lengths.add(batch.inputs["input_ids"].shape[1])
    assert lengths <= {16, 24}  # and never more than a window may have


def test_an_answer_may_use_the_context_and_cls_alone():
    from quoth.training.features import Collator

    windows = windows_of(towns.examples(6))
    legal = Collator(pad_id=0, takes_types=True)(windows).legal
    for row, window in enumerate(windows):
        inside = set(range(window.context_tokens.start, window.context_tokens.end)) | {window.cls}
        assert set(legal[row].nonzero().flatten().tolist()) == inside


def test_a_teacher_of_answers_does_not_teach_whether_there_is_one():
    import torch

    from quoth.training.features import Collator
    from quoth.training.loss import teacher_losses

    windows = windows_of(towns.examples(6))
    batch = Collator(pad_id=0, takes_types=True)(windows)
    assert torch.equal(batch.legal_answers.sum(1), batch.legal.sum(1) - 1)
    generator = torch.Generator().manual_seed(0)
    start, end, *teacher = torch.randn(4, *batch.legal.shape, generator=generator)
    before = teacher_losses(start, end, batch.legal_answers, teacher)
    for logits in (start, end, *teacher):
        logits[torch.arange(len(windows)), batch.cls] += torch.randn(len(windows), generator=generator)
    assert torch.allclose(teacher_losses(start, end, batch.legal_answers, teacher), before)
    assert not torch.allclose(teacher_losses(start, end, batch.legal, teacher), before)


def test_every_gold_of_a_window_is_a_target():
    from quoth.training.features import Collator

    example = Example("e", "Where ?", "Rome and Rome and Oslo .", (Gold("Rome", 0), Gold("Rome", 9)))
    single = Example("s", "Where ?", "Rome and Oslo .", (Gold("Oslo", 9),))
    windows = windows_of([example, single])
    targets = Collator(pad_id=0, takes_types=True)(windows).targets
    assert targets.shape == (2, 2, 2)
    assert targets[0].tolist() == [[target.start, target.end - 1] for target in windows[0].targets]
    assert targets[1, 1].tolist() == [-1, -1]


def test_every_place_only_counts_whole_words():
    from quoth.training.features import with_every_place

    example = Example("e", "q", "Rome, Romeo, (Rome) and rome.", (Gold("Rome", 0),))
    assert [gold.start for gold in with_every_place(example).golds] == [0, 14]
    inside = Example("e", "q", "Romeo in Rome", (Gold("Rome", 0),))
    assert [gold.start for gold in with_every_place(inside).golds] == [0, 9], "what was annotated stays"
    unanswerable = Example("e", "q", "Rome", ())
    assert with_every_place(unanswerable) == unanswerable


@pytest.mark.data
@pytest.mark.long
def test_every_place_contains_the_annotated_places(squad_folder):
    """The list that comes with the training data was made by others; it has the made-up ids alone.

    In 41 questions the annotated answer is no whole word ("2" of "2004"): the list has every such piece, we have none.
    """
    from quoth.training.features import with_every_place

    listed = json.loads((squad_folder / "squad-v1.1-train.repeated-answers.json").read_text())
    others = 0
    for example in read_examples(squad_folder / "squad-v1.1-train.json"):
        golds = with_every_place(example).golds
        found = {golds[0].text: sorted(gold.start for gold in golds)}
        if example.id not in listed:
            assert len(golds) == 1 or example.id.startswith("5"), "the official ids start with 5"
        elif found != listed[example.id]:
            others += 1
            before, after = golds[0].start - 1, golds[0].start + len(golds[0].text)
            assert example.context[before].isalnum() or example.context[after].isalnum()
    assert others == 41


# Order


def test_steps_hold_similar_lengths_and_every_window_once():
    from quoth.training.features import StepPlan

    lengths = [(7 * index) % 301 + 10 for index in range(1003)]
    plan = StepPlan(lengths, 8, seed=3)
    steps = plan.epoch(0)
    assert len(steps) == len(plan) == 126
    assert sorted(row for step in steps for row in step) == list(range(len(lengths)))
    padded = sum(max(lengths[row] for row in step) * len(step) for step in steps)
    shuffled = sum(max(lengths[at : at + 8]) * 8 for at in range(0, len(lengths), 8))
    assert padded < 1.1 * sum(lengths) < shuffled
    assert plan.epoch(0) == steps
    assert plan.epoch(1) != steps
    means = [sum(lengths[row] for row in step) / len(step) for step in steps]
    assert means != sorted(means), "long and short steps are mixed"


# Loss


def test_the_loss_equals_that_of_transformers_for_one_gold_and_legal_tokens():
    import torch
    from torch.nn.functional import cross_entropy

    from quoth.training.loss import span_losses

    torch.manual_seed(0)
    start, end, legal = torch.randn(5, 9), torch.randn(5, 9), torch.ones(5, 9, dtype=torch.bool)
    targets = torch.tensor([[[0, 0]], [[1, 3]], [[8, 8]], [[2, 5]], [[4, 4]]])
    theirs = (cross_entropy(start, targets[:, 0, 0]) + cross_entropy(end, targets[:, 0, 1])) / 2
    assert span_losses(start, end, legal, targets).mean().item() == pytest.approx(theirs.item(), abs=1e-6)


def test_several_right_answers_share_the_probability():
    import torch

    from quoth.training.loss import span_losses

    start = torch.tensor([[1.0, 2.0, 0.0, 9.0]])
    end = torch.tensor([[0.0, 1.0, 2.0, 9.0]])
    legal = torch.tensor([[True, True, True, False]])
    targets = torch.tensor([[[0, 1], [1, 2], [-1, -1]]])
    p = torch.softmax(start[0, :3], 0)
    q = torch.softmax(end[0, :3], 0)
    expected = -torch.log(p[0] * q[1] + p[1] * q[2]) / 2
    assert span_losses(start, end, legal, targets)[0].item() == pytest.approx(expected.item(), abs=1e-6)


def test_the_teacher_loss_is_0_for_equal_logits_of_legal_tokens():
    import torch
    from torch.nn.functional import kl_div, log_softmax, softmax

    from quoth.training.loss import teacher_losses

    torch.manual_seed(0)
    start, end, first, last = torch.randn(4, 3, 7) * 3
    legal = torch.ones(3, 7, dtype=torch.bool)
    assert teacher_losses(start, end, legal, (start + 5, end - 2)).tolist() == pytest.approx([0, 0, 0], abs=1e-5)
    wanted = [
        4 * kl_div(log_softmax(mine / 2, -1), softmax(theirs / 2, -1), reduction="none").sum(-1)
        for mine, theirs in ((start, first), (end, last))
    ]
    found = teacher_losses(start, end, legal, (first, last))
    assert torch.allclose(found, (wanted[0] + wanted[1]) / 2, atol=1e-5)
    # Padding and question do not count.
    wider = [torch.cat([each, torch.randn(3, 2) * 50], -1) for each in (start, end, first, last)]
    more = torch.cat([legal, torch.zeros(3, 2, dtype=torch.bool)], -1)
    assert torch.allclose(teacher_losses(*wider[:2], more, tuple(wider[2:])), found)


def test_the_loss_of_a_window_does_not_depend_on_its_batch(tmp_path):
    import torch

    from quoth.engines.torch import TorchEngine
    from quoth.training.attention import use_attention
    from quoth.training.config import TrainConfig
    from quoth.training.features import Collator
    from quoth.training.loss import span_losses
    from quoth.training.run import load_model

    model = load_model(TrainConfig(base=str(towns.base(tmp_path / "base", TINY / "wordpiece")))).eval()
    use_attention(model)
    windows = sorted(windows_of(towns.examples(8), max_tokens=64), key=len)
    collator = Collator(0, TorchEngine(model).takes_types)

    def losses(some):
        batch = collator(some)
        output = model(**batch.inputs)
        return span_losses(output.start_logits, output.end_logits, batch.legal, batch.targets)

    with torch.inference_mode():
        alone = torch.cat([losses([window]) for window in windows])
        together = losses(windows)
    assert len(windows[0]) < len(windows[-1])
    assert torch.allclose(alone, together, atol=1e-5)


# Optimizer


@pytest.mark.parametrize(
    ("settings", "course"),
    [
        ({"warmup": 0.2}, [0, 0.5, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]),
        ({"warmup": 0.0}, [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]),
        ({"warmup": 0.2, "cooldown": 0.4}, [0, 0.5, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]),
        ({"warmup": 0.0, "cooldown": 0.0}, [1] * 10),
        ({"warmup": 0.5, "cooldown": 1.0}, [0, 0.2, 0.4, 0.6, 0.8, 1, 0.8, 0.6, 0.4, 0.2]),
    ],
)
def test_the_learning_rate_follows_its_schedule(settings, course):
    from quoth.training.config import TrainConfig
    from quoth.training.optimizer import rate_factor

    config = TrainConfig(base="b", **settings)
    assert [rate_factor(config, step, 10) for step in range(10)] == pytest.approx(course)


def test_lower_layers_have_lower_learning_rates_and_norms_no_weight_decay(tmp_path):
    from quoth.training.config import TrainConfig
    from quoth.training.optimizer import adamw
    from quoth.training.run import load_model

    config = TrainConfig(base=str(towns.base(tmp_path / "base", TINY / "wordpiece")), layer_decay=0.5)
    model = load_model(config)
    optimizer = adamw(model, config)
    of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    groups = {name: of[id(parameter)] for name, parameter in model.named_parameters()}
    assert len(groups) == sum(len(group["params"]) for group in optimizer.param_groups)
    scales = {
        "qa_outputs.weight": 1.0,
        "bert.encoder.layer.1.output.dense.weight": 0.5,
        "bert.encoder.layer.0.attention.self.query.weight": 0.25,
        "bert.embeddings.word_embeddings.weight": 0.125,
    }
    assert {name: groups[name]["scale"] for name in scales} == scales
    assert groups["qa_outputs.weight"]["weight_decay"] == 0.01
    assert groups["qa_outputs.bias"]["weight_decay"] == 0.0
    assert groups["bert.embeddings.LayerNorm.weight"]["weight_decay"] == 0.0


def test_the_average_follows_the_weights_and_swaps_back():
    import torch

    from quoth.training.optimizer import MovingAverage

    model = torch.nn.Linear(2, 1, bias=False)
    average = MovingAverage(model, 0.5)
    start = model.weight.detach().clone()
    with torch.no_grad():
        model.weight += 1.0
    average.update()
    decay = 2 / 11  # the first step forgets faster than 0.5
    assert torch.allclose(average.weights["weight"], start + (1 - decay))
    average.swap()
    assert torch.allclose(model.weight, start + (1 - decay))
    average.swap()
    assert torch.equal(model.weight, start + 1.0)


# Checkpoints


FILES = (("a.bin", b"a" * 1000), ("b.bin", b"b" * 1000))


def test_a_checkpoint_is_written_atomically(tmp_path):
    from quoth.training.checkpoints import newest_checkpoint, write_checkpoint

    first = write_checkpoint(tmp_path, 5, FILES)
    assert first.name == "checkpoint-5"
    assert newest_checkpoint(tmp_path) == first

    def full_disk():
        yield FILES[0]
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(TrainingError, match=r"no space left on device\. The last complete checkpoint is checkpoint-5"):
        write_checkpoint(tmp_path, 10, full_disk())
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-5"], "nothing half written stays"


@pytest.mark.parametrize("name", ["a.bin", "b.bin", "manifest.json"])
@pytest.mark.parametrize("how", ["cut", "gone", "changed"])
def test_a_damaged_checkpoint_is_skipped(tmp_path, caplog, name, how):
    from quoth.training.checkpoints import newest_checkpoint, write_checkpoint

    older = write_checkpoint(tmp_path, 9, FILES)
    file = write_checkpoint(tmp_path, 10, FILES) / name
    content = file.read_bytes()
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(content[:-7] if how == "cut" else b"x" + content[1:])
    assert newest_checkpoint(tmp_path) == older
    assert "checkpoint-10: damaged" in caplog.text


def test_only_the_newest_and_best_checkpoints_are_kept(tmp_path):
    from quoth.training.checkpoints import clear_checkpoints, write_checkpoint

    def names():
        return sorted(path.name for path in tmp_path.iterdir())

    for step in (5, 10, 15, 20):
        write_checkpoint(tmp_path, step, FILES)
    (tmp_path / ".checkpoint-25.part").mkdir()
    clear_checkpoints(tmp_path, keep=2, best=10, newest=20)
    assert names() == ["checkpoint-10", "checkpoint-20"]
    clear_checkpoints(tmp_path, keep=1, best=10, newest=20)
    assert names() == ["checkpoint-10", "checkpoint-20"], "the newest is what --resume goes on from"
    clear_checkpoints(tmp_path, keep=1, best=None, newest=20)
    assert names() == ["checkpoint-20"]


def test_a_damaged_later_checkpoint_does_not_replace_new_ones(tmp_path):
    from quoth.training.checkpoints import clear_checkpoints, newest_checkpoint, write_checkpoint

    write_checkpoint(tmp_path, 10, FILES)
    (write_checkpoint(tmp_path, 20, FILES) / "a.bin").write_text("{")
    assert newest_checkpoint(tmp_path).name == "checkpoint-10"
    new = write_checkpoint(tmp_path, 15, FILES)
    clear_checkpoints(tmp_path, keep=1, best=None, newest=15)
    assert newest_checkpoint(tmp_path) == new
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-15"]


def test_a_checkpoint_exists_while_it_is_rewritten(tmp_path):
    from quoth.training.checkpoints import clear_checkpoints, newest_checkpoint, write_checkpoint

    first = write_checkpoint(tmp_path, 5, FILES)
    # What a kill between the two renames leaves: the one before, under its other name.
    first.rename(tmp_path / ".checkpoint-5.old")
    assert newest_checkpoint(tmp_path) == first
    again = write_checkpoint(tmp_path, 5, [("a.bin", b"c")])
    assert newest_checkpoint(tmp_path) == again == first
    assert not (again / "b.bin").exists()
    clear_checkpoints(tmp_path, keep=1, best=None, newest=5)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-5"]


def test_other_parameters_of_an_encoder_have_the_lowest_learning_rate():
    import torch
    from transformers import MPNetConfig, MPNetForQuestionAnswering

    from quoth.training.config import TrainConfig
    from quoth.training.optimizer import adamw

    size = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8, "num_hidden_layers": 2, "vocab_size": 9}
    model = MPNetForQuestionAnswering(MPNetConfig(**size))
    groups = adamw(model, TrainConfig(base="b", layer_decay=0.5)).param_groups
    scales = {id(parameter): group["scale"] for group in groups for parameter in group["params"]}
    found = {name: scales[id(parameter)] for name, parameter in model.named_parameters()}
    assert found["mpnet.encoder.relative_attention_bias.weight"] == 0.125
    assert found["mpnet.encoder.layer.1.attention.attn.q.weight"] == 0.5
    assert found["qa_outputs.weight"] == 1
    assert isinstance(model, torch.nn.Module)


def test_shipped_is_the_checkpoint_in_the_repository():
    from safetensors.torch import load_file

    from quoth.training.config import TrainConfig
    from quoth.training.run import load_model
    from quoth.training.sources import CHECKPOINT

    model = load_model(TrainConfig(base="shipped"))
    kept = load_file(CHECKPOINT / "model.safetensors")
    assert {name for name, _ in model.named_parameters()} == set(kept)
    assert all((value.half() == kept[name]).all() for name, value in model.named_parameters())
