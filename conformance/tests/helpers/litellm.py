"""What LiteLLM hands to a hook, as its releases were seen to do it."""

from __future__ import annotations

from typing import Any

DOORS = {"acompletion": "chat/completions", "aresponses": "responses", "anthropic_messages": "messages"}
PROMPTS: dict[str, dict[str, Any]] = {
    "acompletion": {"messages": [{"role": "user", "content": "hi"}]},
    "aresponses": {"input": "hi"},
    "anthropic_messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 50},
}
CLAUDE, GPT = "databricks/databricks-claude-haiku-4-5", "azure/gpt-5.2"


class Log:
    """Stands for LiteLLM's logging object: it lives as long as its request."""


class Refused(Exception):  # noqa: N818 - as LiteLLM's own are read
    """Stands for LiteLLM's exceptions."""

    def __init__(self, message: str, status_code: int = 400) -> None:
        """Words and status."""
        super().__init__(message)
        self.message, self.status_code = message, status_code


class Routed:
    """One request inside LiteLLM: what the router hands on for each deployment that it tries."""

    def __init__(self, call: str = "acompletion", group: str = "house", request_id: str = "r", **fields: Any) -> None:
        """Take what the client sent beside the prompt."""
        self.call, self.log = call, Log()
        self.body = {"model": group, **PROMPTS[call], **fields}
        self.data: dict[str, Any] = {
            **self.body,
            "litellm_call_id": request_id,
            "litellm_logging_obj": self.log,
            "proxy_server_request": {
                "url": f"http://proxy.example:4000/v1/{DOORS[call]}",
                # LiteLLM adds to its copy of the body.
                "body": {**self.body, "litellm_call_id": request_id, "litellm_metadata": {}},
            },
        }

    def to(self, model: str, **more: Any) -> dict[str, Any]:
        """What is handed on for a deployment, with what the deployment's own settings add."""
        own = {"model_group": self.body["model"], "user_api_key_hash": "h"}
        place = "metadata" if self.call == "acompletion" else "litellm_metadata"
        labels = {**self.body.get("metadata", {}), **own} if place == "metadata" else own
        base = f"https://{model.partition('/')[0]}.example/v1"
        return {**self.data, place: labels, "model": model, "api_base": base, "api_key": "sk-upstream", **more}
