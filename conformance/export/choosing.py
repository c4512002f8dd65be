"""Which way of a client to use with a model, and with which settings. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.export.clients import Client, Lever, Way
from conformance.export.facts import Facts, ModelFacts, Said
from conformance.export.merging import Rules, merge

#: How the settings of several levers are put together.
_TOGETHER = Rules(unions=frozenset({"openai_unsupported_model_settings", "refused"}))


@dataclass
class Choice:
    """One model in one client. `left` is what the client sends, the model refuses, and no setting changes.

    `unknown` is what it sends, and nobody knows whether the model takes it.
    """

    model: ModelFacts
    way: Way
    settings: dict[str, Any] = field(default_factory=dict)
    mended: list[Said] = field(default_factory=list)
    left: list[Said] = field(default_factory=list)
    ignored: list[Said] = field(default_factory=list)
    unknown: list[Said] = field(default_factory=list)

    @property
    def works(self) -> bool:
        """True where the client is refused nothing that is known."""
        return not self.left


def choices(client: Client, facts: Facts, endpoints: Collection[str]) -> list[Choice]:
    """A choice for each model that was measured on one of these endpoints that the client speaks."""
    found = []
    for model in facts.models.values():
        measured = {each.endpoint for each in model.said.values()}
        ways = [way for way in client.ways if way.endpoint in endpoints and way.endpoint in measured]
        if ways:
            made = (_choice(client, facts, model, way) for way in ways)
            found.append(min(made, key=lambda each: (len(each.left), bool(each.unknown))))
    return found


def _choice(client: Client, facts: Facts, model: ModelFacts, way: Way) -> Choice:
    choice = Choice(model, way)
    merge(choice.settings, way.setting, Rules())
    sent = list(_sent(client, facts, model, way))
    for said in model.refused((way.endpoint,)):
        lever = _lever(client, model, said)
        if lever is not None:
            choice.mended.append(said)
            merge(choice.settings, lever.setting, _TOGETHER)
    choice.left = [said for said in sent if said.refused and _lever(client, model, said) is None]
    known = sent if client.captured else model.on(way.endpoint)
    choice.ignored = [said for said in known if said.ignored]
    choice.unknown = [said for said in sent if said.unknown]
    return choice


def _sent(client: Client, facts: Facts, model: ModelFacts, way: Way) -> Iterator[Said]:
    """What the client was seen to send in this way that does not simply work; each once."""
    ways: Mapping[str, Any] = facts.readiness.get((client.captured or "", model.id), {})
    seen = set()
    for name, refused in ways.items():
        if name.partition(" (")[0] in way.captured:
            for said in refused:
                if said.endpoint == way.endpoint and said.parameter not in seen:
                    seen.add(said.parameter)
                    yield said


def _lever(client: Client, model: ModelFacts, said: Said) -> Lever | None:
    """The first lever that helps this model."""
    found = client.levers_for(said.parameter, said.endpoint)
    return next((each for each in found if each.helps(model, said.endpoint)), None)
