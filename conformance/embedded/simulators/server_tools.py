"""Tools that Anthropic runs itself: a web search, made where a prompt asks for it by name or it is forced.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool#response
"""

from __future__ import annotations

from conformance.embedded.simulators.completion import Completion, Json, digest, object_of

_SEARCH = "web_search_"


def searched(done: Completion, body: Json) -> list[Json]:
    """The blocks of a search: what was searched for, and what was found; none where nobody asked."""
    name = _tool(body)
    forced = object_of(body.get("tool_choice")).get("name") == name
    if name is None or not (forced or name in done.ask.instruction):
        return []
    use = f"srvtoolu_{digest([done.digest, name])}"
    found = {
        "type": "web_search_result",
        "url": "https://example.com/",
        "title": "Example",
        "encrypted_content": digest(use),
        "page_age": None,
    }
    return [
        {"type": "server_tool_use", "id": use, "name": name, "input": {"query": done.ask.instruction}},
        {"type": "web_search_tool_result", "tool_use_id": use, "content": [found]},
    ]


def _tool(body: Json) -> str | None:
    tools = [object_of(each) for each in body.get("tools") or ()]
    return next((each["name"] for each in tools if str(each.get("type", "")).startswith(_SEARCH)), None)
