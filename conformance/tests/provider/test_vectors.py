"""The shared vectors: what the Python provider and its TypeScript twin must both say, line by line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.provider import (
    TargetError,
    capabilities_of,
    compat_of,
    filter_request,
    format_rate_limit_error,
    load_table,
    parse_rate_limit_error,
    shipped_table_path,
)
from conformance.provider.headers import parse_headers, secrets_in
from conformance.provider.refusals.dialects import served_from_words
from conformance.provider.table import parse_table

VECTORS = json.loads((shipped_table_path().parent / "vectors.json").read_text(encoding="utf-8"))
TABLES = {"shipped": load_table(), **{name: parse_table(data) for name, data in VECTORS["tables"].items()}}
KNOWN = ("route", "gateway", "gateway_version", "served_by", "declared")


def lines(section: str) -> pytest.MarkDecorator:
    """The lines of one section, each as a test that bears its number."""
    return pytest.mark.parametrize("line", [pytest.param(row, id=f"{n}") for n, row in enumerate(VECTORS[section])])


def model_of(line: dict[str, Any]) -> str:
    """A line's model id, repeated where it says so: how ids of many kilobytes are written."""
    return str(line["model"]) * int(line.get("model_times", 1))


@lines("statements")
def test_statements(line: dict[str, Any]) -> None:
    """Given a request and a table, when it is filtered, then what goes, stays and is put in its place is as stated."""
    before = json.dumps(line["body"])
    known = {name: line[name] for name in KNOWN if name in line}

    filtered = filter_request(line["body"], model_of(line), line["endpoint"], table=TABLES[line["table"]], **known)

    assert filtered.body == line["kept"], line["about"]
    assert list(filtered.dropped) == line["dropped"], line["about"]
    assert filtered.instead == line["instead"], line["about"]
    assert json.dumps(line["body"]) == before


@lines("capabilities")
def test_capabilities(line: dict[str, Any]) -> None:
    """Given a model id and what its gateway declares, when its capabilities are asked for, then they are as stated."""
    found = capabilities_of(model_of(line), line["declared"])

    assert found.reasoning is line["reasoning"]
    assert list(found.input) == line["input"]
    assert (found.context_window, found.max_tokens) == (line["context_window"], line["max_tokens"])


@lines("compat")
def test_compat(line: dict[str, Any]) -> None:
    """Given a model id and a table, when its compat flags are asked for, then they are as stated."""
    known = {name: line[name] for name in KNOWN if name in line}

    assert compat_of(model_of(line), table=TABLES[line["table"]], **known) == line["compat"]


@lines("rate_limits")
def test_rate_limits(line: dict[str, Any]) -> None:
    """Given an error, when it is read, then it is the rate limit that is stated, told in these words, or none."""
    error = line["error"] * line["error_times"] if "error_times" in line else line["error"]

    found = parse_rate_limit_error(error, headers=line["headers"], status=line["status"])

    if line["limit"] is None:
        assert found is None, line["about"]
        return
    assert found is not None, line["about"]
    assert {name: getattr(found, name) for name in line["limit"]} == line["limit"], line["about"]
    assert format_rate_limit_error(found, model=line.get("model")) == line["message"], line["about"]


@lines("places")
def test_places(line: dict[str, Any]) -> None:
    """Given the words of a refusal, when they are read, then the route and the name that LiteLLM tells are found."""
    assert served_from_words(line["text"]) == line["place"]


@lines("headers")
def test_headers(line: dict[str, Any]) -> None:
    """Given a text with headers, when it is read, then they and their secrets are as stated, or one line says why."""
    if "error" in line:
        with pytest.raises(TargetError) as caught:
            parse_headers(line["text"])
        assert str(caught.value) == line["error"]
        return
    found = parse_headers(line["text"])

    assert found == line["headers"]
    assert list(secrets_in(found)) == line["secrets"]


def test_there_are_enough() -> None:
    """Given the vectors, when they are counted, then each section has lines, and each line says what it is about."""
    assert VECTORS["schema_version"] == 1
    sections = {name: rows for name, rows in VECTORS.items() if isinstance(rows, list)}
    assert all(len(rows) >= 20 for rows in sections.values())
    for name in ("statements", "rate_limits", "headers"):
        abouts = [row["about"] for row in VECTORS[name]]
        assert len(set(abouts)) == len(abouts)
