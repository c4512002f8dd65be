"""Which of the parameters asked for a refusal names, and whether it can be taken at its word. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.answers import dialects
from conformance.answers.reading import Answer
from conformance.parameters.joining import sole_value
from conformance.plan.cells import Group
from conformance.types import Endpoint, Parameter

_NOTHING = re.compile(r"not found|no such|(?:does not|doesn't) exist|cannot be found|could not find", re.IGNORECASE)


def blamed(parameters: Sequence[Parameter], endpoint: Endpoint, answer: Answer) -> list[Parameter]:
    """Those of the parameters that a refusal names: by a field at the top, else by the name at their paths' end.

    Where it names no field at all, those are meant of which it quotes a value that is no ordinary word. Whoever does
    not find an id has named its parameter before all.
    """
    if missing := [p for p in parameters if finds_nothing(p, answer)]:
        return missing
    text = answer.refusal or ""
    named = dialects.offenders(text)
    found = [p for p in parameters if any(dialects.blames(name, tuple(p.bodies[endpoint])) for name in named)]
    found = found or [p for p in parameters if "." in p.path and p.path.rpartition(".")[2] in named]
    if found or named:
        return found
    marks = set(re.findall(r"['\"`]([a-z][a-z_]*_\d{6,12})['\"`]", text[: dialects.MAX_TEXT]))
    return [p for p in parameters if not marks.isdisjoint(_texts_in(p.bodies[endpoint]))]


def at_fault(named: Sequence[Parameter], group: Group, answer: Answer) -> list[Parameter]:
    """Of the parameters that a refusal names, those whose own part it names, and not just a list that it lies in.

    Empty where some of them may be meant, or none. A bridge moves things: a refused part of `system` is named as one
    of `messages`, where another parameter lies. It renames them, too: where the refusal names one parameter alone,
    the bridge's name counts as well. What a parameter's context sends is not its own: that has passed before.
    """
    alone, endpoint = len(named) == 1, group.endpoint
    found: list[Parameter] = []
    for parameter in named:
        body = parameter.bodies[endpoint]
        sharing = [p for p in named if p is not parameter and not body.keys().isdisjoint(p.bodies[endpoint])]
        others = (group.context(parameter.context).body, *(other.bodies[endpoint] for other in sharing))
        own = _names_in(body).difference(*map(_names_in, others))
        if _names_part(answer, tuple(body), own, alone=alone):
            found.append(parameter)
        elif not sharing:
            return []
    return found


def _names_part(answer: Answer, fields: tuple[str, ...], own: frozenset[str], *, alone: bool) -> bool:
    named = [name for name in dialects.offenders(answer.refusal or "") if dialects.blames(name, fields)]
    if not named:  # it is named without its place
        return alone
    return any(dialects.ends_in(name, own, bridged=alone) for name in named)


def is_certain(culprits: Sequence[Parameter], batch: Sequence[Parameter], group: Group, answer: Answer) -> bool:
    """True where a refusal of a batch means these parameters whatever their company.

    So it does where it is of a field, or of two that do not go together and are one parameter. So it does where it
    quotes the value of one parameter, and speaks of nothing else that was sent.
    """
    text = answer.refusal or ""
    if dialects.refuses_field(text):
        return True
    if len(culprits) > 1:
        return False
    [culprit] = culprits
    body = culprit.bodies[group.endpoint]
    company = [each for each in batch if each is not culprit]
    sent = (*(each.bodies[group.endpoint] for each in company), *(group.context(each.context).body for each in company))
    others = {name for each in sent for name in each} - body.keys()
    return dialects.names_all(text, body) or (_quotes(text, sole_value(body)) and not dialects.mentions(text, others))


def finds_nothing(parameter: Parameter, answer: Answer) -> bool:
    """True where a refusal says that nothing has the id that a parameter sent: so the field was read."""
    text = (answer.refusal or "")[: dialects.MAX_TEXT]
    return bool(parameter.unknown_id) and parameter.unknown_id in text and _NOTHING.search(text) is not None


def _quotes(text: str, value: Any) -> bool:
    """True where a text has a value in it that is no ordinary word of a sentence."""
    if isinstance(value, bool) or not isinstance(value, str | float):
        return False
    shown = re.escape(str(value))
    pattern = rf"(?<![\w.]){shown}(?![\w.]*\w)" if isinstance(value, float) else rf"['\"`=]{shown}(?!\w)"
    return re.search(pattern, text[: dialects.MAX_TEXT]) is not None


def _names_in(value: Any) -> frozenset[str]:
    """The name of every field in a body, at any depth."""
    return frozenset(name for each in _all_in(value) if isinstance(each, Mapping) for name in each)


def _texts_in(value: Any) -> frozenset[str]:
    """Every text in a body, at any depth."""
    return frozenset(each for each in _all_in(value) if isinstance(each, str))


def _all_in(value: Any) -> Iterator[Any]:
    """A value and all values in it."""
    yield value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for each in inner:
        yield from _all_in(each)
