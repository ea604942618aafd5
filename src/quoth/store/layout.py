"""The layouts of a reader's folder: one table of the files of a reader, on disk and on the hub.

A folder may also have checkpoints, and weights in formats that Quoth does not load.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from quoth.errors import ReaderError

MANIFEST = "quoth.json"
CARD = "README.md"
TOKENIZER = "tokenizer.json"
CONFIG = "config.json"
# Fingerprints of the questions and contexts that the reader was made from.
SEEN = "seen.npz"


@dataclass(frozen=True, slots=True)
class Weights:
    """A layout of the weights in a folder or in a repository of the hub.

    Attributes:
        file: The file that identifies the layout, as a path within the folder.
        engine: "onnx" or "torch".
        beside: Patterns of other files that this file refers to.
    """

    file: str
    engine: str
    beside: tuple[str, ...] = ()


_INDEX = Weights("model.safetensors.index.json", "torch", ("model-*.safetensors",))
_OLD = Weights("pytorch_model.bin", "torch")
# In order of preference: first layouts without torch, then formats that cannot contain code. The first match is used.
LAYOUTS = (
    Weights("model.onnx", "onnx", ("model.onnx_data", "model.onnx.data")),
    Weights("onnx/model.onnx", "onnx", ("onnx/model.onnx_data", "onnx/model.onnx.data")),
    Weights("model.safetensors", "torch"),
    _INDEX,
    _OLD,
)
# Patterns of small files that a reader may need, including those from which a tokenizer can be created.
SMALL = (
    MANIFEST,
    SEEN,
    CONFIG,
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "*.bpe",
)
# A reference to external data in an ONNX file: the key "location", then length and bytes of the name (protobuf).
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x80-\xff]*[\x00-\x7f])")


def first_layout(names: Collection[str], engine: str | None = None) -> Weights | None:
    """Return the preferred layout of some files, or ``None``.

    Args:
        names: The files, as paths within the folder.
        engine: "onnx" or "torch"; any if ``None``.
    """
    return next((each for each in LAYOUTS if each.file in names and engine in (None, each.engine)), None)


def onnx_file(folder: Path) -> Path | None:
    """Return the ONNX file of a folder, or ``None``."""
    found = first_layout(_present_files(folder), "onnx")
    return folder / found.file if found else None


def has_torch_weights(folder: Path) -> bool:
    """Return True if a folder has weights for torch."""
    return first_layout(_present_files(folder), "torch") is not None


def _present_files(folder: Path) -> list[str]:
    return [each.file for each in LAYOUTS if (folder / each.file).is_file()]


def reader_files(folder: Path) -> list[str]:
    """Return all files that a reader's answers depend on, for any engine, as paths within its folder.

    ``quoth.json`` is not included, because it also has other contents than settings.

    Raises:
        ReaderError: If the index of its shards cannot be read.
    """
    wanted = [
        TOKENIZER,
        "tokenizer_config.json",
        *_onnx_files(folder),
        "model.safetensors",
        *_shards(folder),
        *_old_weights(folder),
        CONFIG,
    ]
    # Not Path.is_file, which raises for invalid names; the names come from a file.
    return [name for name in dict.fromkeys(wanted) if _is_inside(name) and os.path.isfile(folder / name)]  # noqa: PTH113


def copy_reader(folder: Path, to: Path) -> None:
    """Copy only the files of a reader, its manifest, its card and its provenance to an existing folder."""
    for name in (MANIFEST, CARD, SEEN, *reader_files(folder)):
        if (folder / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, to / name)


def _onnx_files(folder: Path) -> Iterator[str]:
    """Yield the ONNX file and its external data files."""
    file = onnx_file(folder)
    if file is None:
        return
    yield file.relative_to(folder).as_posix()
    within = file.parent.relative_to(folder)
    for location in sorted(_locations(file)):
        yield (within / location).as_posix()


def _locations(file: Path) -> set[str]:
    """Return the external data files of an ONNX file, parsed from its bytes, because the base install has no onnx."""
    if not file.stat().st_size:  # an empty file cannot be memory-mapped
        return set()
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return {_text_at(content, match) for match in _LOCATION.finditer(content)}


def _text_at(content: mmap.mmap, match: re.Match[bytes]) -> str:
    """Return the text after a match that ends with its length, a protobuf varint."""
    length = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(match[1]))
    return content[match.end() : match.end() + length].decode("utf-8", "replace")


def _shards(folder: Path) -> Iterator[str]:
    """Yield the index of sharded weights, and the shards in it."""
    index = folder / _INDEX.file
    if not index.is_file():
        return
    yield _INDEX.file
    try:
        yield from sorted({str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ReaderError(f"{index}: must map weights to files, but cannot be read: {error}") from error


def _old_weights(folder: Path) -> Iterator[str]:
    """Yield the old checkpoint, which torch uses only if there are no other weights."""
    if not any(folder.glob("model*.safetensors")):
        yield _OLD.file


def _is_inside(name: str) -> bool:
    """Return True if a path from a file is inside the folder."""
    path = Path(name)
    return not path.is_absolute() and not path.drive and ".." not in path.parts
