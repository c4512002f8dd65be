"""List the models of a gateway, and what each can do."""

from conformance.provider import LiteLLMProvider

for model in LiteLLMProvider.from_env().models():
    print(model.id, model.context_window, model.max_tokens, model.cost, model.compat["wire"])
