"""Every family of networks on the hub: tiny, with random weights, in the layout of the hub's cache."""

import shutil

import pytest

from quoth.errors import ExportError
from quoth.reader import Reader
from quoth.store.hub import hub_folder
from support.readers import TINY
from test_hub import FIRST

pytestmark = [pytest.mark.torch, pytest.mark.long]

QUESTION = "Who keeps the lamp?"
CONTEXT = "The lighthouse of Cabo Branco was built in 1972. Its lamp turns all night. The keeper was Ana Ribeiro. " * 4
# Different names of the same sizes: each configuration uses those that it has.
SIZES = {
    "vocab_size": 480,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 130,
    "embedding_size": 16,
    "dim": 16,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dim": 32,
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
}
MOBILE = {"intra_bottleneck_size": 16, "true_hidden_size": 16, "num_feedforward_networks": 1}
# Family -> the most similar tiny tokenizer, and further settings of its configuration.
FAMILIES = {
    "albert": ("albert", {"pad_token_id": 5}),
    "bert": ("wordpiece", {}),
    "big_bird": ("wordpiece", {}),
    "bart": ("bpe", {"pad_token_id": 1}),
    "camembert": ("albert", {"pad_token_id": 1}),
    "deberta": ("wordpiece", {}),
    "deberta-v2": ("albert", {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}),
    "distilbert": ("wordpiece", {}),
    "electra": ("wordpiece", {}),
    "longformer": ("bpe", {"pad_token_id": 1, "attention_window": 16}),
    "mobilebert": ("wordpiece", MOBILE),
    "modernbert": ("wordpiece", {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "local_attention": 16}),
    "mpnet": ("wordpiece", {"pad_token_id": 1}),
    "roberta": ("bpe", {"pad_token_id": 1}),
    "roformer": ("wordpiece", {}),
    "squeezebert": ("wordpiece", {}),
    "xlm-roberta": ("albert", {"pad_token_id": 1}),
}
# Answers on torch, but torch cannot export it: it asserts on the number of separators in the ids.
NOT_EXPORTED = ("longformer",)


@pytest.fixture
def cached(tmp_path, request):
    """Create a tiny random model in a cache of the hub."""
    import torch
    from transformers import AutoConfig, AutoModelForQuestionAnswering
    from transformers.utils import logging

    family, old = request.param
    kind, more = FAMILIES[family]
    known = AutoConfig.for_model(family)
    sizes = {name: size for name, size in SIZES.items() if hasattr(known, name)}
    torch.manual_seed(3)
    model = AutoModelForQuestionAnswering.from_config(AutoConfig.for_model(family, **sizes | more)).eval()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "qa_outputs.weight" in name:
                weights *= 20
    root = tmp_path / f"models--owner--{family}"
    snapshot = root / "snapshots" / FIRST
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(FIRST)
    logging.disable_progress_bar()
    model.save_pretrained(snapshot)
    if old:
        (snapshot / "model.safetensors").unlink()
        torch.save(model.state_dict(), snapshot / "pytorch_model.bin")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TINY / kind / file, snapshot)
    return hub_folder(f"owner/{family}", cache_dir=tmp_path)


EXPORTED = [pytest.param((family, False), id=family) for family in FAMILIES if family not in NOT_EXPORTED]


@pytest.mark.parametrize("cached", [*EXPORTED, pytest.param(("roberta", True), id="roberta, old")], indirect=True)
def test_each_family_answers_equally_after_export(cached, tmp_path):
    from quoth import export

    reader = Reader.load(cached)
    assert reader.engine.name == "torch"
    before = reader.answer(QUESTION, CONTEXT, top_k=5)
    assert all(answer.span.of(CONTEXT) == answer.text for answer in before.answers)
    # `export` refuses what differs from torch by more than 1e-3.
    result = export(cached, tmp_path / "exported")
    assert result.difference <= 1e-3
    fast = Reader.load(tmp_path / "exported", precision="float32")
    assert fast.engine.name == "openvino"
    after = fast.answer(QUESTION, CONTEXT, top_k=5)
    assert [answer.score for answer in after.answers] == pytest.approx([a.score for a in before.answers], abs=2e-3)
    assert after.best.text == before.best.text


@pytest.mark.parametrize("cached", [(family, False) for family in NOT_EXPORTED], ids=str, indirect=True)
def test_models_that_cannot_be_exported_run_with_torch(cached, tmp_path):
    from quoth import export

    prediction = Reader.load(cached).answer(QUESTION, CONTEXT, top_k=5)
    assert [answer.span.of(CONTEXT) for answer in prediction.answers] == [answer.text for answer in prediction.answers]
    assert len(prediction.answers) == 5
    with pytest.raises(ExportError, match=r"torch cannot export this network: .*data-dependent"):
        export(cached, tmp_path / "exported")
    assert not (tmp_path / "exported").exists()
