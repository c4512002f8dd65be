"""The hook's steps as LiteLLM takes them, and what a request meets on its way: without LiteLLM."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from conformance.provider.headers import DROPPED_HEADER
from conformance.provider.integrations.litellm_hook import ConformanceHook
from conformance.tests.helpers.litellm import CLAUDE, Refused, Routed

REFUSED = "store: Extra inputs are not permitted"
POLICY = "model_group_retry_policy"


def ready(hook: ConformanceHook, routed: Routed, model: str, **more: Any) -> dict[str, Any]:
    """What LiteLLM sends to a deployment."""
    kwargs = routed.to(model, **more)
    made = asyncio.run(hook.async_pre_call_deployment_hook(kwargs, routed.call))
    return kwargs if made is None else made


def refuse(
    hook: ConformanceHook,
    routed: Routed,
    words: str = REFUSED,
    status: int = 400,
    model: str = CLAUDE,
    old: bool = False,
) -> None:
    """A refusal, told in both ways that releases have; old ones have one."""
    error = Refused(words, status)
    if not old:
        asyncio.run(hook.async_post_call_failure_deployment_hook(routed.data, error, routed.call, fallback_depth=None))
    told = {
        "litellm_call_id": routed.data["litellm_call_id"],
        "model": model.partition("/")[2],
        "exception": error,
    }
    asyncio.run(hook.async_log_failure_event(kwargs=told, response_obj=None, start_time=0, end_time=0))


def answer(hook: ConformanceHook, routed: Routed, model: str = CLAUDE) -> str | None:
    """An answer with its end; what its header says."""
    made = asyncio.run(hook.async_post_call_response_headers_hook(routed.data, None, object()))
    told = {"litellm_call_id": routed.data["litellm_call_id"], "model": model.partition("/")[2]}
    asyncio.run(hook.async_log_success_event(kwargs=told, response_obj=None, start_time=0, end_time=0))
    return (made or {}).get(DROPPED_HEADER)


def policy(hook: ConformanceHook, routed: Routed, data: dict[str, Any] | None = None) -> Mapping[str, Any]:
    """The retries that the router gets for a request."""
    asked = {"litellm_call_id": routed.data["litellm_call_id"], **(data or {})}
    made: Mapping[str, Any] = asyncio.run(hook.async_pre_call_hook(None, None, asked, routed.call)).get(POLICY, {})
    return made
