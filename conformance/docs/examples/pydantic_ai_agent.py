"""Give a pydantic-ai agent a model of the gateway."""

from pydantic_ai import Agent

from conformance.provider.integrations.pydantic_ai_models import litellm_model

agent = Agent(litellm_model("claude-haiku-4-5"))
print(agent.run_sync("hi").output)
