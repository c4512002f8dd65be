"""Measure what the hook adds to a request inside LiteLLM's process, with what real agents send."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.bench.agents import asked_of
from conformance.provider.integrations.litellm_calls import CALLS
from conformance.provider.integrations.litellm_hook import ConformanceHook
from conformance.provider.repair.account import Account
from conformance.provider.repair.learned import Memory
from conformance.provider.table import load_table

ROUNDS = 20
DEPLOYMENTS = {
    "claude-haiku-4-5": "databricks/databricks-claude-haiku-4-5",
    "gpt-5.2": "azure/gpt-5.2",
    "gemini-2-5-pro": "gemini/gemini-2.5-pro",
    "house-model": "openai/a-model-nobody-knows",
}
_CALL_OF = {endpoint: call for call, endpoint in CALLS.items()}


def hook() -> None:
    """Goal: a request at most 1,000 µs, all steps together, also the first of its kind."""
    requests = list(_requests())
    with tempfile.TemporaryDirectory() as folder:
        first, later = asyncio.run(_timed(requests, Path(folder)))
    print(f"hook: {len(requests)} requests of agents to {len(DEPLOYMENTS)} deployments, all steps, {ROUNDS} rounds")
    for name, times in (("the first of each", first), ("the others", later)):
        ordered = sorted(times)
        print(
            f"  {name}: {statistics.median(ordered):.0f} µs, 99 % within {ordered[int(len(ordered) * 0.99)]:.0f} µs   "
            "(goal 1000)"
        )


class _Log:
    """Stands for what LiteLLM logs of a request."""


def _requests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each request as LiteLLM hands it to a hook, with the name of the call."""
    for each in asked_of(DEPLOYMENTS):
        model = each.body["model"]
        kwargs = {
            **each.body,
            "model": DEPLOYMENTS[model],
            "api_base": "https://upstream.example",
            "litellm_metadata": {"model_group": model},
            "proxy_server_request": {"url": f"http://127.0.0.1:4000/v1{each.path}", "body": each.body, "headers": {}},
        }
        yield _CALL_OF[each.endpoint], kwargs


async def _timed(requests: list[tuple[str, dict[str, Any]]], folder: Path) -> tuple[list[float], list[float]]:
    """Microseconds of each request: the first time that it comes, and the others.

    They are the thread's own: what other programs take from a shared machine is no part of it.
    """
    rounds: list[list[float]] = []
    ours = ConformanceHook(Account(load_table(), "named", Memory(folder)), "1.109.3")
    for number in range(ROUNDS + 1):
        times = []
        for place, (call, kwargs) in enumerate(requests):
            known = {"litellm_call_id": f"{number}-{place}", "litellm_logging_obj": _Log()}
            data, sent = {**kwargs["proxy_server_request"]["body"], **known}, {**kwargs, **known}
            started = time.thread_time()
            await ours.async_pre_call_hook(None, None, data, call)
            await ours.async_pre_call_deployment_hook(sent, call)
            await ours.async_post_call_response_headers_hook(data, None, object())
            await ours.async_log_success_event(known, None, None, None)
            times.append((time.thread_time() - started) * 1e6)
        rounds.append(times)
    return rounds[0], [each for times in rounds[1:] for each in times]
