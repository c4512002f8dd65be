"""A plugin for `llm`: `llm -m litellm/claude-haiku-4-5 'hi'`, for every model that the gateway lists.

The gateway is the one that `LITELLM_BASE_URL` names; its key is `LITELLM_API_KEY`, or the one kept by
`llm keys set litellm`. Where none is named, or it cannot be asked, `llm` works as if this were not there.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import llm
import openai
from llm.default_plugins import openai_models as _openai_models

from conformance.provider.errors import ConformanceError
from conformance.provider.gateway import LiteLLMProvider, StaleModelsWarning
from conformance.provider.models import Model
from conformance.provider.stream.client import sdk_options, transport_options
from conformance.provider.stream.draft import Draft
from conformance.provider.stream.failure import failure
from conformance.provider.target import ENVIRONMENT, Target
from conformance.provider.transport import async_http_client, http_client
from conformance.provider.transport.request_filter import RequestFilter

logger = logging.getLogger("conformance.provider")

PREFIX = "litellm/"

#: llm's own models, and what stands behind our mixin: their types contradict each other.
_theirs: Any = _openai_models
_Base: Any = object

#: Seconds for which a list is used without asking again: `llm` registers its models for every command.
MAX_AGE = 3600.0


@llm.hookimpl
def register_models(register: Callable[..., None]) -> None:
    """Register every model of the gateway, under `litellm/`."""
    key_name = next((key for url, key in ENVIRONMENT if os.environ.get(url, "").strip()), None)
    if key_name is None:
        return
    try:
        key = llm.get_key(alias="litellm", env=key_name)
        provider = LiteLLMProvider.from_env({**os.environ, key_name: key or ""})
        with warnings.catch_warnings():  # the log says it, too
            warnings.simplefilter("ignore", StaleModelsWarning)
            models = provider.models(max_age=MAX_AGE)
    except ConformanceError as error:
        logger.warning("no %s models: %s", PREFIX, error)
        return
    rewrite = provider.request_filter
    for model in models:
        kinds = (_Responses, _AsyncResponses) if model.compat["wire"] == "responses" else (_Chat, _AsyncChat)
        register(*(kind(model, provider.target, key_name, rewrite) for kind in kinds))


class _Shared(_Base):  # type: ignore[misc]  # llm's class
    """What makes one of llm's own OpenAI models a model of the gateway."""

    needs_key: str | None = "litellm"

    def __init__(self, model: Model, target: Target, key_name: str, rewrite: RequestFilter) -> None:
        super().__init__(
            f"{PREFIX}{model.id}",
            model_name=model.id,
            api_base=f"{target.base_url}/v1",
            vision="image" in model.input,
            reasoning=model.reasoning,
            supports_schema=True,
            supports_tools=True,
        )
        self.key_env_var = key_name
        self.default_max_tokens = model.max_tokens
        if not target.api_key:  # headers open the gateway
            self.needs_key = None
        self._target, self._rewrite = target, rewrite

    def __str__(self) -> str:
        return f"LiteLLM: {self.model_id}"

    def get_client(self, key: str | None, *, async_: bool = False) -> Any:
        """The SDK's client, which sends what the model takes."""
        kind, client = (openai.AsyncOpenAI, async_http_client) if async_ else (openai.OpenAI, http_client)
        target = replace(self._target, api_key=self.get_key(key) or "")
        below = client(self._rewrite, **transport_options(target, asynchronous=async_))
        return kind(**sdk_options(target), http_client=below)

    def _explained(self, error: openai.APIError) -> llm.ModelError:
        key = error.request.headers.get("authorization", "").removeprefix("Bearer ")
        return llm.ModelError(failure(error, self.model_name, Draft(), (key, *self._target.secrets)).text)


class _Sync(_Shared):
    def execute(self, *prompt: Any, **options: Any) -> Iterator[Any]:
        """What llm's class gives, its errors explained."""
        try:
            yield from super().execute(*prompt, **options)
        except openai.APIError as error:
            raise self._explained(error) from error


class _Async(_Shared):
    async def execute(self, *prompt: Any, **options: Any) -> AsyncIterator[Any]:
        """What llm's class gives, its errors explained."""
        try:
            async for piece in super().execute(*prompt, **options):
                yield piece
        except openai.APIError as error:
            raise self._explained(error) from error


class _Chat(_Sync, _theirs.Chat):  # type: ignore[misc]  # llm's class
    """A model that is best asked on Chat Completions."""


class _AsyncChat(_Async, _theirs.AsyncChat):  # type: ignore[misc]  # llm's class
    """The same, asynchronous."""


class _Responses(_Sync, _theirs.Responses):  # type: ignore[misc]  # llm's class
    """A model that is best asked on Responses."""

    def __init__(self, model: Model, *where: Any) -> None:
        super().__init__(model, *where)
        self.Options = _without_detour(model)


class _AsyncResponses(_Async, _theirs.AsyncResponses):  # type: ignore[misc]  # llm's class
    """The same, asynchronous."""

    def __init__(self, model: Model, *where: Any) -> None:
        super().__init__(model, *where)
        self.Options = _without_detour(model)


def _without_detour(model: Model) -> Any:
    """llm's options for Responses, but for `chat_completions`: that goes past our client."""
    return _theirs.build_options_class(reasoning=model.reasoning, reasoning_summary=model.reasoning)
