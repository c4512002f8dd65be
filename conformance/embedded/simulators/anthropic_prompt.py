"""The prompt of a messages request as the stretches that a cache can hold: tools, then system, then messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from conformance.embedded.simulators.completion import Json, Stretch, object_of, text_of

_TTL = "5m"  # https://platform.claude.com/docs/en/build-with-claude/prompt-caching#1-hour-cache-duration
# What is no part of the prompt, or whose length says nothing about its tokens.
_NO_TEXT = frozenset({"cache_control", "data", "signature", "source"})


def stretches(body: Json) -> tuple[Stretch, ...]:
    """The prompt in the order in which it is cached; each stretch knows whether a cache breakpoint ends it.

    https://platform.claude.com/docs/en/build-with-claude/prompt-caching#what-can-be-cached
    """
    found = tuple(Stretch(_text(block), _ttl(block)) for block in _blocks(body))
    whole = _ttl(body)
    return (*found[:-1], replace(found[-1], ttl=whole)) if found and whole else found


def _blocks(body: Json) -> Iterator[Json | str]:
    yield from body.get("tools") or ()
    contents = [body.get("system"), *(object_of(each).get("content") for each in body.get("messages") or ())]
    for content in contents:
        if isinstance(content, list):
            yield from content
        elif content:
            yield str(content)


def _ttl(block: Json | str) -> str | None:
    asked = object_of(block).get("cache_control")
    return str(object_of(asked).get("ttl") or _TTL) if asked else None


def _text(block: Json | str) -> str:
    if isinstance(block, str):
        return block
    read = "" if "input_schema" in block else text_of([block])
    return read or json.dumps({name: value for name, value in block.items() if name not in _NO_TEXT})
