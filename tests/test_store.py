"""A reader on disk: settings, hashes, plain Hugging Face folders, and errors of damaged ones."""

import json
import subprocess
import sys

import pytest

from quoth.errors import ConfigError, ReaderError, TokenizerError
from quoth.files import sha256
from quoth.reader import Reader
from quoth.reading import DecodeSettings
from quoth.store import CorpusSettings, ReaderFolder, ReaderSettings, open_engine
from quoth.store.layout import reader_files
from support.readers import EACH_LAYOUT, KINDS, LAYOUTS, tiny_folder, tiny_layout

DECODE = DecodeSettings(max_answer_tokens=12, null_threshold=-1.5, null_bias=-0.5, temperature=1.7, odds_scale=2.0)
SETTINGS = ReaderSettings(64, 16, DECODE)
CONTEXT = "The lighthouse of Cabo Branco was built in 1972."


@pytest.fixture
def folder(tmp_path):
    """A complete reader with its manifest."""
    path = tiny_folder("wordpiece", tmp_path / "reader")
    ReaderFolder.open_unchecked(path).write_manifest(SETTINGS, {"precision": "int8", "scores": {"f1": 80.1}})
    return path


def changed(folder, change):
    """Rewrite the manifest after a change."""
    file = folder / "quoth.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))
    return folder


def test_settings_are_stored_and_loaded(folder):
    opened = ReaderFolder.open(folder)
    assert opened.settings() == SETTINGS
    assert opened.manifest["scores"] == {"f1": 80.1}
    reader = Reader.load(folder, threads=1, precision="float32")
    assert reader.settings == SETTINGS
    assert (reader.engine.name, reader.engine.precision) == ("openvino", "float32")
    assert (reader.tokenizer.max_tokens, reader.answer("Who?", CONTEXT).id) == (128, "")
    assert "precision='int8 and float32'" in repr(reader)
    assert "null_threshold=-1.5" in repr(reader)


@pytest.mark.parametrize(
    "settings",
    [ReaderSettings(), SETTINGS, ReaderSettings(32, 0, DecodeSettings(whole_words=False, null_threshold="never"))],
)
def test_settings_can_be_converted_to_json_and_back(settings):
    assert ReaderSettings.from_dict(json.loads(json.dumps(settings.to_dict())), "here") == settings


def test_missing_settings_have_defaults():
    assert ReaderSettings.from_dict({}, "here") == ReaderSettings()
    assert ReaderSettings.from_dict({"windows": {"overlap": 3}}, "here") == ReaderSettings(overlap=3)


@pytest.mark.parametrize("old", ["null", "Infinity"])
def test_a_stored_threshold_in_its_old_form_is_read(old):
    document = json.loads(f'{{"decode": {{"null_threshold": {old}, "temperature": 2}}}}')
    settings = ReaderSettings.from_dict(document, "here")
    assert settings.decode == DecodeSettings(null_threshold="never", temperature=2)
    assert settings.to_dict()["decode"]["null_threshold"] == "never"


def test_top_k_is_not_stored():
    assert "top_k" not in SETTINGS.to_dict()["decode"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"windows": [1]}, "windows and decode must be objects"),
        ({"windows": {"max_tokens": "384"}}, r"windows\.max_tokens: must be of type int, but is '384'"),
        ({"windows": {"max_tokens": 384.0}}, r"windows\.max_tokens: must be of type int, but is 384\.0"),
        ({"windows": {"overlap": True}}, r"windows\.overlap: must be of type int, but is True"),
        (
            {"windows": {"stride": 128}},
            r"windows\.stride: is unknown; known are max_tokens, overlap\. Was it written by a newer",
        ),
        ({"windows": {"max_tokens": 64, "overlap": 64}}, r"overlap must be from 0 to below max_tokens \(64\)"),
        ({"windows": {"max_tokens": 0}}, "overlap must be from 0"),
        ({"decode": {"whole_words": 1}}, r"decode\.whole_words: must be of type bool, but is 1"),
        ({"decode": {"temperature": None}}, r"decode\.temperature: must be of type float, but is None"),
        ({"decode": {"temperature": 0}}, "temperature must be from"),
        ({"decode": json.loads('{"temperature": Infinity}')}, "temperature must be from"),
        ({"decode": json.loads('{"null_threshold": NaN}')}, "null_threshold must be a number"),
        ({"decode": {"null_threshold": 10**400}}, "null_threshold must be a number"),
        ({"decode": {"odds_scale": 10**400}}, "odds_scale must be above 0 and finite"),
        ({"corpus": json.loads('{"null_threshold": NaN}')}, r"corpus\.null_threshold must be a number"),
        ({"decode": {"max_answer_tokens": 0}}, "max_answer_tokens must be at least 1"),
        ({"decode": {"top_k": 3}}, r"decode\.top_k: is unknown"),
    ],
)
def test_invalid_settings_are_reported(document, message):
    with pytest.raises(ReaderError, match=rf"quoth\.json: {message}|quoth\.json: .*{message}"):
        ReaderSettings.from_dict(document, "quoth.json")


@pytest.mark.parametrize("settings", [DecodeSettings, CorpusSettings])
@pytest.mark.parametrize("wrong", [float("nan"), "abc", 10**400, True])
def test_a_null_threshold_is_a_number_or_never(settings, wrong):
    with pytest.raises(ConfigError, match='null_threshold must be a number or "never", but is'):
        settings(null_threshold=wrong)
    assert settings(null_threshold=2).null_threshold == 2.0
    assert settings(null_threshold="never").null_threshold == "never"


def test_the_overlap_must_be_less_than_the_window():
    with pytest.raises(ConfigError, match="overlap must be from 0"):
        ReaderSettings(64, 64)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "tokenizer_config.json"])
def test_one_flipped_byte_is_detected(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ReaderError, match=rf"{name}: its sha256 differs from quoth\.json"):
        Reader.load(folder)


def test_a_missing_file_is_named_in_the_error(folder):
    (folder / "model.onnx").unlink()
    with pytest.raises(ReaderError, match=r"model\.onnx: listed in quoth\.json, but missing"):
        Reader.load(folder)


def test_the_manifest_has_a_hash_of_each_file(folder):
    manifest = json.loads((folder / "quoth.json").read_text())
    assert manifest["format"] == 1
    assert manifest["files"] == {
        name: sha256(folder / name) for name in ("tokenizer.json", "tokenizer_config.json", "model.onnx")
    }
    assert sorted(path.name for path in folder.iterdir()) == sorted([*manifest["files"], "quoth.json", "README.md"])


@pytest.mark.parametrize(
    "facts",
    [
        {"scores": {"dev": {"exact": None, "f1": "high", "total": 2}}},
        {"scores": {"dev": 3}},
        {"trained_on": {"questions": 1, "windows": 2, "steps": None, "seconds": 4, "config": None}},
    ],
)
def test_the_card_omits_facts_that_it_cannot_show(folder, facts):
    plain = (folder / "README.md").read_text(encoding="utf-8")
    written = ReaderFolder.open(folder).with_settings(SETTINGS, facts)
    assert (folder / "README.md").read_text(encoding="utf-8") == plain
    written.with_settings(ReaderSettings(128, 32), {})
    assert "windows | 128 tokens" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("layout", EACH_LAYOUT)
def test_a_copy_contains_the_weights_in_any_layout(layout, tmp_path):
    folder = tiny_layout(layout, tmp_path / "reader")
    (folder / "onnx").mkdir(exist_ok=True)
    for beside in ("tf_model.h5", "onnx/model_quantized.onnx", "model.onnx.bak"):
        (folder / beside).write_bytes(b"not loaded by anything")
    copy = ReaderFolder.open(folder).with_settings(ReaderSettings(128, 42), {}, tmp_path / "copy")
    expected = {"tokenizer.json", "tokenizer_config.json", "config.json", *LAYOUTS[layout]}
    assert set(copy.manifest["files"]) == expected
    found = {file.relative_to(copy.path).as_posix() for file in copy.path.rglob("*") if file.is_file()}
    assert found == {*expected, "quoth.json", "README.md"}
    one, other = (Reader.load(path, threads=1).answer("Who?", CONTEXT, top_k=3) for path in (folder, copy.path))
    assert one == other
    last = copy.path / LAYOUTS[layout][-1]
    last.write_bytes(last.read_bytes()[:-1] + b"?")
    with pytest.raises(ReaderError, match=r"its sha256 differs from quoth\.json"):
        Reader.load(copy.path)


def test_files_outside_the_folder_are_rejected(tmp_path):
    folder = tiny_folder("wordpiece", tmp_path / "reader", "tokenizer.json")
    (tmp_path / "secret").write_text("a key")
    names = ["../secret", str(tmp_path / "secret"), "x" * 5000, "\0", ""]
    fields = [b"\x0a\x08location\x12" + _length(name) + name.encode() for name in names]
    (folder / "model.onnx").write_bytes(b"".join(fields) + b"\x0a\x08location\x12\xff")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": dict(enumerate(names))}))
    assert reader_files(folder) == ["tokenizer.json", "model.onnx", index.name]
    (folder / "model.onnx").write_bytes(b"")
    assert reader_files(folder) == ["tokenizer.json", "model.onnx", index.name]


def _length(name):
    """The length of a text as protobuf writes it."""
    size = len(name.encode())
    return bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])


def test_tensor_files_may_have_long_names(tmp_path):
    folder = tiny_folder("wordpiece", tmp_path, "tokenizer.json")
    name = "x" * 200
    (folder / "model.onnx").write_bytes(b"\x0a\x08location\x12" + _length(name) + name.encode())
    (folder / name).write_bytes(b"weights")
    assert reader_files(folder) == ["tokenizer.json", "model.onnx", name]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"weight_map": []}'])
def test_an_index_without_shards_is_rejected(folder, content):
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ReaderError, match=r"index\.json: must map weights to files"):
        ReaderFolder.open(folder).with_settings(SETTINGS, {})


def test_a_newer_format_is_rejected(folder):
    changed(folder, lambda manifest: manifest.update(format=2))
    with pytest.raises(
        ReaderError, match=r"quoth\.json: format must be 1, but is 2\. Was it written by a newer Quoth\?"
    ):
        Reader.load(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "format must be 1, but is None"),
        ('{"format": 1, "files": []}', r"files must be an object, but is \[\]"),
        ('{"format": 1, "scores": null}', "scores must be an object, but is None"),
        ('{"format": 1, "trained_on": []}', r"trained_on must be an object, but is \[\]"),
        ("{", "must be JSON, but cannot be read"),
        ("[]", "must be a JSON object, but is list"),
        ("\x00", "must be JSON"),
    ],
)
def test_a_damaged_manifest_is_reported(folder, content, message):
    (folder / "quoth.json").write_text(content)
    with pytest.raises(ReaderError, match=rf"quoth\.json: {message}"):
        Reader.load(folder)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(ReaderError, match="nowhere: must be the folder of a reader, but there is no such folder"):
        Reader.load(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(ReaderError, match="file: must be the folder of a reader, but is a file"):
        Reader.load(tmp_path / "file")
    with pytest.raises(ReaderError, match=r"must contain a reader .* but contains none of these"):
        Reader.load(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hugging_face_folder_has_settings_from_tokenizer_and_config(kind, tmp_path):
    reader = Reader.load(tiny_folder(kind, tmp_path), threads=1)
    assert reader.settings == ReaderSettings(128, 42)  # model_max_length of the tokenizer's configuration
    assert reader.settings.decode.null_threshold == "never"
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 90}')
    reader = Reader.load(tmp_path, threads=1)
    assert (reader.settings.max_tokens, reader.settings.overlap) == (90, 30)
    assert reader.answer("Who?", CONTEXT * 20).best.window_index >= 0
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 512}')
    assert ReaderFolder.open(tmp_path).settings() == ReaderSettings(384, 128)


def test_folder_without_weights_or_tokenizer(tmp_path):
    with pytest.raises(ReaderError, match=r"must contain model\.onnx or model\.safetensors, but contains neither"):
        Reader.load(tiny_folder("bpe", tmp_path / "one", "tokenizer.json"))
    with pytest.raises(TokenizerError, match=r"must contain a tokenizer\.json, but contains none"):
        Reader.load(tiny_folder("bpe", tmp_path / "two", "model.onnx"))


def test_without_torch_a_torch_folder_reports_what_to_install(tmp_path):
    """Run in a separate interpreter that cannot import torch."""
    folder = tiny_folder("wordpiece", tmp_path, "tokenizer.json", "config.json", "model.safetensors")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from quoth import Reader; from quoth.errors import MissingExtraError\n"
        "try: Reader.load(sys.argv[1])\n"
        "except MissingExtraError as error: print(error.extra, error, sep='|')"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    extra, message = done.stdout.split("|")
    assert extra == "torch"
    assert "has no model.onnx" in message
    assert "pip install 'quoth[torch]'" in message


@pytest.mark.torch
def test_with_torch_a_hugging_face_folder_answers(tmp_path):
    plain = tiny_folder("wordpiece", tmp_path / "hf", "tokenizer.json", "config.json", "model.safetensors")
    with_onnx = tiny_folder("wordpiece", tmp_path / "onnx", "tokenizer.json", "config.json", "model.onnx")
    one, other = Reader.load(plain), Reader.load(with_onnx, threads=1, precision="float32")
    assert (one.engine.name, other.engine.name) == ("torch", "openvino")
    assert one.settings == other.settings == ReaderSettings(128, 42)
    found, expected = one.answer("Who?", CONTEXT, top_k=3), other.answer("Who?", CONTEXT, top_k=3)
    assert [answer.span for answer in found.answers] == [answer.span for answer in expected.answers]
    assert found.null_score == pytest.approx(expected.null_score, abs=1e-3)


def test_engine_of_a_folder(folder):
    opened = ReaderFolder.open(folder)
    assert open_engine(opened, threads=1).name == "openvino"
    with pytest.raises(ConfigError, match="engine must be auto, openvino, onnxruntime or torch, but is tensorrt"):
        open_engine(opened, engine="tensorrt")
    with pytest.raises(ConfigError, match="precision must be one of float32, bfloat16, float16, but is half"):
        open_engine(opened, precision="half")
    with pytest.raises(ReaderError, match=r"must contain model\.safetensors for torch, but contains only model\.onnx"):
        open_engine(opened, engine="torch")
    (folder / "model.onnx").unlink()
    with pytest.raises(ReaderError, match=r"must contain model\.onnx for openvino, but contains none"):
        open_engine(opened, engine="openvino")
