"""What refusals have taught the provider, for people: as lines, as rules of a table, as a report for an operator."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from conformance.provider.repair.learned import Entries, Entry, RequestKind
from conformance.provider.table import SCHEMA_VERSION
from conformance.provider.target import gateway_name
from conformance.text.globs import fits


def selected(entries: Entries, gateway: str, model: str) -> Entries:
    """The entries of gateways and models that these patterns match; a gateway also by its short name."""
    return {kind: entry for kind, entry in entries.items() if concerns(kind, gateway, model)}


def concerns(kind: RequestKind, gateway: str, model: str) -> bool:
    """True if the patterns fit."""
    names = (kind.gateway, gateway_name(kind.gateway), urlsplit(kind.gateway).hostname or "")
    return fits(kind.model, model) and any(fits(name, gateway) for name in names)


def lines(entries: Entries) -> Iterator[str]:
    """One line for each thing learnt, the gateways and models in order."""
    for kind, entry in sorted(entries.items()):
        for name, learnt in sorted(entry.parameters.items()):
            said = "takes" if learnt.supported else "refuses"
            who = "" if learnt.by == "unknown" else f", by its {learnt.by}"
            version = f", version {entry.version}" if entry.version else ""
            day = time.strftime("%Y-%m-%d", time.gmtime(learnt.learned_at))
            yield _shown(
                f"{kind.gateway}  {kind.model}  {kind.endpoint} ({kind.mode})  {said} {name}  ({day}{who}{version})"
            )


def as_rules(entries: Entries) -> dict[str, Any]:
    """The entries as a support table, which `LITELLM_SUPPORT_TABLE` can name."""
    sources: dict[str, Any] = {"default": {"kind": "default", "reason": "parameters without a rule are sent"}}
    rules: list[dict[str, Any]] = []
    # A pattern would speak for other models, too.
    for kind, entry in sorted((kind, entry) for kind, entry in entries.items() if "*" not in kind.model):
        source = f"learnt-{gateway_name(kind.gateway)}"
        sources[source] = {"kind": "learnt", "gateway": kind.gateway}
        rule: dict[str, Any] = {
            "models": [kind.model],
            "endpoints": [kind.endpoint],
            "modes": [kind.mode],
            "gateways": [gateway_name(kind.gateway)],
        }
        rules.append({**rule, "statements": _statements(entry, source)})
    rules.append({"models": ["*"], "statements": {"store": {"supported": True, "source": "default"}}})
    return {"schema_version": SCHEMA_VERSION, "sources": sources, "rules": rules}


def _statements(entry: Entry, source: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, learnt in sorted(entry.parameters.items()):
        found[name] = {"supported": learnt.supported, "source": source}
        if not learnt.supported and learnt.by != "unknown":
            found[name]["rejected_by"] = [learnt.by]
    return found


def as_report(entries: Entries) -> str:
    """The entries as Markdown that one can send to a gateway's operator."""
    text = ["# What models behind this gateway refuse", ""]
    text += [
        "These requests were refused, and succeeded without the field that the refusal named.",
        "",
    ]
    for gateway in sorted({kind.gateway for kind in entries}):
        text += [
            f"## {_cell(gateway)}",
            "",
            "| model | endpoint | refused | by | version | seen |",
            "|---|---|---|---|---|---|",
        ]
        for kind, entry in sorted(entries.items()):
            for name, learnt in sorted(entry.parameters.items()) if kind.gateway == gateway else ():
                if not learnt.supported:
                    day = time.strftime("%Y-%m-%d", time.gmtime(learnt.learned_at))
                    row = (kind.model, f"{kind.endpoint} ({kind.mode})", name, learnt.by, entry.version or "", day)
                    text.append(f"| {' | '.join(map(_cell, row))} |")
        text.append("")
    return "\n".join(text)


def _shown(value: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in value)


def _cell(value: str) -> str:
    return _shown(value).replace("|", "\\|")


def as_json(document: Mapping[str, Any]) -> str:
    """A document as it is printed."""
    return json.dumps(document, indent=1)
