"""Reference results for reading, from plain loops over every span, grapheme and letter."""

import math
from bisect import bisect_left, bisect_right
from decimal import Decimal
from functools import lru_cache

import numpy as np
import regex

from quoth.records import Span
from quoth.text import normalize_answer

_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\p{Yi}\p{Bopomofo}]"
# Unicode's format characters (property Word_Break), and the joiners.
_UNSEEN = "".join(filter(regex.compile(r"[\p{Word_Break=Format}\u200c\u200d]").match, map(chr, range(0x110000))))


def grapheme_boundaries(text):
    return {0, *(match.end() for match in regex.finditer(r"\X", text))}


def inside_word(text, position):
    """Return True if both sides of a position are letters of a script with spaces between words.

    What is not seen, such as a soft hyphen, is passed over.
    """
    if not 0 < position < len(text):
        return False
    before, after = text[:position].rstrip(_UNSEEN), text[position:].lstrip(_UNSEEN)
    return all(
        regex.match(r"[\p{L}\p{M}\p{N}]", character) and not regex.match(_UNSPACED, character)
        for character in (before[-1:], after[:1])
    )


@lru_cache(maxsize=64)
def _uncut(text, whole_words):
    """Return the positions of a text where an answer may start or end, in order."""
    return [
        position for position in sorted(grapheme_boundaries(text)) if not (whole_words and inside_word(text, position))
    ]


def widened(text, span, whole_words):
    positions = _uncut(text, whole_words)
    return Span(positions[bisect_right(positions, span.start) - 1], positions[bisect_left(positions, span.end)])


def legal_spans(window, max_answer_tokens):
    """Yield every legal span of a window: its first and last token, counted in the window's part of the context."""
    offsets = window.context_offsets.tolist()
    for start in range(len(offsets)):
        for end in range(start, min(len(offsets), start + max_answer_tokens)):
            if offsets[start][0] < offsets[start][1] and offsets[end][0] < offsets[end][1]:
                yield start, end


def places(windows, max_answer_tokens, whole_words):
    """Return the spans of the context that may be answers."""
    found = set()
    for window in windows:
        offsets = window.context_offsets.tolist()
        for start, end in legal_spans(window, max_answer_tokens):
            span = Span(offsets[start][0], offsets[end][1])
            found.add(widened(window.text, span, whole_words))
    return found


def every_answer(items, settings):
    """Return all answers in order, as ``(score, context index, span, probability, window index)``; and the null
    score with its probability.
    """
    best, tokens = {}, {}
    for item in items:
        window = item.window
        for start, end in legal_spans(window, settings.max_answer_tokens):
            score = float(item.start[start]) + float(item.end[end])
            key = (item.context_index, window.first_token + start, end - start)
            if score > best.get(key, (-math.inf,))[0]:
                best[key] = (score, window.index)
                offsets = window.context_offsets
                span = Span(int(offsets[start, 0]), int(offsets[end, 1]))
                tokens[key] = widened(window.text, span, settings.whole_words)
    null = min(item.null for item in items)
    weights = {key: Decimal(score / settings.temperature).exp() for key, (score, _) in best.items()}
    spans, scale = sum(weights.values()), Decimal(settings.odds_scale)

    def right(key):
        odds = scale * weights[key]
        return odds / (odds + spans - weights[key])

    nothing = Decimal(0)
    if best:
        first = min(best, key=lambda key: (-best[key][0], *key))
        excess = (null - best[first][0] - settings.null_bias) / (settings.null_temperature or settings.temperature)
        nothing = right(first) * Decimal(excess).exp()
    nothing /= 1 + nothing
    answered = Decimal(1) if settings.never_abstains else 1 - nothing
    answers = {}
    for key in sorted(best, key=lambda key: (-best[key][0], *key)):
        score, window = best[key]
        place = (key[0], tokens[key])
        if place not in answers:
            answers[place] = (score, *place, float(right(key) * answered), window)
    return list(answers.values()), null, float(nothing)


def distinct(answers, contexts, top_k):
    """Return the first distinct answers of those from :func:`every_answer`."""
    chosen = []
    for answer in answers:
        _, index, span, *_ = answer
        text = normalize_answer(span.of(contexts[index]))
        if len(chosen) < top_k and not any(
            (index == other and span.start < place.end and place.start < span.end)
            or normalize_answer(place.of(contexts[other])) == text
            for _, other, place, *_ in chosen
        ):
            chosen.append(answer)
    return chosen


def tutorial_best_score(items, max_answer_tokens):
    """Return the best score of the tutorial's loop (cell 71): 20 best starts by 20 best ends of each window."""
    best = -math.inf
    for item in items:
        offsets = item.window.context_offsets.tolist()
        for start in np.argsort(-item.start)[:20].tolist():
            for end in np.argsort(-item.end)[:20].tolist():
                empty = offsets[start][0] == offsets[start][1] or offsets[end][0] == offsets[end][1]
                if empty or end < start or end - start + 1 > max_answer_tokens:
                    continue
                best = max(best, float(item.start[start]) + float(item.end[end]))
    return best
