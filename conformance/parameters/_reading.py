"""What an answer holds, wherever its wire format puts it. Pure; nothing here raises, whatever JSON it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonschema_rs

from conformance.answers.reading import Answer

Json = Mapping[str, Any]

ABSENT = object()
Path = tuple[str | int, ...]


def leaves(sent: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value of a body that is no object of named values, with the way to it."""
    if not isinstance(sent, Mapping) or not sent:
        yield path, sent
        return
    for name, value in sent.items():
        yield from leaves(value, (*path, name))


def dig(value: Any, path: Path) -> Any:
    """What a path leads to, or `ABSENT` where it leads nowhere."""
    for step in path:
        within = step in value if isinstance(value, Mapping) else isinstance(step, int) and step < length(value)
        if not within:
            return ABSENT
        value = value[step]
    return value


def length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0


def shown(result: Any, path: Path) -> Any:
    """What an answer shows for a setting; a null or an empty object on the way there is shown instead of it."""
    found = result
    for end in range(1, len(path) + 1):
        found = dig(result, path[:end])
        if found is ABSENT or found is None or found == {}:
            return found
    return found


def same(one: Any, other: Any) -> bool:
    """True for equal JSON values; to Python, 1 and true are equal as well."""
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def dotted(path: Path) -> str:
    return ".".join(map(str, path))


def quoted(path: Path, value: Any) -> str:
    return f"`{dotted(path)}: {short(value)}`"


def short(value: Any) -> str:
    try:
        text = json.dumps(value)
    except RecursionError:
        return "…"
    return text if len(text) <= 60 else f"{text[:60]}…"


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def objects(value: Any) -> list[Json]:
    """The objects in a list; none where there is no list."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def at(value: Any, *path: str) -> Any:
    """What a path leads to, or None."""
    found = dig(value, path)
    return None if found is ABSENT else found


def choices(answer: Answer) -> list[Json]:
    return objects(at(answer.result, "choices"))


def messages(answer: Answer) -> list[Json]:
    return [message for choice in choices(answer) if isinstance(message := choice.get("message"), Mapping)]


def items(answer: Answer, kind: str) -> list[Json]:
    return [item for item in objects(at(answer.result, "output")) if item.get("type") == kind]


def reasoning_items(answer: Answer) -> list[Json]:
    return items(answer, "reasoning")


def blocks(answer: Answer, *kinds: str) -> list[Json]:
    """The blocks of these kinds in a message of Anthropic's API."""
    return [block for block in objects(at(answer.result, "content")) if block.get("type") in kinds]


def texts(answer: Answer) -> list[str]:
    """The text of every choice, or the one text of a Responses object, or of a message."""
    said = [text(message.get("content")) for message in messages(answer)]
    if written := blocks(answer, "text"):
        return [text(written)]
    parts = items(answer, "message")
    return [*said, "".join(text(part.get("content")) for part in parts)] if parts else said


def text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = (part.get("text") for part in objects(content))
    return "".join(part for part in parts if isinstance(part, str))


def calls(answer: Answer) -> list[str]:
    """The names of the functions that the first choice, the Responses object, or the message calls."""
    calls = [call for message in messages(answer)[:1] for call in objects(message.get("tool_calls"))]
    plain = [*items(answer, CALL), *blocks(answer, "tool_use")]
    names = [*(at(call, "function", "name") for call in calls), *(call.get("name") for call in plain)]
    return [name if isinstance(name, str) else "" for name in names]


CALL = "function_call"


def cut(answer: Answer) -> bool:
    """True where the answer says that it ends at a cap."""
    cut = any(choice.get("finish_reason") == "length" for choice in choices(answer))
    return cut or at(answer.result, "status") == "incomplete" or at(answer.result, "stop_reason") == "max_tokens"


def usage(answer: Answer) -> Json:
    found = at(answer.result, "usage")
    return found if isinstance(found, Mapping) else {}


def spent(answer: Answer) -> int | None:
    """How many tokens the answer took, reasoning included, where it says so."""
    return count(usage(answer), ("completion_tokens", "output_tokens"))


def reasoning_tokens(answer: Answer) -> int | None:
    """How many tokens went into reasoning, where the answer says so."""
    figures = usage(answer)
    details = (figures.get("completion_tokens_details"), figures.get("output_tokens_details"))
    found = [count(each, ("reasoning_tokens",)) for each in details if isinstance(each, Mapping)]
    return next((each for each in found if each is not None), None)


def count(figures: Json, names: Sequence[str]) -> int | None:
    return next((figures[name] for name in names if is_count(figures.get(name))), None)


def reasoning(answer: Answer) -> bool:
    """True where reasoning shows as content: a field of the message, a part of its content, an item or a block."""
    if reasoning_items(answer) or blocks(answer, *_REASONING_BLOCKS):
        return True
    return any(
        any(message.get(name) for name in _REASONING_FIELDS)
        or any(part.get("type") in _REASONING_PARTS for part in objects(message.get("content")))
        for message in messages(answer)
    )


# Where reasoning stands in a chat completion: DeepSeek and LiteLLM, OpenRouter and vLLM, LiteLLM for Claude.
_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking_blocks")
_REASONING_PARTS = ("reasoning", "thinking")
_REASONING_BLOCKS = ("thinking", "redacted_thinking")


def logprobs(answer: Answer) -> list[Json]:
    """The log probabilities of all tokens."""
    chat = [each for choice in choices(answer) for each in objects(at(choice, "logprobs", "content"))]
    parts = [part for item in items(answer, "message") for part in objects(item.get("content"))]
    return [*chat, *(each for part in parts for each in objects(part.get("logprobs")))]


def alternatives(answer: Answer) -> int:
    """The most alternatives that a token comes with."""
    return max((len(objects(each.get("top_logprobs"))) for each in logprobs(answer)), default=0)


def schema(sent: Json) -> Any:
    """The JSON schema that a request sends, or None."""
    found = (at(sent, *path) for path in _SCHEMAS)
    return next((each for each in found if each), None)


# Where a chat, a Responses and a Messages request have it.
_SCHEMAS = (
    ("response_format", "json_schema", "schema"),
    ("text", "format", "schema"),
    ("output_config", "format", "schema"),
)


def fits(text: str, schema: Any) -> bool:
    """True for the text of a JSON object that fits the schema, or of any where there is none."""
    try:
        value = json.loads(text)
        return isinstance(value, dict) and (schema is None or jsonschema_rs.is_valid(schema, value))
    except (ValueError, RecursionError):
        return False
