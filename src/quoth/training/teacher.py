"""Learning from a reader that knows more: what it says of every token, beside what is right."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from quoth.engines.torch import TorchEngine, load_tokenizer
from quoth.errors import TrainingError
from quoth.reading import Tokenizer
from quoth.store import find_folder


class Teacher:
    """A reader whose logits the model in training is to come near to; its weights stay as they are."""

    def __init__(self, engine: TorchEngine) -> None:
        """Take a reader's network, on the device where it is to run."""
        self._engine = engine

    @classmethod
    def load(cls, source: str, tokenizer: Tokenizer, device: torch.device) -> Teacher:
        """Load a reader to learn from.

        Args:
            source: A folder or a hub name, with weights that torch reads.
            tokenizer: Of the model in training.
            device: Where to run.

        Raises:
            TrainingError: If the two cut texts into different tokens: nothing could be compared.
            ReaderError: If it holds no question-answering model.
        """
        folder = find_folder(source).path
        if load_tokenizer(str(folder)).to_json() != tokenizer.to_json():
            raise TrainingError(
                f"{source}: a teacher must have the tokenizer of the base, token for token, but has another one"
            )
        engine = TorchEngine.load(folder)
        engine.model.to(device)
        return cls(engine)

    @torch.no_grad()
    def logits(self, inputs: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return its logits of starts and of ends, ``(B, T)`` each, for what the model in training takes."""
        taken = {name: tensor for name, tensor in inputs.items() if name != "token_type_ids"}
        if self._engine.takes_types and "token_type_ids" in inputs:
            taken = dict(inputs)
        output = self._engine.model(**taken)
        return output.start_logits, output.end_logits
