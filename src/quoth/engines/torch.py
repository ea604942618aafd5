"""PyTorch: runs a Hugging Face folder, or a model in training, as it is. Needs the extra [torch]."""

from __future__ import annotations

import inspect
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from quoth.errors import ReaderError, TokenizerError
from quoth.reading import SpanLogits, Tokenizer, WindowBatch


class TorchEngine:
    """Runs a question-answering model of transformers.

    Attributes:
        model: The model, on its device.
        precision: "float32", or what autocast computes in.
        takes_types: Whether the model takes token type ids.
    """

    name = "torch"

    def __init__(self, model: Any, *, precision: str = "float32") -> None:
        """Wrap a model; it stays in the mode (training or not) and on the device that it is in."""
        _Fork.prepare()
        self.model = model
        self.precision = precision
        taken = inspect.signature(model.forward).parameters
        # A model of one type (RoBERTa) has a table of one row: anything but 0 would be out of range.
        types = getattr(model.config, "type_vocab_size", 2)
        self.takes_types = "token_type_ids" in taken and (types is None or types > 1)

    @classmethod
    def load(
        cls, folder: Path, *, precision: str = "float32", device: str | None = "cpu", threads: int | None = None
    ) -> TorchEngine:
        """Load ``model.safetensors`` and ``config.json`` of a folder; or the weights of an old ``pytorch_model.bin``.

        Args:
            folder: The folder.
            precision: What to compute in.
            device: Where, as torch names it; ``None``: a GPU (CUDA, or Apple's) if there is one, else the processor.
            threads: On the processor, for the whole process; as torch has it if ``None``.

        Raises:
            ReaderError: If the folder holds no question-answering model, or only a part of one.
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
            raise ReaderError(
                f"{folder}: must hold a question-answering model, but cannot be loaded: {error}"
            ) from error
        if info["missing_keys"]:
            # transformers fills the gaps with random weights: an encoder alone would answer at random.
            raise ReaderError(
                f"{folder}: must hold a trained question-answering model, but lacks "
                f"{', '.join(sorted(info['missing_keys']))}. Train one with: quoth train --base {folder}"
            )
        if threads is not None and not _Fork.happened:
            torch.set_num_threads(threads)
        return cls(model.eval().to(device or best_device()), precision=precision)

    def run(self, batch: WindowBatch) -> SpanLogits:
        """Compute the logits of one batch."""
        device = self.model.device
        feeds = {"input_ids": torch.from_numpy(batch.ids), "attention_mask": torch.from_numpy(batch.mask)}
        if self.takes_types:
            feeds["token_type_ids"] = torch.from_numpy(batch.type_ids)
        dtype = getattr(torch, self.precision)
        autocast = torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)
        with torch.inference_mode(), autocast:
            output = self.model(**{name: tensor.to(device) for name, tensor in feeds.items()})
        return SpanLogits(
            output.start_logits.float().cpu().numpy(),
            output.end_logits.float().cpu().numpy(),
        )


class _Fork:
    """What a forked process must know: GNU OpenMP, which torch computes with, waits there for threads that are gone.

    With one thread torch does without OpenMP; its own DataLoader does the same in its workers.
    """

    happened = False
    _prepared = False

    @classmethod
    def prepare(cls) -> None:
        """From now on, let each process that is forked from this one compute with one thread."""
        if not cls._prepared and hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=cls._after)
        cls._prepared = True

    @classmethod
    def _after(cls) -> None:
        cls.happened = True
        torch.set_num_threads(1)


def best_device() -> str:
    """Return "cuda" or "mps" where there is such a GPU, else "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _weights_only(file: Path) -> dict[str, torch.Tensor]:
    """Read an old checkpoint, which is a pickle; code in it is refused, never run.

    Raises:
        ReaderError: If it holds anything but weights.
    """
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise ReaderError(
            f"{file}: must hold weights alone, but holds something else, which is not run, or is damaged: {error}"
        ) from error
    if not isinstance(state, dict):
        raise ReaderError(f"{file}: must hold weights by their names, but holds {type(state).__name__}")
    return state


@contextmanager
def quietly() -> Iterator[None]:
    """Keep transformers from drawing bars and tables while it loads or saves."""
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
        TokenizerError: If there is none, or it cannot be converted.
    """
    if (Path(source) / "tokenizer.json").is_file():
        return Tokenizer.load(source)
    from transformers import AutoTokenizer

    try:
        loaded = AutoTokenizer.from_pretrained(source)
        return Tokenizer(loaded.backend_tokenizer, loaded.init_kwargs)
    except (OSError, ValueError, AttributeError) as error:
        raise TokenizerError(f"{source}: must have a tokenizer, but it cannot be loaded: {error}") from error
