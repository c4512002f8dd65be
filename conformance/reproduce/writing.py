"""A fault as a bug report in Markdown, ready to be pasted into an issue. Pure.

It holds no key, no address of a gateway and nobody's prompt: the suite's own prompt, or none, is all that was sent.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from importlib import resources

import jinja2

from conformance import __version__
from conformance.answers.reading import read_answer
from conformance.errors import quoted
from conformance.matrix.document import Matrix
from conformance.parameters import Registry
from conformance.report.fault_words import fault_words
from conformance.report.markdown import code
from conformance.reproduce.finding import Fault
from conformance.reproduce.scripts import curl, python
from conformance.reproduce.shrinking import Shrunk, told_by
from conformance.secrets.scrubbing import Scrubber
from conformance.text.counting import counted
from conformance.types import Exchange, Mode

#: So many characters of an answer are shown.
_SHOWN = 4000

#: So many of a reason.
_REASON = 300


def as_markdown(
    fault: Fault,
    matrix: Matrix,
    registry: Registry,
    shrunk: Shrunk | None,
    scrub: Scrubber,
    *,
    elsewhere: bool = False,
) -> str:
    """The report: with `shrunk` about what was asked again, else about what was recorded.

    `elsewhere` says that another gateway was asked again than the simulated one that the matrix is of.
    """
    simulated = matrix["gateway"]["simulated"] and not elsewhere
    request = shrunk.failing.request if shrunk else fault.request
    shown = shrunk.failing if shrunk else fault.shown_by
    words = {topic: each[fault.cell["rejected_by"] or "ignored"] for topic, each in fault_words().items()}
    row = next(each for each in matrix["models"] if each["id"] == fault.cell["model"])
    served_by = row["served_by"][0] if len(row["served_by"]) == 1 else ""
    path = f"/v1{registry.paths[request.endpoint]}{request.door}"
    answer, language = _readable(shown, scrub)
    release = " ".join(part for part in (matrix["gateway"]["software"], _version(shown, matrix)) if part)
    text = _template().render(
        parameter=_named(fault),
        what=words["what"],
        model=code(served_by or fault.cell["model"], 200),
        path=f"`{path}`",
        release=f" ({release})" if release else "",
        happens=_happens(fault, path, words["speaker"], shrunk),
        simulated=words["simulated"] if simulated else None,
        expected=f"{words['expected']} The field's documentation: {fault.parameter.standard_on(request.endpoint)}",
        known=_known(fault, shrunk),
        curl=curl(request, registry.paths[request.endpoint]),
        python=python(request).rstrip(),
        deployment=served_by,
        alias=json.dumps(fault.cell["model"]),
        served_by=json.dumps(served_by),
        status=_status(fault, shown, shrunk),
        answer=answer,
        language=language,
        fence="`" * (max([2, *map(len, re.findall("`+", answer))]) + 1),
        without=_without(fault, shrunk),
        facts=_facts(fault, matrix, shown, release, "a simulator" if simulated else "not known" if elsewhere else ""),
    )
    return scrub.text(text)


def _named(fault: Fault) -> str:
    """The parameter as code; of several fields that do not go together each one."""
    return " with ".join(f"`{name}`" for name in fault.parameter.id.split("+"))


def _happens(fault: Fault, path: str, speaker: str, shrunk: Shrunk | None) -> str:
    reason = fault.cell["reason"]
    if shrunk and not fault.is_ignored:  # what was recorded may name other fields, too
        reason = told_by(read_answer(shrunk.failing.request, shrunk.failing.response))
    streamed = ", streamed," if fault.request.mode is Mode.STREAM else ""
    return f"`POST {path}`{streamed} with {_named(fault)}. {speaker} {code(reason, _REASON)}"


def _known(fault: Fault, shrunk: Shrunk | None) -> str:
    if shrunk:
        return f"It was found by asking: {counted(shrunk.asked, 'request')} took out whatever could go."
    if fault.parameter.after:
        return "It sends back a part of an earlier answer, as recorded. Make such an answer first, and put it in."
    if fault.alone:
        return "It is the recorded request, as it was sent. It was not made smaller by asking again."
    return (
        "It is what remains of the recorded request without other fields that were asked about at once. It was not "
        "asked in this form."
    )


def _status(fault: Fault, shown: Exchange, shrunk: Shrunk | None) -> str:
    told = f"HTTP {shown.response.status}" if shown.response.status else "No answer"
    if shrunk is None and not fault.alone:
        told += ", to the recorded request, which had other fields besides; the answer may name these too"
    return told


def _without(fault: Fault, shrunk: Shrunk | None) -> str:
    exchange = shrunk.without if shrunk else fault.baseline
    if exchange is None:
        return "The recording does not hold the answer."
    if read_answer(exchange.request, exchange.response).ok:
        told = "The same request succeeds" if shrunk else "The request succeeds (the recorded baseline)"
        return f"{told}, too: the answers do not differ as they should." if fault.is_ignored else f"{told}."
    return f"The request fails as well, with {exchange.response.status}: the field may not be the cause."


def _version(shown: Exchange, matrix: Matrix) -> str | None:
    return shown.response.headers.get("x-litellm-version") or matrix["gateway"]["version"]


def _facts(fault: Fault, matrix: Matrix, shown: Exchange, release: str, upstream: str) -> Sequence[tuple[str, str]]:
    cell = fault.cell
    declared = {True: "supported", False: "not supported", None: ""}[cell["declared"]]
    split = ", ".join(f"{code(name)} {verdict}" for name, verdict in cell.get("split", {}).items())
    rows = [
        ("Gateway", code(release or "unknown")),
        ("Upstream", upstream or "the vendor's own"),
        ("The gateway declares", declared),
        ("Deployments", split),
        ("Asked at", shown.recorded_at),
        ("Measured with", f"litellm-conformance {__version__}"),
    ]
    return [(name, value) for name, value in rows if value]


def _readable(shown: Exchange, scrub: Scrubber) -> tuple[str, str]:
    """An answer's body for people, and the language that it is in."""
    response = shown.response
    if response.error is not None and not response.body:
        return quoted(response.error, 500), ""
    text = scrub.body(response.body).decode("utf-8", "replace")
    try:
        text, language = json.dumps(json.loads(text), indent=2, ensure_ascii=False), "json"
    except ValueError:
        language = ""
    cut = f"\n… {len(text) - _SHOWN:,} characters more" if len(text) > _SHOWN else ""
    return text[:_SHOWN] + cut, language


@functools.cache
def _template() -> jinja2.Template:
    text = (resources.files(__package__) / "templates" / "report.md.j2").read_text(encoding="utf-8")
    # Markdown, not HTML: what others wrote stands in code spans and fences.
    made = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701
    return made.from_string(text)
