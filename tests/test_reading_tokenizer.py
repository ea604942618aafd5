"""The tokenizer: no truncation, no padding, no special tokens in texts, offsets in code points."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
import tokenizers
from hypothesis import given, strategies as st

from quoth.errors import TokenizerError
from quoth.reading import Tokenizer
from quoth.text import replace_surrogates
from support.readers import KINDS, TINY, tiny_folder, tiny_tokenizer, tokenizer_document
from support.texts import many, texts

LONG = "The lighthouse of Cabo Branco was built in 1972. " * 20


def written(folder, document):
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def offsets_of(kind, text):
    return tiny_tokenizer(kind).encode([text])[0].offsets.tolist()


@pytest.mark.parametrize(
    ("kind", "template", "special_types", "text_types", "cls"),
    [
        ("wordpiece", (["[CLS]"], ["[SEP]"], ["[SEP]"]), ((0,), (0,), (1,)), (0, 1), (0, None)),
        ("bpe", (["<s>"], ["</s>", "</s>"], ["</s>"]), ((0,), (0, 0), (0,)), (0, 0), (0, None)),
        ("unigram", ([], ["<sep>"], ["<sep>", "<cls>"]), ((), (0,), (1, 2)), (0, 1), (None, 1)),
    ],
)
def test_the_template_matches_the_tokenizer(kind, template, special_types, text_types, cls):
    tokenizer = tiny_tokenizer(kind)
    found = tokenizer.template
    assert tuple([tokenizer.token(i) for i in part] for part in (found.prefix, found.middle, found.suffix)) == template
    assert found.special_types == special_types
    assert found.text_types == text_types
    assert (found.cls_in_prefix, found.cls_in_suffix) == cls
    assert len(found) == sum(map(len, template))


def test_the_padding_token_matches_the_tokenizer():
    assert [tiny_tokenizer(kind).token(tiny_tokenizer(kind).pad_id) for kind in KINDS] == ["[PAD]", "<pad>", "<pad>"]


def test_special_tokens_are_found_without_a_configuration(tmp_path):
    for kind in KINDS:
        plain = Tokenizer.load(tiny_folder(kind, tmp_path / kind, "tokenizer.json"))
        assert plain.template == tiny_tokenizer(kind).template
        assert plain.pad_id == tiny_tokenizer(kind).pad_id
        assert plain.max_tokens is None


def test_special_token_in_the_configuration_may_be_an_object(tmp_path):
    folder = tiny_folder("unigram", tmp_path, "tokenizer.json")
    (folder / "tokenizer_config.json").write_text('{"cls_token": {"content": "<sep>"}, "pad_token": "<mask>"}')
    tokenizer = Tokenizer.load(folder)
    assert tokenizer.template.cls_in_suffix == 0
    assert tokenizer.token(tokenizer.pad_id) == "<mask>"


def test_a_huge_limit_is_no_limit(tmp_path):
    folder = tiny_folder("bpe", tmp_path)
    assert Tokenizer.load(folder).max_tokens == 128
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 1000000000000000019884624838656}')
    assert Tokenizer.load(folder).max_tokens is None


@pytest.mark.parametrize("kind", KINDS)
@many
@given(text=texts)
def test_offsets_are_within_the_text_and_ascending(kind, text):
    tokenizer = tiny_tokenizer(kind)
    (tokens,) = tokenizer.encode([text])
    offsets = tokens.offsets
    assert offsets.shape == (len(tokens), 2)
    assert ((offsets >= 0) & (offsets <= len(text))).all()
    assert (offsets[:, 0] <= offsets[:, 1]).all()
    assert (np.diff(offsets, axis=0) >= 0).all()
    for start, end in offsets.tolist():
        assert text[start:end] == text[start:end].strip()


@pytest.mark.parametrize("kind", KINDS)
@many
@given(text=texts)
def test_text_never_becomes_a_special_token(kind, text):
    tokenizer = tiny_tokenizer(kind)
    template = tokenizer.template
    special = {tokenizer.pad_id, *template.prefix, *template.middle, *template.suffix}
    assert special.isdisjoint(tokenizer.encode([text])[0].ids.tolist())


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_in_a_text_keep_their_offsets(kind):
    text = "a [SEP] b </s> c <sep><cls>"
    spans = offsets_of(kind, text)
    covered = {position for start, end in spans for position in range(start, end)}
    assert covered == {position for position, character in enumerate(text) if not character.isspace()}


def test_special_tokens_in_a_text_are_plain_text():
    tokenizer = tiny_tokenizer("bpe")
    for text in ("a </s> b", "<s>", "<pad><mask>"):
        ids = tokenizer.encode([text])[0].ids.tolist()
        assert tokenizer.decode(ids) == text
        assert len(ids) > len(text.split())


@pytest.mark.parametrize("kind", KINDS)
@many
@given(text=texts)
def test_lone_surrogates_count_as_replacement_characters(kind, text):
    clean = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    first, second = tiny_tokenizer(kind).encode([text, clean])
    assert first.ids.tolist() == second.ids.tolist()
    assert first.offsets.tolist() == second.offsets.tolist()


NORMALIZERS = (
    None,
    {"lowercase": True},
    {"lowercase": True, "strip_accents": False},
    {"strip_accents": True, "handle_chinese_chars": False},
    {"clean_text": False},
)


@cache
def word_tokenizer(normalizer):
    """Return a WordPiece tokenizer that normalizes so; it remembers what the examples before said."""
    document = tokenizer_document("wordpiece")
    flags = {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": False}
    changed = NORMALIZERS[normalizer]
    document["normalizer"] = changed and {"type": "BertNormalizer", **flags, **changed}
    return Tokenizer(tokenizers.Tokenizer.from_str(json.dumps(document)))


def same_tokens(ours, theirs):
    ids, offsets = theirs
    return (
        ours.ids.tolist() == ids.tolist()
        and ours.offsets.tolist() == offsets.tolist()
        and ours.has_empty == (offsets[:, 0] >= offsets[:, 1]).any()
        and {ours.ids.dtype, ours.offsets.dtype} == {np.dtype(np.int32)}
    )


@pytest.mark.parametrize("normalizer", range(len(NORMALIZERS)))
@many
@given(several=st.lists(texts, max_size=3))
def test_cached_words_have_the_tokens_that_they_have_in_a_text(normalizer, several):
    tokenizer = word_tokenizer(normalizer)
    # Twice: when words are new, and when they are known.
    for _ in range(2):
        for text, tokens in zip(several, tokenizer.encode(several), strict=True):
            assert same_tokens(tokens, tokenizer._encode_whole([replace_surrogates(text)])[0])


@pytest.mark.parametrize("kind", KINDS)
@many
@given(several=st.lists(texts, max_size=3))
def test_ids_are_the_same_with_and_without_offsets(kind, several):
    tokenizer = tiny_tokenizer(kind)
    with_offsets = tokenizer.encode(several)
    assert [ids.tolist() for ids in tokenizer.encode_ids(several)] == [tokens.ids.tolist() for tokens in with_offsets]


def test_words_without_tokens_do_not_shift_the_others():
    tokenizer = word_tokenizer(1)
    for text in ("\u200b a \u0301, of \u00a0", "\u200b", "\u0301 \u0301", "a \x00"):
        assert same_tokens(tokenizer.encode([text])[0], tokenizer._encode_whole([text])[0])


def test_words_are_cached():
    tokenizer = Tokenizer.load(TINY / "wordpiece")
    tokenizer.encode(["The lighthouse, built\nin 1972."])
    assert set(tokenizer._words._tokens) == {"The", "lighthouse", ",", "built\nin", "1972", "."}
    assert all(tiny_tokenizer(kind)._words is None for kind in ("bpe", "unigram"))


def test_the_cache_of_words_is_limited():
    tokenizer = Tokenizer.load(TINY / "wordpiece")
    words = tokenizer._words
    tokenizer.encode(["a" * (words.longest_remembered + 1) + " of"])
    assert set(words._tokens) == {"of"}
    words.remembered = 10
    text = " ".join(f"x{number}" for number in range(25))
    for _ in range(2):
        (tokens,) = tokenizer.encode([text])
        assert same_tokens(tokens, tokenizer._encode_whole([text])[0])
        assert len(words._tokens) == 10


def test_the_cache_of_words_is_thread_safe():
    tokenizer = Tokenizer.load(TINY / "wordpiece")
    tokenizer._words.remembered = 10
    several = [" ".join(f"x{number % 17}" for number in range(start, start + 9)) for start in range(200)]
    whole = tokenizer._encode_whole(several)
    with ThreadPoolExecutor(4) as threads:
        for tokens in threads.map(lambda _: [tokenizer.encode([text])[0] for text in several], range(4)):
            assert all(map(same_tokens, tokens, whole))


def test_added_token_of_two_words(tmp_path):
    document = tokenizer_document("wordpiece")
    number = max(document["model"]["vocab"].values()) + 1
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    document["added_tokens"].append({"id": number, "content": "Cabo Branco", **flags})
    apart, together = Tokenizer.load(written(tmp_path, document)).encode(["Cabo of Branco", "Cabo Branco"])
    assert number not in apart.ids
    assert together.ids.tolist() == [number]


def test_offsets_exclude_white_space():
    text = "The  light\r\n house"
    assert [text[start:end] for start, end in offsets_of("bpe", text) if start < end] == ["The", "light", "house"]
    # The bare library has the blanks in, with this tokenizer: the trimming is ours.
    bare = tokenizers.Tokenizer.from_file(str(TINY / "bpe" / "tokenizer.json"))
    assert any(text[start:end].startswith(" ") for start, end in bare.encode(text, add_special_tokens=False).offsets)


def test_tokens_of_only_white_space_are_empty():
    assert offsets_of("bpe", " \n ") == [[end, end] for _, end in offsets_of("bpe", " \n ")]
    assert len(offsets_of("bpe", " \n ")) > 0
    assert offsets_of("wordpiece", " \n ") == []


def test_an_empty_text_has_no_tokens():
    for kind in KINDS:
        assert [len(tokens) for tokens in tiny_tokenizer(kind).encode(["", ""])] == [0, 0]
        assert tiny_tokenizer(kind).encode([]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_stored_truncation_and_padding_are_switched_off(kind, tmp_path):
    stored = tokenizers.Tokenizer.from_file(str(TINY / kind / "tokenizer.json"))
    stored.enable_truncation(max_length=16, stride=2)
    stored.enable_padding(length=64)
    file = tmp_path / "tokenizer.json"
    stored.save(str(file))
    before = file.read_bytes()
    assert len(stored.encode(LONG)) == 64  # so the file does cut and pad

    tokenizer = Tokenizer.load(file)
    assert tokenizer.template == tiny_tokenizer(kind).template
    for text in (LONG, "short"):
        (tokens,), (expected,) = tokenizer.encode([text]), tiny_tokenizer(kind).encode([text])
        assert tokens.ids.tolist() == expected.ids.tolist()
    assert json.loads(tokenizer.to_json())["truncation"] is None
    assert json.loads(tokenizer.to_json())["padding"] is None
    assert file.read_bytes() == before


def test_the_given_tokenizer_is_not_changed():
    given_one = tokenizers.Tokenizer.from_file(str(TINY / "bpe" / "tokenizer.json"))
    given_one.enable_truncation(max_length=16)
    Tokenizer(given_one)
    assert given_one.truncation["max_length"] == 16
    assert not given_one.encode_special_tokens


def test_tokens_have_readable_texts():
    tokenizer = tiny_tokenizer("wordpiece")
    (tokens,) = tokenizer.encode(["The lighthouse"])
    assert tokenizer.decode(tokens.ids.tolist()) == "The lighthouse"
    assert tokenizer.token(2) == "[CLS]"
    assert tokenizer.token(10**6) == ""


def test_missing_file(tmp_path):
    with pytest.raises(TokenizerError, match=r"must contain a tokenizer\.json, but contains none"):
        Tokenizer.load(tmp_path)
    with pytest.raises(TokenizerError, match=r"elsewhere\.json: must contain"):
        Tokenizer.load(tmp_path / "elsewhere.json")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"{not JSON", b"\xff\xfe\x00", b'{"model": {"type": "None"}}'])
def test_broken_file(tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(TokenizerError, match=r"tokenizer\.json: must be a tokenizer\.json, but cannot be read"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"), [("{", "must be JSON, but cannot be read"), ("[]", "must be a JSON object, but is list")]
)
def test_broken_configuration(tmp_path, content, message):
    folder = tiny_folder("bpe", tmp_path, "tokenizer.json")
    (folder / "tokenizer_config.json").write_text(content)
    with pytest.raises(TokenizerError, match=rf"tokenizer_config\.json: {message}"):
        Tokenizer.load(folder)


def test_a_tokenizer_without_a_vocabulary_is_rejected(tmp_path):
    document = tokenizer_document("wordpiece")
    document["model"]["vocab"] = {"[CLS]": 2, "[SEP]": 3}
    document["added_tokens"] = []
    with pytest.raises(TokenizerError, match="failed on a pair of short texts"):
        Tokenizer.load(written(tmp_path, document))


def test_a_tokenizer_with_the_context_first_is_rejected(tmp_path):
    document = tokenizer_document("wordpiece")
    pair = document["post_processor"]["pair"]
    pair[1], pair[3] = pair[3], pair[1]
    with pytest.raises(TokenizerError, match="the question before the context"):
        Tokenizer.load(written(tmp_path, document))


def test_panic_of_the_library_is_an_error(tmp_path):
    """Panics are ``BaseException``s: if they are not caught, a single text ends the process."""
    document = tokenizer_document("wordpiece")
    document["pre_tokenizer"] = {"type": "FixedLength", "length": 0}
    with pytest.raises(TokenizerError, match="failed on a pair of short texts: chunk size must be non-zero"):
        Tokenizer.load(written(tmp_path, document))
    # Added tokens are taken out before the text is split: this one survives an "a", and panics on all else.
    number = document["model"]["vocab"]["a"]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    document["added_tokens"].append({"id": number, "content": "a", **flags})
    tokenizer = Tokenizer.load(written(tmp_path, document))
    assert tokenizer.encode(["a"])[0].ids.tolist() == [number]
    with pytest.raises(TokenizerError, match="failed on a text: chunk size must be non-zero"):
        tokenizer.encode(["a", "b"])
