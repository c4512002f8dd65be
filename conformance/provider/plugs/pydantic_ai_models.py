"""Where `conformance.provider.integrations.pydantic_ai_models` was before."""

from conformance.provider.integrations.pydantic_ai_models import litellm_model

__all__ = ["litellm_model"]
