"""From an example to windows: pieces of its context, each with the question, each small enough for the model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock

import numpy as np

from quoth.errors import ConfigError, InputError, QuestionTooLongError
from quoth.reading.align import covering_tokens
from quoth.reading.tokenizer import Ints, Template, Tokenizer, Tokens
from quoth.records import Example


@dataclass(frozen=True, slots=True, order=True)
class TokenRange:
    """A run of tokens of one window, half-open. Never mixed with ``Span``, which counts code points."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One model-sized piece of an example: ``[CLS] question [SEP] part of the context [SEP]``.

    Attributes:
        example: The example that it is a piece of.
        index: Which of the example's windows, from 0.
        ids: Token ids, ``(T,)`` int32.
        type_ids: Token type ids, ``(T,)`` int32.
        context_tokens: Where in the window the context's tokens stand.
        context: All tokens of the whole context, shared by its windows.
        first_token: Which token of the whole context stands at ``context_tokens.start``.
        cls: Where the CLS token stands, whose logits score "no answer".
        targets: The tokens of each gold that the window holds whole, in the order of the golds.
    """

    example: Example
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
    def is_whole(self) -> bool:
        """Whether it holds the whole context, so that its example has no other window."""
        return len(self.context_tokens) == len(self.context)

    @property
    def target(self) -> TokenRange | None:
        """The tokens of the first gold that the window holds whole, or ``None``."""
        return self.targets[0] if self.targets else None

    @property
    def context_offsets(self) -> Ints:
        """Code points of the context's tokens in this window, ``(len(context_tokens), 2)`` int32."""
        return self.context.offsets[self.first_token : self.first_token + len(self.context_tokens)]

    @property
    def offsets(self) -> Ints:
        """Code points of every token in the context, ``(T, 2)`` int32; ``(0, 0)`` outside the context."""
        offsets = np.zeros((len(self.ids), 2), dtype=np.int32)
        offsets[self.context_tokens.start : self.context_tokens.end] = self.context_offsets
        return offsets

    def __repr__(self) -> str:
        """Say which piece it is; its numbers are many."""
        last = self.first_token + len(self.context_tokens)
        return (
            f"Window(example={self.example.id!r}, index={self.index}, tokens={len(self)}, "
            f"context_tokens={self.first_token} to {last} of {len(self.context)})"
        )

    def _repr_html_(self) -> str:
        """Draw itself in a notebook."""
        from quoth.drawing import window_html

        return window_html(self)


class Windower:
    """Cuts examples into windows. Only the context is ever split; the question is stripped and stands in each.

    Several threads may use one.

    Attributes:
        tokenizer: The tokenizer.
        max_tokens: The longest window, special tokens included.
        overlap: Tokens of the context that neighbouring windows share; less where a long question leaves less room.
    """

    # A context asked many times is encoded once, as long as no more than this many others come between, or contexts of
    # this many tokens (about 30 bytes each, with their text).
    remembered_contexts = 64
    remembered_tokens = 1_000_000

    def __init__(self, tokenizer: Tokenizer, *, max_tokens: int = 384, overlap: int = 128) -> None:
        """Set the sizes.

        Raises:
            ConfigError: If the sizes make no sense, or the tokenizer's model cannot take them.
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
        self._contexts: OrderedDict[str, Tokens] = OrderedDict()
        self._lock = Lock()

    def windows(self, example: Example) -> list[Window]:
        """Cut one example; no windows if its context holds no token.

        Raises:
            InputError: If the question is empty.
            QuestionTooLongError: If the question leaves no room for the context.
            TokenizerError: If the tokenizer fails on a text.
        """
        return next(self.each([example]))

    def each(self, examples: Iterable[Example], *, chunk: int = 256) -> Iterator[list[Window]]:
        """Cut examples, in their order; texts are encoded a chunk of examples at a time, on all cores."""
        examples = iter(examples)
        while block := list(islice(examples, chunk)):
            contexts = self._encode_contexts([example.context for example in block])
            questions = self.tokenizer.encode([example.question.strip() for example in block])
            for example, question in zip(block, questions, strict=True):
                yield self._cut(example, question, contexts[example.context])

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
        while len(self._contexts) > self.remembered_contexts or held > self.remembered_tokens:
            held -= len(self._contexts.popitem(last=False)[1])

    def _cut(self, example: Example, question: Tokens, context: Tokens) -> list[Window]:
        if not len(question):
            raise InputError(f"question {example.id}: must hold at least one token, but is {example.question!r}")
        template = self.tokenizer.template
        room = self.max_tokens - len(template) - len(question)
        if room < 1:
            raise QuestionTooLongError(
                f"question {example.id}: must leave room for its context in a window of {self.max_tokens} tokens, but "
                f"has {len(question)} tokens and {len(template)} special ones. Ask it in fewer words."
            )
        if not len(context):
            return []
        # Where a long question leaves little room, neighbours share less, so that windows stay few.
        step = max(room - self.overlap, -(-room // 4))
        golds = [covering_tokens(context.offsets, gold.span) for gold in example.golds or ()]
        head = np.array([*template.prefix, *question.ids.tolist(), *template.middle], dtype=np.int32)
        windows: list[Window] = []
        for start in range(0, len(context), step):
            end = min(start + room, len(context))
            shift = len(head) - start
            windows.append(
                Window(
                    example=example,
                    index=len(windows),
                    ids=np.concatenate([head, context.ids[start:end], np.array(template.suffix, dtype=np.int32)]),
                    type_ids=_type_ids(template, len(question), end - start),
                    context_tokens=TokenRange(start + shift, end + shift),
                    context=context,
                    first_token=start,
                    cls=_cls(template, end + shift),
                    targets=tuple(
                        TokenRange(g[0] + shift, g[1] + shift) for g in golds if g and start <= g[0] and g[1] <= end
                    ),
                )
            )
            if end == len(context):
                break
        return windows


def _type_ids(template: Template, question: int, context: int) -> Ints:
    prefix, middle, suffix = template.special_types
    types = (*prefix, template.text_types[0], *middle, template.text_types[1], *suffix)
    sizes = np.ones(len(types), dtype=np.int64)
    sizes[len(prefix)], sizes[-1 - len(suffix)] = question, context
    return np.repeat(np.array(types, dtype=np.int32), sizes)


def _cls(template: Template, suffix_start: int) -> int:
    if template.cls_in_prefix is not None:
        return template.cls_in_prefix
    return suffix_start + (template.cls_in_suffix or 0)
