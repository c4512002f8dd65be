"""Bodies that are not known before the run: parts of an earlier answer, and values of wrong types. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.answers.reading import Answer
from conformance.parameters import _reading as reading

_ID, _OUTPUT, _CONTENT = "{answer.id}", "{answer.output}", "{answer.content}"

#: What stands in for a value of each type: nobody who reads the field takes it.
_WRONG: Mapping[type, Any] = {bool: "wrong type", int: "wrong type", float: "wrong type", str: {"wrong": "type"}}


def answer_id(answer: Answer) -> str | None:
    """The id by which a stored answer can be fetched, or None where the answer has none."""
    found = reading.at(answer.result, "id")
    return found if isinstance(found, str) and found else None


def filled(body: Any, answer: Answer) -> Any:
    """A body with what it takes from an answer: its id, the items of its output, or the blocks of its content.

    None where the answer holds none of that; an output and a content count only with reasoning in them.
    """
    if body == _ID:
        return answer_id(answer)
    if body == _CONTENT:
        return reading.at(answer.result, "content") if reading.reasoning(answer) else None
    if isinstance(body, Mapping):
        values = {name: filled(value, answer) for name, value in body.items()}
        return None if None in values.values() else values
    if not isinstance(body, list):
        return body
    if _OUTPUT in body and not reading.reasoning_items(answer):
        return None
    output = reading.objects(reading.at(answer.result, "output"))
    items = [item for each in body for item in (output if each == _OUTPUT else [filled(each, answer)])]
    return None if None in items else items


def wrong_types(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a body that have one plain value, with values of wrong types."""
    return {name: _WRONG[type(value)] for name, value in body.items() if type(value) in _WRONG}
