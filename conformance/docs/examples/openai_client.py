"""Use the OpenAI SDK as ever: its HTTP client leaves out what the model refuses."""

from openai import OpenAI

from conformance.provider import http_client

client = OpenAI(http_client=http_client())

response = client.responses.create(model="claude-haiku-4-5", input="hi", prompt_cache_key="session-7")
print(response.output_text)
