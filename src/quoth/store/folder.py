"""The folder of a reader: its files, their integrity, and where it is found.

    reader/
    ├── quoth.json          format version, settings, what it was trained on, scores, sha256 of each file
    ├── seen.npz            fingerprints of the questions and contexts that it was made from
    ├── tokenizer.json
    ├── model.onnx          float, or int8
    ├── model.safetensors, config.json     optional, to train it further
    └── README.md           model card

A plain Hugging Face folder has no ``quoth.json``; its settings come from its tokenizer and its config. Its ONNX file
may be in ``onnx/``, and its weights may be sharded; see ``layout.py`` for all layouts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quoth.errors import ConfigError, ReaderError
from quoth.files import atomic_folder, atomic_text, sha256, write_json
from quoth.store.card import card
from quoth.store.hub import hub_folder, is_hub_name
from quoth.store.layout import CARD, MANIFEST, copy_reader, onnx_file, reader_files
from quoth.store.settings import ReaderSettings

if TYPE_CHECKING:
    from quoth.store.provenance import Used

FORMAT = 1
# The name of the shipped reader, in all interfaces.
SHIPPED = "shipped"
_OURS = ("format", "files")  # written again in every manifest
# Models whose position ids start after the padding id, so that they support fewer tokens than their config says.
_POSITIONS_FROM_PADDING = (
    "roberta",
    "xlm-roberta",
    "xlm-roberta-xl",
    "camembert",
    "mpnet",
    "longformer",
    "data2vec-text",
)


@dataclass(frozen=True)
class ReaderFolder:
    """The folder of a reader.

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
            ReaderError: If it is missing, incomplete, damaged, or has a newer format.
        """
        path = Path(path)
        if not path.is_dir():
            raise ReaderError(f"{path}: must be the folder of a reader, but {_kind_of_path(path)}")
        folder = cls.open_unchecked(path)
        if (path / MANIFEST).is_file():
            folder._check()
        elif not (path / "tokenizer.json").is_file() and not folder.config and not folder.onnx:
            raise ReaderError(
                f"{path}: must contain a reader (quoth.json, tokenizer.json and model.onnx; or a Hugging Face folder "
                "with tokenizer.json, config.json and model.safetensors), but contains none of these"
            )
        return folder

    @classmethod
    def open_unchecked(cls, path: Path) -> ReaderFolder:
        """Open a folder without checks, for instance while it is being written."""
        return cls(path, _json(path / MANIFEST), _json(path / "config.json"))

    @cached_property
    def used(self) -> list[Used]:
        """The data sets that the reader was made from; empty if its folder records none.

        Raises:
            ReaderError: If they cannot be read.
        """
        from quoth.store.provenance import read_used

        return read_used(self.path, self.manifest)

    @property
    def onnx(self) -> Path | None:
        """Its ONNX file, or ``None``."""
        return onnx_file(self.path)

    @property
    def quantized(self) -> bool:
        """Whether its ONNX file has int8 weights."""
        return self.manifest.get("precision") == "int8" and self.onnx is not None

    def _check(self) -> None:
        found = self.manifest.get("format")
        if found != FORMAT:
            raise ReaderError(
                f"{self.path / MANIFEST}: format must be {FORMAT}, but is {found!r}. Was it written by a newer Quoth?"
            )
        for name in ("files", "scores", "trained_on"):
            value = self.manifest.get(name, {})
            if not isinstance(value, dict):
                raise ReaderError(f"{self.path / MANIFEST}: {name} must be an object, but is {value!r}")
        for name, wanted in self.manifest.get("files", {}).items():
            file = self.path / name
            if not file.is_file():
                raise ReaderError(f"{file}: listed in {MANIFEST}, but missing. Copy the whole folder.")
            if sha256(file) != wanted:
                raise ReaderError(f"{file}: its sha256 differs from {MANIFEST}. Copy the folder again.")

    def settings(self, tokenizer_limit: int | None = None) -> ReaderSettings:
        """Return the stored settings; for a plain folder the defaults, limited to what its model supports.

        Args:
            tokenizer_limit: Maximum length of a window in the tokenizer's configuration.
        """
        if self.manifest:
            return ReaderSettings.from_dict(self.manifest, str(self.path / MANIFEST))
        limits = [
            limit for limit in (tokenizer_limit, most_positions(self.config)) if isinstance(limit, int) and limit > 0
        ]
        longest = min([384, *limits])
        return ReaderSettings(max_tokens=longest, overlap=min(128, longest // 3), stored=False)

    def write_manifest(
        self, settings: ReaderSettings, facts: Mapping[str, Any], *, used: Sequence[Used] | None = None
    ) -> ReaderFolder:
        """Write ``quoth.json`` atomically, with the hashes of the current files, and the model card.

        Args:
            settings: The reader's settings.
            facts: Other facts: precision, training data, scores.
            used: The data sets that the reader was made from; their fingerprints are written first. ``None``: ``facts``
                has them, and ``seen.npz`` does not change.
        """
        if used is not None:
            from quoth.store.provenance import write_seen

            write_seen(self.path, used)
            facts = {**facts, "data": [each.to_dict() for each in used]}
        manifest = {
            "format": FORMAT,
            **settings.to_dict(),
            **facts,
            "files": {name: sha256(self.path / name) for name in reader_files(self.path)},
        }
        write_json(self.path / MANIFEST, manifest)
        if self._card_is_ours():
            with atomic_text(self.path / CARD) as file:
                file.write(card(manifest))
        return ReaderFolder(self.path, manifest, self.config)

    def _card_is_ours(self) -> bool:
        """Return True if the model card is generated, so that it may be overwritten."""
        file = self.path / CARD
        if not file.exists():
            return True
        try:
            return file.read_text(encoding="utf-8") == card(self.manifest)
        except (KeyError, UnicodeDecodeError):  # a manifest without the settings that our cards show
            return False

    def with_settings(
        self,
        settings: ReaderSettings,
        facts: Mapping[str, Any],
        out: str | Path | None = None,
        *,
        used: Sequence[Used] | None = None,
    ) -> ReaderFolder:
        """Store other settings and facts, in this folder or in a copy.

        Args:
            settings: The new settings.
            facts: Facts to add to the manifest.
            out: A new or empty folder for the copy, written atomically; ``None``: change this folder.
            used: All data sets that the reader was made from; ``None``: as before.

        Raises:
            ConfigError: If ``out`` is not empty.
        """
        known = {key: value for key, value in self.manifest.items() if key not in (*settings.to_dict(), *_OURS)}
        if out is None:
            return self.write_manifest(settings, {**known, **facts}, used=used)
        out = check_new_folder(out)
        with atomic_folder(out) as part:
            copy_reader(self.path, part)
            ReaderFolder(part, self.manifest, self.config).write_manifest(settings, {**known, **facts}, used=used)
        return ReaderFolder.open(out)


def check_new_folder(path: str | Path) -> Path:
    """Return the path of a folder that is new or empty.

    Raises:
        ConfigError: If it is not empty.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(f"{path}: must be a new or empty folder, but is not empty")
    return path


def most_positions(config: Mapping[str, Any]) -> int | None:
    """Return the maximum number of tokens of a model, from its ``config.json``; ``None`` if unknown."""
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions < 1 or config.get("position_biased_input") is False:
        return None  # DeBERTa may have no position embeddings
    if config.get("model_type") in _POSITIONS_FROM_PADDING:
        positions -= int(config.get("pad_token_id") or 0) + 1
    return positions


def find_folder(
    source: str | Path | None = None, *, revision: str | None = None, token: str | bool | None = None
) -> ReaderFolder:
    """Return the folder of a reader, from disk or from the hub.

    Args:
        source: A folder or a hub name; the shipped reader if ``None`` or "shipped" (not a folder of this name, which
            is "./shipped").
        revision: Branch, tag or commit on the hub.
        token: Access token of the hub.

    Raises:
        ReaderError: If it does not exist, or is incomplete or damaged.
    """
    if source is None or source == SHIPPED:
        return shipped_folder()
    if is_hub_name(source):
        source = hub_folder(str(source), revision=revision, token=token)
    return ReaderFolder.open(source)


def shipped_folder() -> ReaderFolder:
    """Return the folder of the shipped reader."""
    return ReaderFolder.open(Path(str(files("quoth") / "shipped")))


def _kind_of_path(path: Path) -> str:
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
