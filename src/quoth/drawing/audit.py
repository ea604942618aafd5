"""An audit as one self-contained page: counts, plots, and examples of each kind."""

from __future__ import annotations

from collections.abc import Sequence

from quoth.data.audit import KINDS, Audit, Finding, Located
from quoth.drawing.markup import escaped
from quoth.drawing.page import page, table
from quoth.records import Example

_EXAMPLES = 20  # maximum number of examples of each kind
_AROUND = 160  # code points of the context on either side of a gold
_BINS = ("1", "2", "3–4", "5–8", "9–16", "17–32", "more")
_ROW, _LEFT, _WIDTH = 22, 190, 640  # of a bar chart, in pixels


def audit_page(audit: Audit) -> str:
    """Return the page, which has no scripts and loads no external resources."""
    kinds = dict(audit.by_kind())
    content = ["<h1>Audit of the data</h1>", _sources(audit), _notes(audit)]
    content += ["<h2>Findings</h2>", _bars([(kind, len(findings)) for kind, findings in kinds.items()])]
    content += ["<h2>Lengths of answers, in words</h2>"]
    for name, counts in audit.lengths.items():
        content += [f'<p class="soft">{escaped(name)}</p>', _bars(list(zip(_BINS, counts, strict=True)))]
    content += [_section(kind, findings) for kind, findings in kinds.items() if findings]
    return page("Audit of the data", "\n".join(content))


def _sources(audit: Audit) -> str:
    """Return the counts, with a column for each set: names of files may be long."""
    heads = ["", *(f"#{name}" for name in audit.sources)]
    sets = list(audit.sources.values())
    kinds = list(sets[0]) if sets else []
    return table(heads, [[escaped(kind), *(f"{counts[kind]:,}" for counts in sets)] for kind in kinds])


def _notes(audit: Audit) -> str:
    return "".join(f'<p class="soft">{escaped(note)}</p>' for note in audit.notes)


def _bars(counts: Sequence[tuple[str, int]]) -> str:
    """Return a bar chart with one row per name, with the numbers next to the bars."""
    most = max((count for _, count in counts), default=0) or 1
    rows = []
    for place, (name, count) in enumerate(counts):
        top, width = place * _ROW, round((_WIDTH - _LEFT - 70) * count / most, 1)
        rows.append(
            f'<text x="0" y="{top + 15}">{escaped(name)}</text>'
            f'<rect class="w" x="{_LEFT}" y="{top + 4}" width="{width}" height="14"/>'
            f'<text x="{_LEFT + width + 6}" y="{top + 15}">{count:,}</text>'
        )
    label = ", ".join(f"{name}: {count}" for name, count in counts)
    size = f'viewBox="0 0 {_WIDTH} {_ROW * len(counts)}" role="img" aria-label="{escaped(label)}"'
    return f"<svg {size}>{''.join(rows)}</svg>"


def _section(kind: str, findings: Sequence[Finding]) -> str:
    shown = "".join(map(_finding, findings[:_EXAMPLES]))
    more = f'<p class="soft">… and {len(findings) - _EXAMPLES:,} more</p>' if len(findings) > _EXAMPLES else ""
    title = escaped(kind[:1].upper() + kind[1:])
    return f"<h2>{title}: {len(findings):,}</h2><p>{escaped(KINDS[kind])}.</p>{shown}{more}"


def _finding(finding: Finding) -> str:
    other = _located(finding.other) if finding.other else ""
    summary = f"{escaped(finding.found.example.question)} <small>{escaped(finding.note)}</small>"
    return f"<details><summary>{summary}</summary>{_located(finding.found)}{other}</details>"


def _located(located: Located) -> str:
    example = located.example
    where = " · ".join(filter(None, (located.source, example.title, example.id)))
    golds = "unlabelled" if example.golds is None else "unanswerable" if not example.golds else ""
    return (
        f'<p class="soft">{escaped(where)} {golds}</p><p>{escaped(example.question)}</p>'
        f'<p class="text">{_context(example)}</p>'
    )


def _context(example: Example) -> str:
    """Return the context around the first gold, marked."""
    context = example.context
    if not example.golds:
        return escaped(context[: 2 * _AROUND]) + ("…" if len(context) > 2 * _AROUND else "")
    span = example.golds[0].span
    before, after = context[max(0, span.start - _AROUND) : span.start], context[span.end : span.end + _AROUND]
    head = "…" if span.start > _AROUND else ""
    tail = "…" if span.end + _AROUND < len(context) else ""
    return f"{head}{escaped(before)}<mark>{escaped(span.of(context))}</mark>{escaped(after)}{tail}"
