"""PyTorch: runs the model of a Hugging Face folder, or one in training. Needs the extra [torch]."""

from __future__ import annotations

import inspect
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from quoth.engines.base import Sequential, cpu_batch_tokens
from quoth.engines.network import cannot_run
from quoth.errors import ReaderError, TokenizerError
from quoth.reading import SpanLogits, Tokenizer, WindowBatch

# Tokens of a batch on a GPU.
_GPU_BATCH_TOKENS = 4096


class TorchEngine(Sequential):
    """Runs a question-answering model of transformers.

    Attributes:
        model: The model, on its device.
        precision: "float32", or the precision of autocast.
        takes_types: Whether the model has token type ids as an input.
    """

    name = "torch"

    def __init__(self, model: Any, *, precision: str = "float32") -> None:
        """Wrap a model; its mode (training or evaluation) and its device do not change."""
        _Fork.prepare()
        self.model = model
        self.precision = precision
        taken = inspect.signature(model.forward).parameters
        # A model with one token type (RoBERTa) has a table with one row, so token type 1 would be out of range.
        types = getattr(model.config, "type_vocab_size", 2)
        self.takes_types = "token_type_ids" in taken and (types is None or types > 1)

    @classmethod
    def load(
        cls, folder: Path, *, precision: str = "float32", device: str | None = "cpu", threads: int | None = None
    ) -> TorchEngine:
        """Load ``config.json`` and ``model.safetensors`` (or an old ``pytorch_model.bin``) from a folder.

        Args:
            folder: The folder.
            precision: "float32", or the precision of autocast.
            device: The name of a torch device; ``None``: a GPU (CUDA or Apple) if there is one, else the CPU.
            threads: Number of CPU threads for the whole process; torch's own default if ``None``.

        Raises:
            ReaderError: If the folder is not a question-answering model, or weights are missing.
        """
        from safetensors import SafetensorError
        from transformers import AutoConfig, AutoModelForQuestionAnswering

        old = folder / "pytorch_model.bin"
        state = None if any(folder.glob("model*.safetensors")) or not old.is_file() else _weights_only(old)
        options = {"dtype": torch.float32, "output_loading_info": True}
        try:
            with quietly():
                if state is None:
                    model, info = AutoModelForQuestionAnswering.from_pretrained(
                        folder, use_safetensors=True, local_files_only=True, **options
                    )
                else:
                    config = AutoConfig.from_pretrained(folder, local_files_only=True)
                    kind = type(AutoModelForQuestionAnswering.from_config(config))
                    model, info = kind.from_pretrained(None, config=config, state_dict=state, **options)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise ReaderError(f"{folder}: must be a question-answering model, but cannot be loaded: {error}") from error
        if info["missing_keys"]:
            # transformers initializes missing weights randomly, so an encoder without a head would answer at random.
            raise ReaderError(
                f"{folder}: must be a trained question-answering model, but has no "
                f"{', '.join(sorted(info['missing_keys']))}. Train one with: quoth train --base {folder}"
            )
        if threads is not None and not _Fork.happened:
            torch.set_num_threads(threads)
        return cls(model.eval().to(device or best_device()), precision=precision)

    @property
    def batch_tokens(self) -> int:
        """The best number of tokens of a batch on its device."""
        return cpu_batch_tokens(torch.get_num_threads()) if self.model.device.type == "cpu" else _GPU_BATCH_TOKENS

    def run(self, batch: WindowBatch) -> SpanLogits:
        """Compute the logits of one batch.

        Raises:
            ReaderError: If the network fails, for instance on a window that is longer than it supports, or does not fit
                into memory.
        """
        device = self.model.device
        feeds = {"input_ids": torch.from_numpy(batch.ids), "attention_mask": torch.from_numpy(batch.mask)}
        if self.takes_types:
            feeds["token_type_ids"] = torch.from_numpy(batch.type_ids)
        dtype = getattr(torch, self.precision)
        autocast = torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)
        try:
            with torch.inference_mode(), autocast:
                output = self.model(**{name: tensor.to(device) for name, tensor in feeds.items()})
            # Errors of a GPU may be raised only here, when the result is waited for.
            return SpanLogits(output.start_logits.float().cpu().numpy(), output.end_logits.float().cpu().numpy())
        except (RuntimeError, IndexError, ValueError) as error:  # torch.OutOfMemoryError is a RuntimeError
            name = self.model.name_or_path or type(self.model).__name__
            raise cannot_run(name, batch.ids.shape, error) from error


class _Fork:
    """Sets torch to one thread in forked processes, where GNU OpenMP would wait for threads that do not exist.

    With one thread, torch does not use OpenMP. torch's DataLoader does the same in its workers.
    """

    happened = False
    _prepared = False

    @classmethod
    def prepare(cls) -> None:
        """Register a hook that sets torch to one thread in each forked process."""
        if not cls._prepared and hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=cls._after)
        cls._prepared = True

    @classmethod
    def _after(cls) -> None:
        cls.happened = True
        torch.set_num_threads(1)


def best_device() -> str:
    """Return "cuda" or "mps" if there is such a GPU, else "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _weights_only(file: Path) -> dict[str, torch.Tensor]:
    """Read an old checkpoint, which is a pickle file. Code in it is never run.

    Raises:
        ReaderError: If it contains anything but weights.
    """
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise ReaderError(
            f"{file}: must contain only weights, but contains other objects (which were not run) or is damaged: {error}"
        ) from error
    if not isinstance(state, dict):
        raise ReaderError(f"{file}: must be a dictionary of weights, but is {type(state).__name__}")
    return state


@contextmanager
def quietly() -> Iterator[None]:
    """Suppress the progress bars and log tables of transformers while it loads or saves."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load_tokenizer(source: str) -> Tokenizer:
    """Load the tokenizer of a folder or a hub name; a vocabulary without ``tokenizer.json`` is converted.

    Raises:
        TokenizerError: If there is no tokenizer, or it cannot be converted.
    """
    if (Path(source) / "tokenizer.json").is_file():
        return Tokenizer.load(source)
    loaded = load_transformers_tokenizer(source)
    try:
        return Tokenizer(loaded.backend_tokenizer, loaded.init_kwargs)
    except AttributeError as error:
        raise _tokenizer_error(source, error) from error


def load_transformers_tokenizer(source: str) -> Any:
    """Load the tokenizer of a folder or a hub name as transformers' own object.

    Raises:
        TokenizerError: If there is no tokenizer, or it cannot be loaded.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError, AttributeError) as error:
        raise _tokenizer_error(source, error) from error


def _tokenizer_error(source: str, error: Exception) -> TokenizerError:
    return TokenizerError(f"{source}: must have a tokenizer, but it cannot be loaded: {error}")
