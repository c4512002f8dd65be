"""The types that users of `conformance.provider` see. Nothing runs this: mypy reads it, as a part of `poe types`.

Each public name is used as a program would use it. An `assert_type` fails where a type has become wider, or `Any`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, assert_never, assert_type

import httpx
from openai import AsyncOpenAI, OpenAI

from conformance.provider import (
    AsyncFilteringTransport,
    Capabilities,
    ConformanceError,
    Cost,
    Filtered,
    FilteringTransport,
    GatewayError,
    KeyRefusedError,
    LiteLLMProvider,
    Model,
    Question,
    RateLimit,
    RepairEvent,
    RequestFilter,
    Rule,
    StaleModelsWarning,
    Statement,
    SupportTable,
    TableError,
    Target,
    TargetError,
    async_http_client,
    capabilities_of,
    compat_of,
    filter_request,
    format_rate_limit_error,
    gateway_name,
    http_client,
    layered_table,
    load_table,
    make_target,
    parse_rate_limit_error,
    shipped_table_path,
    target_from_env,
)
from conformance.provider.stream import (
    Done,
    DoneReason,
    Error,
    ErrorReason,
    Event,
    Start,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
)


def table() -> SupportTable:
    """The support table: where it lies, how it is loaded and what it answers."""
    assert_type(shipped_table_path(), Path)
    assert_type(load_table(), SupportTable)
    assert_type(load_table("team-table.json"), SupportTable)
    found = layered_table(Path("team-table.json"))
    assert_type(found, SupportTable)
    assert_type(found.rules, tuple[Rule, ...])
    asked = Question("claude-haiku-4-5", "responses", mode="stream", gateway="proxy.example")
    statement = found.lookup(asked, "prompt_cache_key")
    assert_type(statement, Statement | None)
    if statement is not None:
        assert_type(statement.supported, bool)
        assert_type(statement.rejected_by, tuple[str, ...])
    for rule in found.matching(asked):
        assert_type(rule.statements, Mapping[str, Statement])
    return found


def by_hand() -> None:
    """Filtering a body."""
    body = {"model": "claude-haiku-4-5", "input": "hi", "prompt_cache_key": "session-7"}
    filtered = filter_request(body, "claude-haiku-4-5", "responses", table=table(), gateway=None)
    assert_type(filtered, Filtered)
    assert_type(filtered.body, dict[str, Any])
    assert_type(filtered.dropped, tuple[str, ...])
    assert_type(filtered.instead, Mapping[str, str])


def clients() -> None:
    """Clients and transports, and who hears of repairs."""

    def repaired(event: RepairEvent) -> None:
        assert_type(event.parameters, tuple[str, ...])
        assert_type(event.instead, Mapping[str, str])
        assert_type(event.attempt, int)

    def dropped(model: str, endpoint: str, parameter: str) -> None:
        assert_type((model, endpoint, parameter), tuple[str, str, str])

    known = RequestFilter(table="team-table.json", on_drop=dropped, on_repair=repaired, repair="search")
    assert_type(known.table, SupportTable)
    OpenAI(http_client=http_client(known, timeout=30.0))
    AsyncOpenAI(http_client=async_http_client(library=httpx))
    httpx.Client(transport=FilteringTransport())
    httpx.AsyncClient(transport=AsyncFilteringTransport(httpx.AsyncHTTPTransport(), known))


def gateways() -> None:
    """Gateways, and how they are named."""
    target = make_target("https://proxy.example/v1", "sk-key", headers={"x-team": "seven"})
    assert_type(target, Target)
    assert_type(target.base_url, str)
    assert_type(target.secrets, tuple[str, ...])
    assert_type(target_from_env(), Target | None)
    assert_type(target_from_env({"LITELLM_BASE_URL": "https://proxy.example"}), Target | None)
    assert_type(gateway_name(target.base_url), str)


async def models(provider: LiteLLMProvider) -> None:
    """Models, and what is known of them."""
    assert_type(LiteLLMProvider.from_env(repair="off"), LiteLLMProvider)
    assert_type(provider.models(max_age=0), tuple[Model, ...])
    assert_type(await provider.amodels(), tuple[Model, ...])
    model = provider.model("claude-haiku-4-5")
    assert_type(model, Model)
    assert_type(model.context_window, int)
    assert_type(model.input, tuple[str, ...])
    assert_type(model.compat, Mapping[str, Any])
    assert_type(model.cost, Cost | None)
    if model.cost is not None:
        assert_type(model.cost.cache_read, float)
    assert_type(compat_of(model.id, table=provider.table, route=model.route), dict[str, Any])
    can = capabilities_of(model.id)
    assert_type(can, Capabilities)
    assert_type(can.reasoning, bool)


async def events(provider: LiteLLMProvider) -> None:
    """Streams: each event is one of those that are named, and no other."""
    async with provider as ours:
        assert_type(ours, LiteLLMProvider)
        stream = ours.stream("claude-haiku-4-5", [{"role": "user", "content": "hi"}], reasoning="low")
        assert_type(stream, AsyncGenerator[Event, None])
        async for event in stream:
            match event:
                case Start(dropped=names):
                    assert_type(names, tuple[str, ...])
                case TextDelta(text) | ThinkingDelta(text):
                    assert_type(text, str)
                case ToolCallStart(index=index) | ToolCallDelta(index=index) | ToolCallEnd(index=index):
                    assert_type(index, int)
                case Done(stop_reason=done, usage=usage):
                    assert_type(done, DoneReason)
                    assert_type(usage, Usage | None)
                case Error(stop_reason=failed, rate_limit=limit):
                    assert_type(failed, ErrorReason)
                    assert_type(limit, RateLimit | None)
                case _:
                    assert_never(event)


def errors() -> None:
    """Errors: one base for all, and what a rate limit says."""
    try:
        clients()
    except (KeyRefusedError, GatewayError, TableError, TargetError) as error:
        known: ConformanceError = error
        assert_type(known.exit_code, int)
    kind: type[Warning] = StaleModelsWarning
    limit = parse_rate_limit_error({"error": {}}, headers={"retry-after": "7"}, status=429)
    assert_type(limit, RateLimit | None)
    if limit is not None:
        assert_type(limit.retry_after, float | None)
        assert_type(format_rate_limit_error(limit, model=kind.__name__), str)
