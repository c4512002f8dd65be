"""Models for pydantic-ai: `Agent(litellm_model("claude-haiku-4-5"))`."""

from __future__ import annotations

from openai import AsyncOpenAI
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.profiles import ModelProfile, merge_profile
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.litellm import LiteLLMProvider as PydanticProvider
from pydantic_ai.settings import ModelSettings

from conformance.provider.gateway import LiteLLMProvider
from conformance.provider.models import Model
from conformance.provider.stream.client import sdk_options, transport_options
from conformance.provider.transport import async_http_client


def litellm_model(
    model: Model | str, *, provider: LiteLLMProvider | None = None
) -> OpenAIChatModel | OpenAIResponsesModel:
    """A model of the gateway, on the endpoint that works for it, which sends only what it takes.

    `provider` is by default the gateway that the environment names. Nothing is asked of it: for what
    it declares, give one of `provider.models()`. Raises `TargetError`, `TableError` and `ValueError`.
    """
    provider = provider or LiteLLMProvider.from_env()
    known = model if isinstance(model, Model) else provider.model(model)
    target = provider.target
    client = AsyncOpenAI(
        **sdk_options(target),
        http_client=async_http_client(provider.request_filter, **transport_options(target)),
    )
    kind = OpenAIResponsesModel if known.compat["wire"] == "responses" else OpenAIChatModel
    return kind(
        known.id,
        provider=PydanticProvider(openai_client=client),
        profile=profile_of(known),
        settings=ModelSettings(max_tokens=known.max_tokens),
    )


def profile_of(model: Model) -> ModelProfile:
    """What pydantic-ai has to know of a model: what its name tells, and over that what was measured."""
    compat = model.compat
    measured = OpenAIModelProfile(
        supports_image_input="image" in model.input,
        openai_supports_strict_tool_definition=compat["supportsStrictMode"],
        openai_chat_supports_max_completion_tokens=compat["maxTokensField"] == "max_completion_tokens",
        openai_system_prompt_role="system",  # which every gateway takes
    )
    return merge_profile(PydanticProvider.model_profile(model.id), measured)
