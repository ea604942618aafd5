"""Which files of a folder make up a reader: one list for what copies, vouches for or hashes a reader.

Beside them may lie checkpoints, and weights in formats that Quoth does not load.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from quoth.errors import ReaderError

MANIFEST = "quoth.json"
CARD = "README.md"
_INDEX = "model.safetensors.index.json"
_OLD = "pytorch_model.bin"
# Where an ONNX file may lie, and what torch can run; the first that is there counts.
_ONNX = ("model.onnx", "onnx/model.onnx")
_TORCH = ("model.safetensors", _INDEX, _OLD)
# How an ONNX file names another that holds a tensor: the key "location", then length and bytes of the name (protobuf).
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x80-\xff]*[\x00-\x7f])")


def onnx_file(folder: Path) -> Path | None:
    """Return the ONNX file of a folder, or ``None``."""
    return next((folder / name for name in _ONNX if (folder / name).is_file()), None)


def has_torch_weights(folder: Path) -> bool:
    """Tell whether a folder holds weights that torch can run."""
    return any((folder / name).is_file() for name in _TORCH)


def reader_files(folder: Path) -> list[str]:
    """Return all files that a reader's answers depend on, whichever engine runs it, as paths within its folder.

    Its settings are not among them: ``quoth.json`` holds other things too.

    Raises:
        ReaderError: If the index of its shards cannot be read.
    """
    wanted = [
        "tokenizer.json",
        "tokenizer_config.json",
        *_onnx_files(folder),
        "model.safetensors",
        *_shards(folder),
        *_old_weights(folder),
        "config.json",
    ]
    # Not Path.is_file, which fails on what cannot be a name: a file may give any.
    return [name for name in dict.fromkeys(wanted) if _is_inside(name) and os.path.isfile(folder / name)]  # noqa: PTH113


def copy_reader(folder: Path, to: Path) -> None:
    """Copy a reader, its manifest and its card, and nothing else, into a folder that is there."""
    for name in (MANIFEST, CARD, *reader_files(folder)):
        if (folder / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, to / name)


def _onnx_files(folder: Path) -> Iterator[str]:
    """Yield the ONNX file that counts, and those that it keeps tensors in: it may be too large for one file."""
    file = onnx_file(folder)
    if file is None:
        return
    yield file.relative_to(folder).as_posix()
    within = file.parent.relative_to(folder)
    for location in sorted(_locations(file)):
        yield (within / location).as_posix()


def _locations(file: Path) -> set[str]:
    """Return the names that an ONNX file has of others, read off its bytes: the base install has no onnx."""
    if not file.stat().st_size:  # nothing cannot be mapped
        return set()
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return {_text_at(content, match) for match in _LOCATION.finditer(content)}


def _text_at(content: mmap.mmap, match: re.Match[bytes]) -> str:
    """Return the text whose length a match ends with: seven bits in each byte, the lowest first."""
    length = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(match[1]))
    return content[match.end() : match.end() + length].decode("utf-8", "replace")


def _shards(folder: Path) -> Iterator[str]:
    """Yield the index of weights in several files, and these files, as the index names them."""
    index = folder / _INDEX
    if not index.is_file():
        return
    yield _INDEX
    try:
        yield from sorted({str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ReaderError(f"{index}: must say which file holds which weight, but cannot be read: {error}") from error


def _old_weights(folder: Path) -> Iterator[str]:
    """Yield the old checkpoint where it is what torch runs: only beside no others."""
    if not any(folder.glob("model*.safetensors")):
        yield _OLD


def _is_inside(name: str) -> bool:
    """Tell whether a name that a file gave stays in the folder."""
    path = Path(name)
    return not path.is_absolute() and not path.drive and ".." not in path.parts
