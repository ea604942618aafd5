"""Small real data for the tests: an encoder with a few thousand weights, and texts that it can memorize."""

import random

from quoth.records import Example, Gold

NAMES = ("Ada", "Bela", "Cleo", "Dora", "Egon", "Fritz", "Gerd", "Hanna")
TOWNS = ("Paris", "Rome", "Oslo", "Bern", "Riga", "Kyiv", "Lima", "Doha")


def examples(count, seed=0):
    """Return questions of different lengths whose answers follow from the context."""
    pick = random.Random(seed)
    found = []
    for index in range(count):
        name, other = pick.sample(NAMES, 2)
        town, elsewhere = pick.sample(TOWNS, 2)
        filler = " ".join(pick.choices(TOWNS, k=pick.randint(0, 20)))
        context = f"{other} lives in {elsewhere} . {name} lives in {town} . {filler}"
        start = context.index(f"{name} lives in ") + len(f"{name} lives in ")
        golds = (Gold(town, start),)
        found.append(Example(f"q{index}", f"Where does {name} live ?", context, golds, "towns"))
    return found


def base(folder, tokenizer_folder, seed=0, hidden=32, layers=2, positions=128):
    """Write a random BERT encoder with the tiny WordPiece tokenizer into a folder."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(seed)
    tokenizer = BertTokenizerFast(tokenizer_file=str(tokenizer_folder / "tokenizer.json"))
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * hidden,
        max_position_embeddings=positions,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
