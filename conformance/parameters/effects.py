"""Observable effects by name: what an answer shows of a parameter. Pure.

An observer compares the probe's answer with its baseline's, in the light of what the probe sent
besides. It returns whether the effect was seen (True), must have shown and did not (False), or
cannot be told from these two (None), and a clause that says what was looked at. What the baseline
shows as well proves nothing. No observer raises, whatever JSON an answer holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jsonschema_rs

from conformance.answers import Answer

Json = Mapping[str, Any]


class Observation(NamedTuple):
    """Whether an effect was seen, and what was looked at to tell."""

    seen: bool | None
    what: str


class Echoed(Observation):
    """An observation of what the answer repeats of the request, which a gateway can write by itself."""


#: Takes the parameter's body on its endpoint, the probe's answer and the baseline's.
Observer = Callable[[Json, Answer, Answer], Observation]


def echo(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """A Responses object repeats the request's settings: the values sent, others, or none.

    A setting that is left out says nothing, and neither does a null that is there unasked as well:
    LiteLLM writes one wherever an upstream says nothing.
    """
    if probe.result is None:
        return Echoed(None, "the answer holds no object to look at")
    leaves = list(_leaves(sent))
    shown = [(path, value, _shown(probe.result, path)) for path, value in leaves]
    for path, value, found in shown:
        if found is None and _shown(baseline.result, path) in (None, _ABSENT):
            return Echoed(None, f"the answer shows {_quoted(path, found)}, as it does unasked")
        if found is not _ABSENT and not _same(found, value):
            return Echoed(False, f"the answer shows {_quoted(path, found)}")
    for path, _, found in shown:
        if found is _ABSENT:
            return Echoed(None, f"the answer does not show `{_dotted(path)}`")
    what = "the answer shows " + " and ".join(_quoted(path, found) for path, _, found in shown)
    if all(_same(_shown(baseline.result, path), value) for path, value in leaves):
        return Echoed(None, f"{what}, as it does unasked")
    return Echoed(True, what)


def strict(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """A Responses object repeats its tools, and whether their arguments have to fit the schema."""
    path = ("tools", 0, "strict")
    wanted, shown, before = (_dig(value, path) for value in (sent, probe.result, baseline.result))
    if not isinstance(shown, bool):
        return Echoed(None, "the answer does not show how strictly its tools were taken")
    what = f"the answer shows {_quoted(('strict',), shown)} for the tool"
    if shown is not wanted:
        return Echoed(False, what)
    return Echoed(None, f"{what}, as it does unasked") if before is wanted else Echoed(True, what)


def tier(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """An answer names the service tier that gave it, where its vendor has tiers."""
    wanted, shown, before = (_dig(value, ("service_tier",)) for value in (sent, probe.result, baseline.result))
    if not isinstance(shown, str):
        return Observation(None, "the answer does not say which service tier gave it")
    what = f"the answer came from the service tier {_short(shown)}"
    if shown != wanted:
        return Observation(False, what)
    return Observation(None, f"{what}, as it does unasked") if before == wanted else Observation(True, what)


def usage(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """A stream ends with its token counts, where they are asked for."""
    if not _usage(probe):
        return Observation(False, "the stream holds no token counts")
    if _usage(baseline):
        return Observation(None, "the stream holds token counts, as it does unasked")
    return Observation(True, "the stream holds token counts")


def cap(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """An answer that would be longer ends at the cap, and says so."""
    limit = _count(sent, tuple(sent))
    words = max((len(text.split()) for text in _texts(probe)), default=0)
    if limit is None:
        return Observation(None, "no cap was sent")
    if words > limit:  # a word is at least a token
        return Observation(False, f"the answer runs on to {words} words, past a cap of {limit} tokens")
    if not _cut(probe):
        return Observation(None, "the answer ended by itself")
    spent, before = _spent(probe), _spent(baseline)
    if not _cut(baseline) or (spent is not None and before is not None and spent <= limit < before):
        return Observation(True, f"the answer was cut at the cap of {limit} tokens")
    return Observation(None, "the answer was cut, as it is without this cap")


def choices(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """As many choices as were asked for."""
    wanted, count, before = sent.get("n"), len(_choices(probe)), len(_choices(baseline))
    what = f"the answer holds {count} choice{'' if count == 1 else 's'}"
    if count != wanted and not any(_texts(probe)) and not _calls(probe):
        return Observation(None, f"{what}, and no word in it")
    if count != wanted:
        return Observation(False, f"{what}, not {_short(wanted)}")
    return Observation(None, f"{what}, as it does unasked") if before == wanted else Observation(True, what)


def logprobs(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """Every token of the text comes with its log probability."""
    if _logprobs(probe):
        seen = None if _logprobs(baseline) else True
        return Observation(seen, f"the answer holds log probabilities{', as it does unasked' if seen is None else ''}")
    if not any(_texts(probe)):
        return Observation(None, "the answer holds no text to have log probabilities")
    return Observation(False, "the answer holds text without log probabilities")


def top_logprobs(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """Log probabilities come with as many alternatives as were asked for."""
    wanted, shown, before = _count(sent, ("top_logprobs",)), _alternatives(probe), _alternatives(baseline)
    if not _logprobs(probe) or wanted is None:
        return Observation(None, "the answer holds no log probabilities")
    what = f"the log probabilities come with {shown} alternatives"
    if shown == 0:
        return Observation(False, "the log probabilities come without alternatives")
    if shown < wanted:
        return Observation(None, f"{what}, not {wanted}")
    return Observation(None, f"{what}, as they do unasked") if before >= wanted else Observation(True, what)


def stop(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """The text ends where it would have come to a stop sequence. Some vendors keep the sequence itself."""
    given = sent.get("stop")
    sequences = [each for each in (given if isinstance(given, list) else [given]) if isinstance(each, str) and each]
    text, before = next(iter(_texts(probe)), ""), next(iter(_texts(baseline)), "")
    name = " or ".join(_short(each) for each in sequences)
    rest = min((text[text.find(each) + len(each) :] for each in sequences if each in text), key=len, default="")
    if rest.strip():
        return Observation(False, f"the answer goes on after {name}")
    if _cut(probe) or not any(each in before for each in sequences):
        return Observation(None, f"the answer does not come to {name}, asked or unasked")
    return Observation(True, f"the answer ends before {name}")


def json_text(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """The text is a JSON object, and fits the schema where one was sent."""
    schema = _schema(sent)
    kind = "JSON object" if schema is None else "JSON value of the schema"
    text, before = next(iter(_texts(probe)), ""), next(iter(_texts(baseline)), "")
    if _cut(probe) or not text:
        return Observation(None, "the answer holds no whole text")
    if not _fits(text, schema):
        return Observation(False, f"the answer is no {kind}")
    return Observation(None if _fits(before, schema) else True, f"the answer is a {kind}")


def call(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """A tool is called because it has to be: any, or the one named."""
    choice = sent.get("tool_choice")
    names = [_dig(choice, path) for path in (("name",), ("function", "name"))]
    named = next((name for name in names if isinstance(name, str)), None)
    called, before = ([n for n in _calls(answer) if named in (None, n)] for answer in (probe, baseline))
    what = "a tool" if named is None else f"`{named}`"
    if called:
        return Observation(None if before else True, f"the answer calls {what}{', as it does unasked' * bool(before)}")
    if _cut(probe):
        return Observation(None, "the answer was cut before it could call a tool")
    return Observation(False, f"the answer does not call {what}")


def call_unasked(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """A tool is called, though it need not be."""
    if not _calls(probe):
        return Observation(None, "the answer calls no tool, nor does it have to")
    return Observation(None if _calls(baseline) else True, "the answer calls a tool")


def one_call(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """One tool call at most, where the baseline makes several."""
    count, before = len(_calls(probe)), len(_calls(baseline))
    if count > 1:
        return Observation(False, f"the answer makes {count} tool calls at once")
    if count == 1 and before > 1:
        return Observation(True, f"the answer makes 1 tool call, and {before} unasked")
    return Observation(None, f"the answer makes {count} tool calls, and {before} unasked")


def reasoning_on(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """Reasoning shows, as content or as tokens, where the baseline has none. A short prompt may need none."""
    content, before = _reasoning(probe), _reasoning(baseline)
    tokens, tokens_before = _reasoning_tokens(probe), _reasoning_tokens(baseline)
    if not content and not tokens:
        return Observation(None, "the answer shows no reasoning")
    if before or tokens_before:
        return Observation(None, "the answer shows reasoning, as it does unasked")
    if content or tokens_before == 0:
        return Observation(True, "the answer shows reasoning, and none unasked")
    return Observation(None, "the answer counts reasoning tokens, and unasked it counts none")


def reasoning_off(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """No reasoning shows where the baseline has some."""
    tokens, tokens_before = _reasoning_tokens(probe), _reasoning_tokens(baseline)
    if _reasoning(probe) or tokens:
        return Observation(False, "the answer shows reasoning all the same")
    if _reasoning(baseline) or (tokens == 0 and tokens_before):
        return Observation(True, "the answer shows no reasoning, and some unasked")
    return Observation(None, "the answer shows no reasoning, asked or unasked")


def effort(sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """The reasoning level, as a Responses object repeats it, and reasoning itself.

    Some LiteLLM versions write `reasoning: null` and forward the level, so null says nothing here.
    """
    path = ("reasoning", "effort")
    level, shown, before = (_dig(value, path) for value in (sent, probe.result, baseline.result))
    itself = (reasoning_off if level == "none" else reasoning_on)(sent, probe, baseline)
    if itself.seen is not None or not isinstance(shown, str):
        return itself
    what = f"the answer shows {_quoted(path, shown)}"
    if shown != level:
        return Echoed(False, what)
    return Echoed(None, f"{what}, as it does unasked") if before == level else Echoed(True, what)


def summary(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """Reasoning comes with a summary, or the Responses object says what kind was asked for (`auto` becomes one)."""
    path = ("reasoning", "summary")
    if any(item.get("summary") for item in _reasoning_items(probe)):
        seen = not any(item.get("summary") for item in _reasoning_items(baseline))
        return Observation(seen or None, f"the answer holds a reasoning summary{', as it does unasked' * (not seen)}")
    shown, before = (_dig(answer.result, path) for answer in (probe, baseline))
    if shown is None:
        return Echoed(False, f"the answer shows {_quoted(path, shown)}")
    if isinstance(shown, str) and not isinstance(before, str):
        return Echoed(True, f"the answer shows {_quoted(path, shown)}")
    return Observation(None, "the answer holds no reasoning summary")


def encrypted_reasoning(_sent: Json, probe: Answer, baseline: Answer) -> Observation:
    """Each reasoning item comes with its encrypted content."""
    items = _reasoning_items(probe)
    if not items:
        return Observation(None, "the answer holds no reasoning to encrypt")
    if not any(item.get("encrypted_content") for item in items):
        return Observation(False, "the answer holds reasoning without its encrypted content")
    before = any(item.get("encrypted_content") for item in _reasoning_items(baseline))
    return Observation(None if before else True, "the answer holds reasoning with its encrypted content")


OBSERVERS: Mapping[str, Observer] = {
    "call": call,
    "call_unasked": call_unasked,
    "cap": cap,
    "choices": choices,
    "echo": echo,
    "effort": effort,
    "encrypted_reasoning": encrypted_reasoning,
    "json": json_text,
    "logprobs": logprobs,
    "one_call": one_call,
    "reasoning_off": reasoning_off,
    "reasoning_on": reasoning_on,
    "stop": stop,
    "strict": strict,
    "summary": summary,
    "tier": tier,
    "top_logprobs": top_logprobs,
    "usage": usage,
}

_ABSENT = object()
_Path = tuple[str | int, ...]


def _leaves(sent: Any, path: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    """Every value of a body that is no object of named values, with the way to it."""
    if not isinstance(sent, Mapping) or not sent:
        yield path, sent
        return
    for name, value in sent.items():
        yield from _leaves(value, (*path, name))


def _dig(value: Any, path: _Path) -> Any:
    """What a path leads to, or `_ABSENT` where it leads nowhere."""
    for step in path:
        within = step in value if isinstance(value, Mapping) else isinstance(step, int) and step < _length(value)
        if not within:
            return _ABSENT
        value = value[step]
    return value


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0


def _shown(result: Any, path: _Path) -> Any:
    """What an answer shows for a setting; a null or an empty object on the way there is shown instead of it."""
    found = result
    for end in range(1, len(path) + 1):
        found = _dig(result, path[:end])
        if found is _ABSENT or found is None or found == {}:
            return found
    return found


def _same(one: Any, other: Any) -> bool:
    """True for equal JSON values; to Python, 1 and true are equal as well."""
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _dotted(path: _Path) -> str:
    return ".".join(map(str, path))


def _quoted(path: _Path, value: Any) -> str:
    return f"`{_dotted(path)}: {_short(value)}`"


def _short(value: Any) -> str:
    try:
        text = json.dumps(value)
    except RecursionError:
        return "…"
    return text if len(text) <= 60 else f"{text[:60]}…"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _objects(value: Any) -> list[Json]:
    """The objects in a list; none where there is no list."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _at(value: Any, *path: str) -> Any:
    """What a path leads to, or None."""
    found = _dig(value, path)
    return None if found is _ABSENT else found


def _choices(answer: Answer) -> list[Json]:
    return _objects(_at(answer.result, "choices"))


def _messages(answer: Answer) -> list[Json]:
    return [message for choice in _choices(answer) if isinstance(message := choice.get("message"), Mapping)]


def _items(answer: Answer, kind: str) -> list[Json]:
    return [item for item in _objects(_at(answer.result, "output")) if item.get("type") == kind]


def _reasoning_items(answer: Answer) -> list[Json]:
    return _items(answer, "reasoning")


def _texts(answer: Answer) -> list[str]:
    """The text of every choice, or the one text of a Responses object."""
    texts = [_text(message.get("content")) for message in _messages(answer)]
    items = _items(answer, "message")
    return [*texts, "".join(_text(item.get("content")) for item in items)] if items else texts


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = (part.get("text") for part in _objects(content))
    return "".join(part for part in parts if isinstance(part, str))


def _calls(answer: Answer) -> list[str]:
    """The names of the functions that the first choice, or the Responses object, calls."""
    calls = [call for message in _messages(answer)[:1] for call in _objects(message.get("tool_calls"))]
    names = [*(_at(call, "function", "name") for call in calls), *(i.get("name") for i in _items(answer, _CALL))]
    return [name if isinstance(name, str) else "" for name in names]


_CALL = "function_call"


def _cut(answer: Answer) -> bool:
    """True where the answer says that it ends at a cap."""
    cut = any(choice.get("finish_reason") == "length" for choice in _choices(answer))
    return cut or _at(answer.result, "status") == "incomplete"


def _usage(answer: Answer) -> Json:
    found = _at(answer.result, "usage")
    return found if isinstance(found, Mapping) else {}


def _spent(answer: Answer) -> int | None:
    """How many tokens the answer took, reasoning included, where it says so."""
    return _count(_usage(answer), ("completion_tokens", "output_tokens"))


def _reasoning_tokens(answer: Answer) -> int | None:
    """How many tokens went into reasoning, where the answer says so."""
    figures = _usage(answer)
    details = (figures.get("completion_tokens_details"), figures.get("output_tokens_details"))
    found = [_count(each, ("reasoning_tokens",)) for each in details if isinstance(each, Mapping)]
    return next((each for each in found if each is not None), None)


def _count(figures: Json, names: Sequence[str]) -> int | None:
    return next((figures[name] for name in names if _is_count(figures.get(name))), None)


def _reasoning(answer: Answer) -> bool:
    """True where reasoning shows as content: a field of the message, a part of its content, or an item."""
    if _reasoning_items(answer):
        return True
    return any(
        any(message.get(name) for name in _REASONING_FIELDS)
        or any(part.get("type") in _REASONING_PARTS for part in _objects(message.get("content")))
        for message in _messages(answer)
    )


# Where reasoning stands in a chat completion: DeepSeek and LiteLLM, OpenRouter and vLLM, LiteLLM for Claude.
_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking_blocks")
_REASONING_PARTS = ("reasoning", "thinking")


def _logprobs(answer: Answer) -> list[Json]:
    """The log probabilities of all tokens."""
    chat = [each for choice in _choices(answer) for each in _objects(_at(choice, "logprobs", "content"))]
    parts = [part for item in _items(answer, "message") for part in _objects(item.get("content"))]
    return [*chat, *(each for part in parts for each in _objects(part.get("logprobs")))]


def _alternatives(answer: Answer) -> int:
    """The most alternatives that a token comes with."""
    return max((len(_objects(each.get("top_logprobs"))) for each in _logprobs(answer)), default=0)


def _schema(sent: Json) -> Any:
    """The JSON schema that a chat or a Responses request sends, or None."""
    return _at(sent, "response_format", "json_schema", "schema") or _at(sent, "text", "format", "schema")


def _fits(text: str, schema: Any) -> bool:
    """True for the text of a JSON object that fits the schema, or of any where there is none."""
    try:
        value = json.loads(text)
        return isinstance(value, dict) and (schema is None or jsonschema_rs.is_valid(schema, value))
    except (ValueError, RecursionError):
        return False
