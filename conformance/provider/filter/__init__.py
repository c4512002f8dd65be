"""Leave out of a request exactly what its model rejects. Pure: the body given is never changed.

What the table calls a parameter lies somewhere in the body, and what can be done about it where
it is refused is data, in `remedies.json`: it is dropped, replaced, renamed, taken out of a list,
or kept where the request would mean something else without it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, TypeAlias

from conformance.provider.filter.places import GONE, mend_at, spelled, steps_of
from conformance.provider.table import Question, Support, SupportTable, split_parameter

#: Recipes kept with each table, and the longest model id one is kept for.
_MAX_RECIPES = 512
_MAX_ID = 256


@dataclass(frozen=True)
class Filtered:
    """A request body that is safe to send, and what was left out of it.

    `dropped` names what was refused, as the table does: a field, or `field:value` where one value
    was mended and the rest of the field stayed. `instead` says what stands in its place now,
    where anything does: `{"max_tokens": "max_completion_tokens", "messages.role:developer": "system"}`.
    """

    body: dict[str, Any]
    dropped: tuple[str, ...]
    instead: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Step:
    """A parameter that the table refuses, at least in part, one place where it lies, and what to do about it."""

    name: str
    together: tuple[str, ...]
    at: tuple[str, ...]
    support: Support
    action: str
    remedy: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Recipe:
    steps: tuple[_Step, ...]
    supports: Mapping[str, Support]
    needs: Mapping[str, tuple[str, ...]]
    endpoint: str


#: What was refused, by name, and what stands in its place.
_Changes: TypeAlias = dict[str, str | None]


def filter_request(
    body: Mapping[str, Any],
    model: str,
    endpoint: str,
    *,
    table: SupportTable,
    route: str | None = None,
    gateway: str | None = None,
    gateway_version: str | None = None,
    served_by: Iterable[str] = (),
    declared: Iterable[str] | None = None,
) -> Filtered:
    """Leave out, or mend, the parameters that the table says `model` rejects on `endpoint`.

    `endpoint` is `chat_completions`, `responses` or `messages`; the mode is read from `body["stream"]`.
    `served_by` names the deployments behind the model as LiteLLM names them (`azure/gpt-5.2`), where that is
    known: what one of them refuses is left out. `route` alone names the provider path. `declared` are the chat
    parameters that the gateway declares for the model (`supported_openai_params`), where it does.
    A parameter that no rule knows is kept: unknown models and parameters fail open. What needs
    a field that was dropped (`tool_choice` needs `tools`) goes with it. Never raises, whatever
    the body holds.
    """
    mode = "stream" if body.get("stream") is True else "whole"
    question = Question(
        model if isinstance(model, str) else "",
        endpoint,
        mode,
        route,
        gateway,
        gateway_version,
        tuple(served_by),
        declared=None if declared is None else tuple(sorted(declared)),
    )
    return filter_asked(body, question, table)


def filter_asked(body: Mapping[str, Any], question: Question, table: SupportTable) -> Filtered:
    """`filter_request` for a caller that has the question."""
    recipe = _recipe(table, question)
    kept = dict(body)
    changes: _Changes = {}
    for step in recipe.steps:
        if step.at[0] in kept and all(name in kept for name in step.together):
            _ACTIONS[step.action](kept, step, recipe, changes)
    if changes and recipe.needs:
        _drop_dependents(kept, recipe, changes)
    instead = {name: put for name, put in changes.items() if put is not None}
    return Filtered(kept, tuple(changes), instead)


def _drop(body: dict[str, Any], step: _Step, recipe: _Recipe, changes: _Changes) -> None:
    """Leave the value out wherever it is refused; where it stands for several together, just the one."""

    def mend(value: Any) -> Any:
        if not step.support.refuses(_value(value, step)):
            return value
        changes[".".join(step.at) if step.together else step.name] = None
        return GONE

    mend_at(body, step.at, mend)


def _take_out(body: dict[str, Any], step: _Step, recipe: _Recipe, changes: _Changes) -> None:
    """Take the refused values out of a list: those that may go, where not all may."""
    may_go: Sequence[str] | None = step.remedy.get("only")

    def mend(value: Any) -> Any:
        name = _value(value, step)
        if not step.support.refuses(name) or (may_go is not None and name not in may_go):
            return value
        changes[f"{step.name}:{name}"] = None
        return GONE

    mend_at(body, step.at, mend, step.remedy.get("vital"))


def _replace(body: dict[str, Any], step: _Step, recipe: _Recipe, changes: _Changes) -> None:
    """Put the first value that is not refused in place of one that is."""
    values: Mapping[str, list[str]] = step.remedy["values"]

    def fits(other: str) -> bool:
        # What is said of the whole field speaks for the values that the registry has, and no more.
        return not step.support.refuses(other) if other in values else step.support.values.get(other) is not False

    def mend(value: Any) -> Any:
        name = _value(value, step)
        if not step.support.refuses(name):
            return value
        other = next((each for each in values.get(name, ()) if fits(each)), None)
        if other is not None:
            changes[f"{step.name}:{name}"] = other
            return _of_type(value, other, step) if isinstance(value, dict) else other
        if step.remedy["otherwise"] == "keep":
            return value
        changes[step.name] = None
        return GONE

    mend_at(body, step.at, mend)


def _of_type(value: Mapping[str, Any], kind: str, step: _Step) -> dict[str, Any]:
    """An object of another type: what that type does not have is left out."""
    without = step.remedy.get("without", {}).get(kind, ())
    return {name: kind if name == "type" else each for name, each in value.items() if name not in without}


def _rename(body: dict[str, Any], step: _Step, recipe: _Recipe, changes: _Changes) -> None:
    """Give the value to the field that the model takes it in; that field's own value stays."""
    value = body[step.name]
    if not step.support.refuses(_value(value, step)):
        return
    other = step.remedy["to"].get(recipe.endpoint)
    support = recipe.supports.get(other)
    if other is not None and support is not None and support.refuses(spelled(value)):
        other = None
    changes[step.name] = other
    del body[step.name]
    if other is not None:
        body.setdefault(other, value)


def _keep(body: dict[str, Any], step: _Step, recipe: _Recipe, changes: _Changes) -> None:
    """Send it all the same: `reason` in the data says why."""


_ACTIONS: Mapping[str, Callable[[dict[str, Any], _Step, _Recipe, _Changes], None]] = {
    "drop": _drop,
    "take_out": _take_out,
    "replace": _replace,
    "rename": _rename,
    "keep": _keep,
}


def _value(value: Any, step: _Step) -> str:
    return value_name(value, step.remedy)


def value_name(value: Any, remedy: Mapping[str, Any]) -> str:
    """How the registry's ids spell a value of the parameter that a row of `remedies.json` is about."""
    name = spelled(value)
    names: Mapping[str, str] = remedy.get("spelled", {})
    return names.get(name, name) if isinstance(value, dict) else name


def _drop_dependents(body: dict[str, Any], recipe: _Recipe, changes: _Changes) -> None:
    """Drop what needs something that was dropped and has nothing in its place."""
    waiting = [name for name, put in changes.items() if put is None]
    while waiting:
        for name in recipe.needs.get(waiting.pop(0), ()):
            if _dropped(body, name, recipe.endpoint):
                changes[name] = None
                waiting.append(name)


def _dropped(body: dict[str, Any], name: str, endpoint: str) -> bool:
    """Drop a parameter, whatever the table says of it; True where it was there."""
    path, wanted = split_parameter(name)
    found = False

    def mend(value: Any) -> Any:
        nonlocal found
        if wanted is not None and spelled(value) != wanted:
            return value
        found = True
        return GONE

    for at in _places(path, endpoint):
        mend_at(body, at, mend)
    return found


@functools.cache
def remedies() -> dict[str, Any]:
    """What `remedies.json` says."""
    text = (resources.files(__package__) / "remedies.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def _places(name: str, endpoint: str) -> tuple[tuple[str, ...], ...]:
    """The steps to each place where a parameter lies in a body, `[]` for each item of a list."""
    stated = places_named(name, endpoint) or (name.rpartition("+")[2],)
    return tuple(tuple(steps_of(path)) for path in stated)


def places_named(name: str, endpoint: str) -> tuple[str, ...]:
    """Where the data says that a parameter lies, as it is written; nothing where its name says it all."""
    stated: str | list[str] = remedies()["remedies"].get(name, {}).get("at", {}).get(endpoint, ())
    return (stated,) if isinstance(stated, str) else tuple(stated)


def _recipe(table: SupportTable, question: Question) -> _Recipe:
    """What to do about requests of one kind: worked out once, and kept with the table."""
    recipes: dict[Question, _Recipe] = table.memo
    recipe = recipes.get(question)
    if recipe is None:
        recipe = _made_recipe(table, question)
        if len(question.model) <= _MAX_ID:
            if len(recipes) >= _MAX_RECIPES:
                recipes.clear()
            recipes[question] = recipe
    return recipe


def _made_recipe(table: SupportTable, question: Question) -> _Recipe:
    supports, endpoint = table.parameters(question), question.endpoint
    known = remedies()
    refused = [name for name, support in supports.items() if support.refuses_any]
    # What stands for several together comes last: one of them may have gone by then. Otherwise the order is that of
    # the names, whatever rules they come from.
    steps: list[_Step] = []
    for name in sorted(refused, key=lambda name: ("+" in name, name)):
        remedy = known["remedies"].get(name, {"action": "drop"})
        action = "keep" if endpoint in remedy.get("kept", {}) else remedy["action"]
        together = tuple(name.split("+")) if "+" in name else ()
        places = _places(name, endpoint)
        steps += [_Step(name, together, at, supports[name], action, remedy) for at in places]
    needs: dict[str, tuple[str, ...]] = {}
    for name, prerequisite in known["needs"].get(endpoint, {}).items():
        needs[prerequisite] = (*needs.get(prerequisite, ()), name)
    return _Recipe(tuple(steps), supports, needs, endpoint)
