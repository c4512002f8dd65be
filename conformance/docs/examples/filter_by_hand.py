"""Filter a request's body by hand, and see what was left out and what was put in its place.

What serves the model, and which LiteLLM it is, stand in the headers of each answer. Who does not know it leaves it out.
"""

from conformance.provider import filter_request, load_table

body = {"model": "gpt-5.2", "input": "hi", "temperature": 0.5, "reasoning": {"effort": "minimal"}}

filtered = filter_request(
    body, "gpt-5.2", "responses", table=load_table(), served_by=["azure/gpt-5.2"], gateway_version="1.109.3"
)

print("refused:", *filtered.dropped)
print("instead:", dict(filtered.instead))
print("send:", filtered.body)
