"""Where `conformance.provider.integrations.llm_models` was before: an editable install still looks for it here."""

from conformance.provider.integrations.llm_models import register_models

__all__ = ["register_models"]
