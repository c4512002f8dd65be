"""Tests of `conformance.provider.table.layers`: a user's own tables before the shipped one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.provider.errors import TableError
from conformance.provider.filter import filter_request
from conformance.provider.table import Rule, SupportTable, load_table
from conformance.provider.table.layers import layered_table
from conformance.provider.transport import RequestFilter, http_client

TABLE = SupportTable((Rule(("*",), {}),))


def _table_file(path: Path, *rules: dict[str, Any], **of_all: dict[str, Any]) -> Path:
    default = {"models": ["*"], "statements": of_all}
    path.write_text(json.dumps({"schema_version": 1, "sources": {"s": {}}, "rules": [*rules, default]}))
    return path


def test_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a user's file, when tables are layered, then its rules come first, and the shipped ones hold else."""
    says = {"supported": True, "source": "s"}
    own = _table_file(tmp_path / "own.json", {"models": ["claude-haiku-4-5"], "statements": {"prompt_cache_key": says}})
    body = {"model": "claude-haiku-4-5", "messages": [], "prompt_cache_key": "k", "presence_penalty": 0.1}
    place: dict[str, Any] = {"served_by": ["databricks/databricks-claude-haiku-4-5"], "gateway_version": "1.109.1"}

    def dropped(table: SupportTable) -> tuple[str, ...]:
        return filter_request(body, "claude-haiku-4-5", "chat_completions", table=table, **place).dropped

    assert set(dropped(layered_table())) == {"prompt_cache_key", "presence_penalty"}
    assert dropped(layered_table(own)) == ("presence_penalty",)
    monkeypatch.setenv("LITELLM_SUPPORT_TABLE", str(own))
    assert dropped(layered_table()) == ("presence_penalty",)
    assert layered_table(TABLE) is TABLE
    assert len(layered_table().rules) == len(load_table().rules) + 2


def test_a_users_default_hides_nothing_that_is_known(tmp_path: Path) -> None:
    """Given a user's table with a default, when tables are layered, then it speaks for models that no rule knows."""
    own = _table_file(tmp_path / "own.json", prompt_cache_key={"supported": True, "source": "s"})
    body = {"model": "claude-haiku-4-5", "messages": [], "prompt_cache_key": "k"}

    filtered = filter_request(
        body,
        "claude-haiku-4-5",
        "chat_completions",
        table=layered_table(own),
        served_by=["databricks/databricks-claude-haiku-4-5"],
        gateway_version="1.109.1",
    )

    assert filtered.dropped == ("prompt_cache_key",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read the support table"),
        ("{", "is not JSON"),
        ("[]", "is not a support table"),
        ('{"schema_version": 99}', "newer than 1; update this package"),
        ('{"schema_version": 1, "rules": []}', "the last rule must be the default"),
        ("[" * 100_000, "is not JSON"),
        ('{"schema_version": 1, "rules": "\ud800"}', "is not JSON"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, content: str | None, words: str) -> None:
    """Given a table that cannot be used, when a filter is made, then one line says what to do, at once."""
    file = tmp_path / "table.json"
    if content is not None:
        file.write_bytes(content.encode(errors="surrogatepass"))
    for make in (lambda: RequestFilter(table=file), lambda: http_client(RequestFilter(table=str(file)))):
        with pytest.raises(TableError, match=words) as caught:
            make()
        assert "\n" not in str(caught.value)
