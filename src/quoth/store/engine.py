"""The engine for the folder of a reader: its ONNX file if it has one, else torch."""

from __future__ import annotations

from importlib.util import find_spec

from quoth.engines import Engine
from quoth.engines.precisions import PRECISIONS, wrong_precision
from quoth.engines.select import cache_folder, check_one_stream, open_onnx
from quoth.errors import ConfigError, MissingExtraError, ReaderError
from quoth.store.folder import ReaderFolder
from quoth.store.layout import has_torch_weights


def open_engine(
    folder: ReaderFolder,
    *,
    engine: str = "auto",
    precision: str | None = None,
    threads: int | None = None,
    device: str | None = None,
    streams: int | None = None,
) -> Engine:
    """Load the engine for a folder: its ONNX file if it has one, else torch.

    Args:
        folder: The folder.
        engine: "openvino", "onnxruntime", "torch", or "auto": the fastest on this kind of CPU.
        precision: "float32", "bfloat16" or "float16", for operations that are not quantized; the fastest on this
            kind of CPU if ``None``. Not every engine and CPU supports all of them.
        threads: Number of threads; all usable cores if ``None``.
        device: "cpu", or a torch device such as "cuda", "cuda:1" or "mps". If ``None``, torch uses a GPU if there is
            one, and "auto" uses the CPU if the folder has a ``model.onnx``.
        streams: Number of batches that OpenVINO computes at the same time; one for each thread, but at most 16, if
            ``None``.

    Raises:
        ReaderError: If the folder has no weights for this engine, or the precision or device is not supported.
        ConfigError: If the engine, precision or device is unknown, or the engine does not support so many streams.
        MissingExtraError: If the engine is not installed.
    """
    if precision not in (None, *PRECISIONS):
        raise ConfigError(wrong_precision(precision))
    on_cpu = device in (None, "cpu")
    if engine == "torch" or (engine == "auto" and not (folder.onnx and on_cpu)):
        check_one_stream("torch", streams)
        return open_torch(folder, precision=precision or "float32", device=device, threads=threads)
    if not on_cpu:
        raise ConfigError(f"device must be cpu with engine {engine}, but is {device}. On a GPU, use engine torch")
    if not folder.onnx:
        raise ReaderError(
            f"{folder.path}: must contain model.onnx for {engine}, but contains none. Create one with: "
            f"quoth export {folder.path} -o DIR"
        )
    return open_onnx(
        folder.onnx, engine=engine, precision=precision, threads=threads, cache=cache_folder(), streams=streams
    )


def open_torch(
    folder: ReaderFolder, *, precision: str = "float32", device: str | None = None, threads: int | None = None
) -> Engine:
    """Load a folder with torch.

    Args:
        folder: The folder.
        precision: "float32", "bfloat16" or "float16".
        device: The name of a torch device; ``None``: a GPU if there is one, else the CPU.
        threads: Number of CPU threads; torch's own default if ``None``.

    Raises:
        ReaderError: If the folder has no weights.
        MissingExtraError: If torch is not installed.
    """
    if not has_torch_weights(folder.path):
        if folder.onnx:
            raise ReaderError(
                f"{folder.path}: must contain model.safetensors for torch, but contains only {folder.onnx.name}. Use "
                "engine auto and no device, or use the reader that it was exported from"
            )
        raise ReaderError(f"{folder.path}: must contain model.onnx or model.safetensors, but contains neither")
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise MissingExtraError(
            f"{folder.path} has no model.onnx (`quoth export {folder.path} -o DIR` creates one); to run it as it is",
            "torch",
        )
    from quoth.engines.torch import TorchEngine

    return TorchEngine.load(folder.path, precision=precision, device=device, threads=threads)
