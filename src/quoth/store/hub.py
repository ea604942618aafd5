"""Readers on the hub: downloads the files that a reader needs to the cache of huggingface_hub.

Offline mode (``HF_HUB_OFFLINE``), cache folder (``HF_HOME``, ``HF_HUB_CACHE``) and login are those of huggingface_hub.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from quoth.errors import ReaderError
from quoth.store.layout import SMALL, first_layout

# A name on the hub: "owner/name", or one of the old names without an owner.
_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
# Names of runs and checkpoints, which readers on the hub do not have.
_NUMBERED = re.compile(r"(checkpoint-|run-?)?\d+")
_PATIENCE_S = 10.0


def is_hub_name(source: str | Path | None) -> bool:
    """Return True if a source can be a name on the hub: not an existing path, and not one that looks like a path.

    "runs/2" looks like a path if there is a folder "runs", unless the hub's cache has the name; so do numbered runs and
    checkpoints.
    """
    if not isinstance(source, str) or not _NAME.fullmatch(source) or Path(source).exists():
        return False
    if _is_cached(source):
        return True
    owner, _, name = source.rpartition("/")
    return not (owner and (Path(owner).is_dir() or _NUMBERED.fullmatch(name)))


def _is_cached(name: str) -> bool:
    """Return True if the hub's cache has this name."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return (Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model")).is_dir()


def hub_folder(
    name: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
) -> Path:
    """Return the folder of a reader in the hub's cache; download missing files first.

    Args:
        name: The name, ``deepset/roberta-base-squad2``.
        revision: A branch, a tag or a commit; the main branch if ``None``.
        token: Access token; ``None``: the stored login, if there is one; ``False``: no login.
        cache_dir: The cache folder; the default of huggingface_hub if ``None``.

    Raises:
        ReaderError: If the reader does not exist, or it is not in the cache and the hub cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    wanted = _wanted_on_hub(name, revision, token)
    what = f"{name}{f' at {revision}' if revision else ''}"
    try:
        found = snapshot_download(
            name,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            allow_patterns=wanted,
            local_files_only=wanted is None,
        )
    except (OSError, HFValidationError) as error:
        where = "it is not in the hub's cache, and the hub cannot be reached" if wanted is None else str(error)
        raise ReaderError(
            f"{what}: must be the folder of a reader, or the name of one on the hub, but there is no such folder, and "
            f"{where}"
        ) from error
    return Path(found)


def _wanted_on_hub(name: str, revision: str | None, token: str | bool | None) -> list[str] | None:
    """Return the files to download; ``None`` if the hub cannot be reached, so that only the cache can be used."""
    from huggingface_hub import HfApi, errors

    try:
        # A single request: the functions that list files retry many times if the hub cannot be reached.
        found = HfApi().model_info(name, revision=revision, token=token, timeout=_PATIENCE_S)
        return wanted_files([file.rfilename for file in found.siblings or ()])
    except errors.GatedRepoError as error:
        raise ReaderError(
            f"{name}: must be accessible, but its owner requires you to accept conditions first. Accept them on the "
            "hub, and log in with: hf auth login"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ReaderError(f"{name}: revision must be a branch, a tag or a commit of it, but is {revision!r}") from error
    except errors.RepositoryNotFoundError as error:
        raise ReaderError(
            f"{name}: must be the folder of a reader, or the name of one on the hub, but there is neither. If it is "
            "private, log in with: hf auth login"
        ) from error
    except (OSError, errors.HTTPError):  # type: ignore[attr-defined]  # the base class of its HTTP client's errors
        return None


def wanted_files(files: Sequence[str]) -> list[str]:
    """Return the patterns of the files that a reader needs: all small files, and the best available weights.

    Args:
        files: The files of the repository.
    """
    weights = first_layout(files)
    return [*SMALL, *((weights.file, *weights.beside) if weights else ())]
