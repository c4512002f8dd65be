"""Use Anthropic's SDK as ever: a budget for thinking that the model refuses becomes adaptive thinking."""

from anthropic import Anthropic

from conformance.provider import http_client

client = Anthropic(http_client=http_client())

message = client.messages.create(
    model="house-model-7",
    max_tokens=4096,
    thinking={"type": "enabled", "budget_tokens": 2048},
    messages=[{"role": "user", "content": "hi"}],
)
print(*(block.text for block in message.content if block.type == "text"))
