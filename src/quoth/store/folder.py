"""The folder of a reader: what lies in it, whether it is whole, and which engine runs it.

    reader/
    ├── quoth.json          format version, settings, what it was trained on, scores, sha256 of each file
    ├── tokenizer.json
    ├── model.onnx          float, or int8
    ├── model.safetensors, config.json     where it is to be trained further
    └── README.md           model card

A plain Hugging Face folder has no ``quoth.json``; its settings come from its tokenizer and its config. Its ONNX file
may lie in ``onnx/``, and its weights in several files; ``layout.py`` knows all layouts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from quoth.engines import Engine
from quoth.engines.precisions import PRECISIONS, wrong_precision
from quoth.engines.select import cache_folder, open_onnx
from quoth.errors import ConfigError, MissingExtraError, ReaderError
from quoth.files import sha256, whole_file, whole_folder, write_json
from quoth.store.card import card
from quoth.store.hub import hub_folder, is_hub_name
from quoth.store.layout import CARD, MANIFEST, copy_reader, has_torch_weights, onnx_file, reader_files
from quoth.store.settings import ReaderSettings

FORMAT = 1
_OURS = ("format", "files")  # what every manifest gets anew
# Models that number positions from the one after the padding's id, so that they take fewer than their config says.
_POSITIONS_FROM_PADDING = (
    "roberta",
    "xlm-roberta",
    "xlm-roberta-xl",
    "camembert",
    "mpnet",
    "longformer",
    "data2vec-text",
)


@dataclass(frozen=True, slots=True)
class ReaderFolder:
    """A folder that holds a reader.

    Attributes:
        path: The folder.
        manifest: The content of ``quoth.json``; empty for a plain Hugging Face folder.
        config: The content of ``config.json``; empty if there is none.
    """

    path: Path
    manifest: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, path: str | Path) -> ReaderFolder:
        """Open a folder and check its hashes.

        Raises:
            ReaderError: If it is missing, incomplete, damaged, or of a newer format.
        """
        path = Path(path)
        if not path.is_dir():
            raise ReaderError(f"{path}: must be the folder of a reader, but {_what(path)}")
        folder = cls.open_unchecked(path)
        if (path / MANIFEST).is_file():
            folder._check()
        elif not (path / "tokenizer.json").is_file() and not folder.config and not folder.onnx:
            raise ReaderError(
                f"{path}: must hold a reader (quoth.json, tokenizer.json and model.onnx; or a Hugging Face folder with "
                "tokenizer.json, config.json and model.safetensors), but holds none of these"
            )
        return folder

    @classmethod
    def open_unchecked(cls, path: Path) -> ReaderFolder:
        """Open a folder that is being made, whatever is in it."""
        return cls(path, _json(path / MANIFEST), _json(path / "config.json"))

    @property
    def onnx(self) -> Path | None:
        """Its ONNX file, or ``None``."""
        return onnx_file(self.path)

    def _check(self) -> None:
        found = self.manifest.get("format")
        if found != FORMAT:
            raise ReaderError(
                f"{self.path / MANIFEST}: format must be {FORMAT}, but is {found!r}. Is it of a newer Quoth?"
            )
        hashes = self.manifest.get("files", {})
        if not isinstance(hashes, dict):
            raise ReaderError(f"{self.path / MANIFEST}: files must be an object, but is {hashes!r}")
        for name, wanted in hashes.items():
            file = self.path / name
            if not file.is_file():
                raise ReaderError(f"{file}: must be there, as {MANIFEST} says, but is missing. Copy the whole folder.")
            if sha256(file) != wanted:
                raise ReaderError(f"{file}: is not the file that {MANIFEST} vouches for (its sha256 differs)")

    def settings(self, tokenizer_limit: int | None = None) -> ReaderSettings:
        """Return the stored settings; for a plain folder the defaults, cut to what its model can take.

        Args:
            tokenizer_limit: The longest window that the tokenizer's configuration allows.
        """
        if self.manifest:
            return ReaderSettings.from_json(self.manifest, str(self.path / MANIFEST))
        limits = [
            limit for limit in (tokenizer_limit, most_positions(self.config)) if isinstance(limit, int) and limit > 0
        ]
        longest = min([384, *limits])
        return ReaderSettings(max_tokens=longest, overlap=min(128, longest // 3), stored=False)

    def write_manifest(self, settings: ReaderSettings, facts: Mapping[str, Any]) -> ReaderFolder:
        """Write ``quoth.json``, whole or not at all, with the hashes of the files that are there now; and the card.

        Args:
            settings: The reader's settings.
            facts: What else to say of it: precision, what it was trained on, scores.
        """
        manifest = {
            "format": FORMAT,
            **settings.to_json(),
            **facts,
            "files": {name: sha256(self.path / name) for name in reader_files(self.path)},
        }
        write_json(self.path / MANIFEST, manifest)
        if self._card_is_ours():
            with whole_file(self.path / CARD) as file:
                file.write(card(manifest))
        return ReaderFolder(self.path, manifest, self.config)

    def _card_is_ours(self) -> bool:
        """Tell whether the card may be written anew: not if somebody wrote or edited it."""
        file = self.path / CARD
        if not file.exists():
            return True
        try:
            return file.read_text(encoding="utf-8") == card(self.manifest)
        except (KeyError, UnicodeDecodeError):  # a manifest without the settings that a card of ours shows
            return False

    def with_settings(
        self, settings: ReaderSettings, facts: Mapping[str, Any], out: str | Path | None = None
    ) -> ReaderFolder:
        """Store other settings, and what else to say of the reader: here, or in a copy.

        Args:
            settings: The new settings.
            facts: Are added to those of the manifest.
            out: A new or empty folder for the copy, which appears whole or not at all; ``None``: change this one.

        Raises:
            ConfigError: If ``out`` holds something.
        """
        known = {key: value for key, value in self.manifest.items() if key not in (*settings.to_json(), *_OURS)}
        if out is None:
            return self.write_manifest(settings, {**known, **facts})
        out = check_new_folder(out)
        with whole_folder(out) as part:
            copy_reader(self.path, part)
            ReaderFolder(part, self.manifest, self.config).write_manifest(settings, {**known, **facts})
        return ReaderFolder.open(out)


def check_new_folder(path: str | Path) -> Path:
    """Return the path of a folder that is new or empty.

    Raises:
        ConfigError: If something is there.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(f"{path}: must be a new or empty folder, but holds something")
    return path


def most_positions(config: Mapping[str, Any]) -> int | None:
    """Return how many tokens a model has positions for, by its ``config.json``; ``None`` if it does not say."""
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions < 1 or config.get("position_biased_input") is False:
        return None  # DeBERTa may have no table of them
    if config.get("model_type") in _POSITIONS_FROM_PADDING:
        positions -= int(config.get("pad_token_id") or 0) + 1
    return positions


def find_folder(
    source: str | Path | None = None, *, revision: str | None = None, token: str | bool | None = None
) -> ReaderFolder:
    """Return the folder of a reader, wherever it is.

    Args:
        source: A folder, or a name on the hub; the shipped reader if ``None``.
        revision: Of a name on the hub: a branch, a tag or a commit.
        token: To log in to the hub with.

    Raises:
        ReaderError: If there is none, or it is incomplete or damaged.
    """
    if source is None:
        return shipped_folder()
    if is_hub_name(source):
        source = hub_folder(str(source), revision=revision, token=token)
    return ReaderFolder.open(source)


def shipped_folder() -> ReaderFolder:
    """Return the folder of the reader that comes with the package."""
    return ReaderFolder.open(Path(str(files("quoth") / "shipped")))


def open_engine(
    folder: ReaderFolder,
    *,
    engine: str = "auto",
    precision: str | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> Engine:
    """Start the engine that runs a folder: its ONNX file where it holds one, else torch.

    Args:
        folder: The folder.
        engine: "openvino", "onnxruntime", "torch", or "auto": what measured best on this kind of processor.
        precision: "float32", "bfloat16" or "float16", as far as engine and processor have it; what measured best if
            ``None``. Products that the file has in int8 stay int8.
        threads: Threads of the engine; all usable cores if ``None``.
        device: "cpu", or where torch computes ("cuda", "cuda:1", "mps"). If ``None``, torch takes a GPU if there is
            one, and "auto" takes the CPU where the folder has a ``model.onnx``.

    Raises:
        ReaderError: If the folder holds no weights for this engine, or it cannot compute in this precision or on this
            device.
        ConfigError: If there is no such engine or precision, or the engine has no such device.
        MissingExtraError: If what runs it is not installed.
    """
    if precision not in (None, *PRECISIONS):
        raise ConfigError(wrong_precision(precision))
    on_cpu = device in (None, "cpu")
    if engine == "torch" or (engine == "auto" and not (folder.onnx and on_cpu)):
        return open_torch(folder, precision=precision or "float32", device=device, threads=threads)
    if not on_cpu:
        raise ConfigError(f"device must be cpu with engine {engine}, but is {device}. On a GPU, use engine torch")
    if not folder.onnx:
        raise ReaderError(
            f"{folder.path}: must hold model.onnx for {engine}, but holds none. Make one with: "
            f"quoth export {folder.path} -o DIR"
        )
    return open_onnx(folder.onnx, engine=engine, precision=precision, threads=threads, cache=cache_folder())


def open_torch(
    folder: ReaderFolder, *, precision: str = "float32", device: str | None = None, threads: int | None = None
) -> Engine:
    """Run a folder with torch, as it is.

    Args:
        folder: The folder.
        precision: What to compute in: "float32", "bfloat16" or "float16".
        device: Where, as torch names it; the GPU if there is one, else the processor, if ``None``.
        threads: On the processor; as torch has it if ``None``.

    Raises:
        ReaderError: If the folder holds no weights.
        MissingExtraError: If torch is not installed.
    """
    if not has_torch_weights(folder.path):
        if folder.onnx:
            raise ReaderError(
                f"{folder.path}: must hold model.safetensors for torch, but holds {folder.onnx.name} alone. Leave the "
                "engine and the device to auto, or run the reader that it was exported from"
            )
        raise ReaderError(f"{folder.path}: must hold model.onnx or model.safetensors, but holds neither")
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise MissingExtraError(
            f"{folder.path} holds no model.onnx (`quoth export {folder.path} -o DIR` makes one); to run it as it is",
            "torch",
        )
    from quoth.engines.torch import TorchEngine

    return TorchEngine.load(folder.path, precision=precision, device=device, threads=threads)


def _what(path: Path) -> str:
    return "is a file" if path.exists() else "there is no such folder"


def _json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ReaderError(f"{file}: must be JSON, but cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise ReaderError(f"{file}: must be a JSON object, but is {type(document).__name__}")
    return document
