"""Filter a request's body by hand, and see what was left out and what was put in its place."""

from conformance.provider import filter_request, load_table

body = {"model": "gpt-5.2", "input": "hi", "temperature": 0.5, "reasoning": {"effort": "minimal"}}

filtered = filter_request(body, "gpt-5.2", "responses", table=load_table())

print("refused:", *filtered.dropped)
print("instead:", dict(filtered.instead))
print("send:", filtered.body)
