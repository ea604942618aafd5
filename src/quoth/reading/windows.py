"""Splits an example into windows: the question with a part of the context, short enough for the model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from quoth.errors import ConfigError, InputError, QuestionTooLongError
from quoth.notebook import Drawn
from quoth.reading.align import covering_tokens
from quoth.reading.tokenizer import Ints, Template, Tokenizer, Tokens
from quoth.records import Example

# Number of float32 values in the widest vector register; rows of a batch are padded to a multiple of it.
REGISTER = 16
# The windows of a long question have at most this many times the usual maximum of tokens.
_WIDER = 2


@dataclass(frozen=True, slots=True, order=True)
class TokenRange:
    """A half-open range of tokens of one window, in contrast to ``Span``, which counts code points."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True, eq=False)
class Window(Drawn):
    """One model-sized piece of an example: ``[CLS] question [SEP] part of the context [SEP]``.

    Attributes:
        example: Its example.
        context_index: Index of its context in the example.
        index: Its index among the windows of this context, from 0.
        ids: Token ids, ``(T,)`` int32.
        type_ids: Token type ids, ``(T,)`` int32.
        context_tokens: Range of the context's tokens in the window.
        context: All tokens of the whole context, shared by its windows.
        first_token: Index in the whole context of the token at ``context_tokens.start``.
        cls: Index of the CLS token, whose logits score "no answer".
        targets: The tokens of each gold that the window contains completely, in the order of the golds.
    """

    example: Example
    context_index: int
    index: int
    ids: Ints
    type_ids: Ints
    context_tokens: TokenRange
    context: Tokens
    first_token: int
    cls: int
    targets: tuple[TokenRange, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def text(self) -> str:
        """The text of its whole context."""
        return self.example.contexts[self.context_index]

    @property
    def target(self) -> TokenRange | None:
        """The tokens of the first gold that the window contains completely, or ``None``."""
        return self.targets[0] if self.targets else None

    @property
    def context_offsets(self) -> Ints:
        """Code points of the context's tokens in this window, ``(len(context_tokens), 2)`` int32."""
        return self.context.offsets[self.first_token : self.first_token + len(self.context_tokens)]

    @property
    def legal(self) -> NDArray[np.bool_]:
        """True for context tokens in this window that are not only white space, ``(len(context_tokens),)``."""
        offsets = self.context_offsets
        return offsets[:, 0] < offsets[:, 1]

    @property
    def offsets(self) -> Ints:
        """Code points of every token in the context, ``(T, 2)`` int32; ``(0, 0)`` outside the context."""
        offsets = np.zeros((len(self.ids), 2), dtype=np.int32)
        offsets[self.context_tokens.start : self.context_tokens.end] = self.context_offsets
        return offsets

    def __repr__(self) -> str:
        """Return a short description without the numbers."""
        last = self.first_token + len(self.context_tokens)
        which = f"context_index={self.context_index}, " if len(self.example.contexts) > 1 else ""
        return (
            f"Window(example={self.example.id!r}, {which}index={self.index}, tokens={len(self)}, "
            f"context_tokens={self.first_token} to {last} of {len(self.context)})"
        )


class Windower:
    """Splits examples into windows. Only the context is split; the stripped question is part of each window.

    It is thread-safe.

    Attributes:
        tokenizer: The tokenizer.
        max_tokens: Maximum length of a window, special tokens included. The windows of a question that leaves less than
            half of it for the context may be longer.
        overlap: Tokens of the context that neighbouring windows share; less if the question is long.
    """

    # Limits of the cache of encoded contexts: number of contexts, and their total number of tokens (about 30 bytes
    # each, with their text).
    remembered_contexts = 64
    remembered_tokens = 1_000_000

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        max_tokens: int = 384,
        overlap: int = 128,
        longest: Callable[[int], int] | None = None,
    ) -> None:
        """Create a windower.

        Args:
            tokenizer: The tokenizer.
            max_tokens: Maximum length of a window.
            overlap: Tokens of the context that neighbouring windows share.
            longest: Returns the maximum length of a window, up to a given one, that the network supports. ``None``: no
                window is longer than ``max_tokens``.

        Raises:
            ConfigError: If the sizes are invalid, or not supported by the tokenizer's model.
        """
        limit = tokenizer.max_tokens
        if max_tokens < len(tokenizer.template) + 2:
            raise ConfigError(f"max_tokens must be at least {len(tokenizer.template) + 2}, but is {max_tokens}")
        if limit is not None and max_tokens > limit:
            raise ConfigError(f"max_tokens must be at most {limit} for this model, but is {max_tokens}")
        if not 0 <= overlap < max_tokens:
            raise ConfigError(f"overlap must be from 0 to below max_tokens ({max_tokens}), but is {overlap}")
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.overlap = overlap
        self._longest = longest
        self._frame = _Frame(tokenizer.template, _WIDER * max_tokens)
        self._contexts: OrderedDict[str, Tokens] = OrderedDict()
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"Windower({self.tokenizer!r}, max_tokens={self.max_tokens}, overlap={self.overlap})"

    def windows(self, example: Example) -> list[Window]:
        """Return the windows of an example; empty if none of its contexts has tokens.

        Raises:
            InputError: If the question is empty.
            QuestionTooLongError: If the question is too long for a window.
            TokenizerError: If the tokenizer fails on a text.
        """
        return next(self.each([example]))[1]

    def each(self, examples: Iterable[Example], *, chunk: int = 256) -> Iterator[tuple[Example, list[Window]]]:
        """Yield each example with its windows; texts are encoded a chunk of examples at a time.

        Raises:
            InputError, QuestionTooLongError, TokenizerError: As :meth:`windows`.
        """
        for example, windows in self.outcomes(examples, chunk=chunk):
            if isinstance(windows, InputError):
                raise windows
            yield example, windows

    def outcomes(
        self, examples: Iterable[Example], *, chunk: int = 256
    ) -> Iterator[tuple[Example, list[Window] | InputError]]:
        """Yield each example with its windows, or with its error; texts are encoded a chunk of examples at a time.

        Raises:
            TokenizerError: If the tokenizer fails on a text of the chunk.
        """
        examples = iter(examples)
        while block := list(islice(examples, chunk)):
            contexts = self._encode_contexts([text for example in block for text in example.contexts])
            questions = self.tokenizer.encode_ids([example.question.strip() for example in block])
            for example, question in zip(block, questions, strict=True):
                try:
                    room = self._room(example, len(question))
                except InputError as error:
                    yield example, error
                    continue
                windows: list[Window] = []
                for index, text in enumerate(example.contexts):
                    windows += self._cut(example, index, question, contexts[text], room)
                yield example, windows

    def _encode_contexts(self, texts: Sequence[str]) -> dict[str, Tokens]:
        with self._lock:
            known = {text: self._contexts[text] for text in texts if text in self._contexts}
        new = list(dict.fromkeys(text for text in texts if text not in known))
        known.update(zip(new, self.tokenizer.encode(new), strict=True))
        with self._lock:
            self._remember(known)
        return known

    def _remember(self, known: dict[str, Tokens]) -> None:
        for text, tokens in known.items():
            self._contexts[text] = tokens
            self._contexts.move_to_end(text)
        held = sum(map(len, self._contexts.values()))
        # The last one is always kept, however long it is, because the next question may be about it.
        while len(self._contexts) > min(1, self.remembered_contexts) and (
            len(self._contexts) > self.remembered_contexts or held > self.remembered_tokens
        ):
            held -= len(self._contexts.popitem(last=False)[1])

    def _cut(
        self, example: Example, context_index: int, question: Ints, context: Tokens, room: int
    ) -> Iterator[Window]:
        """Split one context of an example into windows with a maximum number of context tokens."""
        size = len(context)
        # With a long question, the overlap is smaller, so that there are not too many windows.
        step = max(room - self.overlap, -(-room // 4))
        starts = range(0, max(1, size - room + step), step) if size else ()
        frame = self._frame
        asked = len(question)
        golds = [
            covering_tokens(context.offsets, gold.span)
            for gold in example.golds or ()
            if gold.context_index == context_index
        ]
        for index, start in enumerate(starts):
            end = min(start + room, size)
            shift = frame.before + asked - start
            yield Window(
                example=example,
                context_index=context_index,
                index=index,
                ids=frame.ids(question, context.ids[start:end]),
                type_ids=frame.types(asked, end - start),
                context_tokens=TokenRange(start + shift, end + shift),
                context=context,
                first_token=start,
                cls=frame.cls(end + shift),
                targets=tuple(
                    TokenRange(g[0] + shift, g[1] + shift) for g in golds if g and start <= g[0] and g[1] <= end
                ),
            )

    def _room(self, example: Example, question: int) -> int:
        """Return the maximum number of context tokens in a window of an example."""
        if not question:
            raise InputError(f"{example.name}: must have at least one token, but is {example.question!r}")
        special = len(self.tokenizer.template)
        length = self._length(question + special)
        if question + special >= length:
            raise QuestionTooLongError(
                f"{example.name}: must leave room for its context in a window of {length} tokens, but "
                f"has {question} tokens and {special} special ones. Ask it in fewer words."
            )
        return length - special - question

    def _length(self, asked: int) -> int:
        """Return the maximum length of the windows of a question, given its tokens and the special ones.

        A long question would need very many windows, each with little context. So its windows are longer, if the
        network allows it: half of ``max_tokens`` is for the context. Their length is then a multiple of a register, to
        which batches are padded.
        """
        wanted = asked + self.max_tokens // 2
        if self._longest is None or wanted <= self.max_tokens:
            return self.max_tokens
        wanted = min(-(-wanted // REGISTER) * REGISTER, _WIDER * self.max_tokens)
        return max(self.max_tokens, self._longest(wanted) // REGISTER * REGISTER)


class _Frame:
    """The parts around question and context in every window, as arrays."""

    def __init__(self, template: Template, longest: int) -> None:
        self.template = template
        self.before = len(template.prefix) + len(template.middle)
        self._special = [_ints(ids) for ids in (template.prefix, template.middle, template.suffix)]
        self._special_types = [_ints(types) for types in template.special_types]
        self._text_types = [np.full(longest, kind, dtype=np.int32) for kind in template.text_types]

    def ids(self, question: Ints, context: Ints) -> Ints:
        """Return the ids of a window."""
        prefix, middle, suffix = self._special
        return np.concatenate((prefix, question, middle, context, suffix))

    def types(self, question: int, context: int) -> Ints:
        """Return the type ids of a window with these numbers of tokens."""
        prefix, middle, suffix = self._special_types
        first, second = self._text_types
        return np.concatenate((prefix, first[:question], middle, second[:context], suffix))

    def cls(self, suffix_start: int) -> int:
        """Return the index of the CLS token."""
        in_prefix = self.template.cls_in_prefix
        return suffix_start + (self.template.cls_in_suffix or 0) if in_prefix is None else in_prefix


def _ints(numbers: Sequence[int]) -> Ints:
    return np.array(numbers, dtype=np.int32)
