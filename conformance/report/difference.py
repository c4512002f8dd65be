"""What changed between two matrices, for a terminal and for a pull request's comment. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from conformance.matrix.comparison import TITLES, Comparison, Kind
from conformance.matrix.document import Matrix, gateway_from
from conformance.report.changed import Row, Section, sections_of
from conformance.report.markdown import COMMENT_LIMIT, Document, code, table
from conformance.report.signs import OF_CHANGE
from conformance.report.terminal import printable
from conformance.text.counting import counted

#: The kinds of which the newer side's reason is worth a line.
_EXPLAINED = (Kind.NEWLY_BROKEN, Kind.CHANGED, Kind.UNCLEAR)
_NOTHING = "Nothing changed."

_Reasons = Mapping[tuple[Kind, str, str], str]


def as_markdown(comparison: Comparison, limit: int = COMMENT_LIMIT) -> str:
    """The comparison as Markdown of at most `limit` bytes; what does not fit is counted."""
    document, sections, reasons = Document(limit), sections_of(comparison), _reasons(comparison)
    document.add(f"### Conformance: {_headline(comparison)}", "")
    old, new = (_side(matrix, _as_code) for matrix in (comparison.old, comparison.new))
    document.add(f"{old} → {new}", *(f"\n> {caveat}" for caveat in _caveats(comparison)))
    for section in sections:
        sign, _ = OF_CHANGE[section.kind]
        lines = ["", f"#### {sign} {section.title}: {_cells(section.cells)}", "", *_markdown_rows(section, reasons)]
        document.add_some(lines, f"rows ({section.title})", head=5, more=section.more)
    return document.text


def _markdown_rows(section: Section, reasons: _Reasons) -> list[str]:
    def row(row: Row) -> list[str]:
        reason = reasons.get(_reason_key(section.kind, row))
        return [
            code(row.model),
            code(row.parameter) if row.parameter is not None else "the whole model",
            " · ".join(row.where),
            _became(row),
            code(reason, 200) if reason else "",
        ]

    return table(["model", "parameter", "where", "verdict", "because"], (row(each) for each in section.rows))


def as_renderable(comparison: Comparison) -> RenderableType:
    """The comparison for a terminal."""
    reasons = _reasons(comparison)
    parts: list[RenderableType] = [Text(f"{_side(comparison.old, printable)} → {_side(comparison.new, printable)}")]
    parts += [Text(caveat, "magenta") for caveat in _caveats(comparison)]
    for section in sections_of(comparison):
        sign, colour = OF_CHANGE[section.kind]
        parts += [Text(f"\n{sign} {section.title}: {_cells(section.cells)}", f"bold {colour}")]
        parts += _terminal_rows(section, reasons)
        if section.more:
            parts += [Text(f"  … and {section.more:,} more rows; --json lists every cell", "dim")]
    return Group(*parts, Text(f"\n{_headline(comparison)}"))


def _terminal_rows(section: Section, reasons: _Reasons) -> Iterator[Text]:
    """Each model with what became of its parameters below it."""
    model = None
    for row in section.rows:
        if row.model != model:
            yield Text(f"  {printable(row.model)}", "bold")
            model = row.model
        if row.parameter is None:
            continue
        yield Text(f"    {printable(row.parameter)} ({' · '.join(row.where)}): {_became(row)}")
        if reason := reasons.get(_reason_key(section.kind, row)):
            yield Text(f"      {printable(reason, 200)}", "dim")


def _reasons(comparison: Comparison) -> _Reasons:
    """The newer side's reason for the first change of each kind, model and parameter."""
    found: dict[tuple[Kind, str, str], str] = {}
    for change in comparison.changes:
        if change.kind in _EXPLAINED and change.after is not None:
            found.setdefault((change.kind, change.key.model, change.key.parameter), change.after["reason"])
    return found


def _reason_key(kind: Kind, row: Row) -> tuple[Kind, str, str]:
    return kind, row.model, row.parameter or ""


def _became(row: Row) -> str:
    """Both verdicts, or the only one."""
    if row.before == row.after:
        return f"{row.after}, for another reason" if row.after else ""
    return " → ".join(verdict for verdict in (row.before, row.after) if verdict)


def _headline(comparison: Comparison) -> str:
    counted = [f"{count:,} {TITLES[kind]}" for kind, count in comparison.counts.items()]
    return ", ".join(counted) if counted else _NOTHING


def _cells(count: int) -> str:
    return counted(count, "cell")


def _as_code(text: str) -> str:
    return code(text, 60)


def _side(matrix: Matrix, quoted: Any) -> str:
    """One side: the gateway, its software and version, when it was measured."""
    gateway, run = matrix["gateway"], matrix["run"]
    software = gateway_from(gateway).release or "unknown software"
    return f"{quoted(gateway['name'])} ({quoted(software)}, measured {quoted(run['started_at'][:10])})"


def _caveats(comparison: Comparison) -> Iterator[str]:
    """What has to be known before the two are compared."""
    old, new = comparison.old, comparison.new
    for side, matrix in (("older", old), ("newer", new)):
        if not matrix["run"]["complete"]:
            yield f"The {side} matrix is incomplete: cells may be missing because they were not measured."
    if old["gateway"]["simulated"] and new["gateway"]["simulated"]:
        yield "The upstreams were simulators that follow the vendors' published schemas, not the vendors."
    elif old["gateway"]["simulated"] != new["gateway"]["simulated"]:
        side = "older" if old["gateway"]["simulated"] else "newer"
        yield f"The upstreams of the {side} one were simulators that follow the vendors' published schemas."
    if old["gateway"]["name"] != new["gateway"]["name"]:
        yield "These are two different gateways, so a difference need not be a change."
