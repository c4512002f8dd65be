"""Which settings of LiteLLM leave out what a model refuses, and nothing else. Pure.

LiteLLM has one list for all endpoints and all values of a field. So a field that one endpoint refuses and another
takes, or of which one value is refused, is left alone, and said.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.export.facts import ModelFacts, Said
from conformance.export.mend_data import dropped
from conformance.parameters import load_registry
from conformance.provider.filter import remedies
from conformance.provider.table import split_parameter
from conformance.types import Verdict

#: Why a field is not left out of which something is taken.
TAKEN = "LiteLLM would leave it out also on another endpoint, or with another value, where it is taken."

#: Why a field is not left out of which something may be taken.
UNSURE = "LiteLLM would leave it out also on another endpoint, or with another value, of which nothing is known."

#: Why a setting would come too late.
STUCK = "LiteLLM refuses it itself, before it leaves anything out."


@dataclass(frozen=True)
class Left:
    """Something refused that stays refused, and why."""

    said: Said
    why: str


@dataclass
class Dropping:
    """The settings for one model. `promised` are the refusals that they mend."""

    drop: list[str] = field(default_factory=list)
    allow: list[str] = field(default_factory=list)
    promised: list[Said] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def dropping(model: ModelFacts, endpoints: Collection[str], *, let_through: bool = False) -> Dropping:
    """The settings for a model, about these endpoints.

    With `let_through`, what LiteLLM itself refuses is not left out, but let through to the vendor.
    """
    made, taken, unsure = Dropping(), _taken(model, endpoints), _unsure(model, endpoints)
    for said in model.refused(endpoints):
        mend = dropped(said.parameter, said.group, said.endpoint, said.fields)
        if let_through and said.by == "gateway" and mend["allow"]:
            made.allow += [each for each in mend["allow"] if each not in made.allow]
            continue
        why = kept(said) or (STUCK if mend["stuck"] and said.by == "gateway" else _unmended(mend, taken, unsure))
        if why:
            made.left.append(Left(said, why))
            continue
        made.drop += [each for each in mend["drop"] if each not in made.drop]
        made.promised.append(said)
    made.drop += [each for each in _dependents(made.drop, endpoints) if each not in made.drop and each not in taken]
    return made


def _dependents(drop: Collection[str], endpoints: Collection[str]) -> list[str]:
    """Fields that mean nothing without one that is left out; the provider leaves them out with it, too."""
    needs = remedies()["needs"]
    known = {name: on for endpoint in endpoints for name, on in needs.get(endpoint, {}).items()}
    return [name for name, on in known.items() if on in drop and name.isidentifier()]


def _taken(model: ModelFacts, endpoints: Collection[str]) -> dict[str, list[Said]]:
    """What is taken of each field that LiteLLM can leave out, but for values that ask for what is done anyway."""
    found: dict[str, list[Said]] = defaultdict(list)
    for said in model.said.values():
        if said.endpoint in endpoints and said.taken:
            mend = dropped(said.parameter, said.group, said.endpoint, said.fields)
            for each in () if mend["default"] else mend["drop"]:
                found[each].append(said)
    return found


def _unsure(model: ModelFacts, endpoints: Collection[str]) -> frozenset[str]:
    """The fields that LiteLLM can leave out of which, on an endpoint or with a value, nothing is known.

    That nothing is known of several fields together says nothing of each.
    """
    found: set[str] = set()
    for said in model.said.values():
        if said.unknown and said.endpoint in endpoints and "+" not in said.path:
            mend = dropped(said.parameter, said.group, said.endpoint, said.fields)
            found.update(() if mend["default"] else mend["drop"])
    return frozenset(found)


def kept(said: Said) -> str | None:
    """Why this is never left out of a request; the provider keeps to the same."""
    known = remedies()["remedies"]
    for name in (said.path, said.path.partition(".")[0] if said.fields else ""):
        remedy = known.get(name, {})
        there = remedy.get("kept", {}).get(said.endpoint)
        if there or (remedy.get("action") == "keep" and name == said.path):
            return str(there or remedy["reason"])
    return None


def droppable(parameter: str, endpoint: str, *, inside: bool = True) -> bool:
    """Whether a parameter that LiteLLM does not refuse too early can be left out, and nothing else with it.

    That is false of one value of a field that has others: they would go with it, unless they ask for what is done
    anyway. A client that looks at the top of a request alone leaves out nothing `inside` a field.
    """
    path = split_parameter(parameter)[0]
    said, mend = _asked(parameter, endpoint)
    if kept(said) or mend["stuck"] or not mend["drop"] or "+" in path or ("." in path and not inside):
        return False
    others = {other for each in mend["drop"] for other in _that_lose(endpoint).get(each, ())} - {parameter}
    # With a field that is refused as such, all its values are refused, and what lies in it.
    return all(parameter == split_parameter(other)[0] or other.startswith(f"{parameter}.") for other in others)


@functools.cache
def _that_lose(endpoint: str) -> Mapping[str, Sequence[str]]:
    """For each field that LiteLLM can leave out the parameters that go with it, but for values that ask for no more."""
    found: dict[str, list[str]] = defaultdict(list)
    for parameter in load_registry().parameters:
        if endpoint in {each.value for each in parameter.bodies} and "+" not in parameter.path:
            mend = _asked(parameter.id, endpoint)[1]
            for each in () if mend["default"] else mend["drop"]:
                found[each].append(parameter.id)
    return found


def _asked(parameter: str, endpoint: str) -> tuple[Said, dict[str, Any]]:
    """A refusal of a parameter on an endpoint, and its mend."""
    known, top = load_registry().by_id.get(parameter), split_parameter(parameter)[0].partition(".")[0]
    bodies = {each.value: tuple(body) for each, body in known.bodies.items()} if known else {}
    fields, group = bodies.get(endpoint, (top,)), known.group if known else ""
    said = Said(endpoint, parameter, group, fields, {"whole": Verdict.REJECTED})
    return said, dropped(parameter, group, endpoint, fields)


def _unmended(mend: dict[str, object], taken: Collection[str], unsure: Collection[str]) -> str | None:
    drops = mend["drop"]
    if not isinstance(drops, list) or not drops:
        return str(mend["advice"] or "no setting of LiteLLM leaves it out")
    if any(each in taken for each in drops):
        return TAKEN
    return UNSURE if any(each in unsure for each in drops) else None
