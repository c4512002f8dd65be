"""Hold the dialogues with a model again, with its recording for an interlocutor, and judge its cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from conformance.answers.dialects import one_line
from conformance.cassettes.folder import Folder
from conformance.judge.dialogue import Ask, T
from conformance.judge.proving import Proof, Proofs, prove
from conformance.judge.reasons import Outcome, concluded, not_recorded
from conformance.judge.settling import settle
from conformance.judge.verdicts import combined
from conformance.measure.inventory import Inventory
from conformance.measure.recorded_plan import PastRun, RecordedPlan
from conformance.measure.runs import run_of
from conformance.plan.cells import Group
from conformance.types import WORST_FIRST, Cause, CellKey, Endpoint, Exchange, Gateway, Judgement, Mode


def hold_again(dialogue: Ask[T], recorded: Mapping[str, Exchange]) -> T:
    """Hold a dialogue again, with a recording for an interlocutor."""
    try:
        asked = next(dialogue)
        while True:
            asked = dialogue.send(tuple(recorded.get(request.digest) for request in asked))
    except StopIteration as end:
        found: T = end.value
        return found


@dataclass(frozen=True)
class Judge:
    """Judges the models of a recording, and notes in the inventory what it comes upon.

    Of several runs that asked for a cell, the newest one that has its exchanges decides. `proofs` holds, by model,
    what became of clients' whole bodies, once the model is judged.
    """

    folder: Folder
    recorded: RecordedPlan
    gateway: Gateway
    inventory: Inventory
    proofs: dict[str, dict[tuple[Endpoint, Mode, str], Proof]] = field(default_factory=dict)

    def judge(self, model: str) -> Iterator[Judgement]:
        """The verdicts of all planned cells of a model, in the plan's order."""
        planned = {
            group.key(parameter): tuple(parameter.bodies[group.endpoint])
            for group in self.recorded.plan.groups_of[model]
            for parameter in group.parameters
        }
        exchanges = self._exchanges_by_run(model)
        found: dict[CellKey, tuple[list[Outcome], int]] = {}
        for run in self.recorded.runs_with(model):
            of_run = exchanges.pop(run.number, {})  # of two with one number the newer has them
            outcomes = self._judge_run(model, run, of_run)
            for key, each in outcomes.items():
                if key in planned and (key not in found or (_are_recorded(each) and not _are_recorded(found[key][0]))):
                    found[key] = each, run.models[model].deployments
        for key, fields in planned.items():
            each, deployments = found.get(key, ([not_recorded()], 1))
            self.inventory.whole &= _are_recorded(each)
            yield combined(key, fields, each, deployments)

    def _exchanges_by_run(self, model: str) -> dict[int, dict[str, Exchange]]:
        """A model's exchanges by digest, for each run that has some, by its number."""
        found: dict[int, dict[str, Exchange]] = {}
        for digest, exchange in self.folder.read_model(model).items():
            found.setdefault(run_of(exchange), {})[digest] = exchange
        return found

    def _judge_run(self, model: str, run: PastRun, exchanges: Mapping[str, Exchange]) -> dict[CellKey, list[Outcome]]:
        """What one run found of a model: the outcomes of each of its cells, one for each lane."""
        self.inventory.add(model, exchanges.values())
        stale = self._stale(exchanges.values())
        litellm = run.row.get("litellm", self.gateway.software == "litellm")
        outcomes: dict[CellKey, list[Outcome]] = {}
        proved: list[tuple[Group, Proofs]] = []
        for group in self.recorded.groups_of(model, run):
            dialogue = settle(group, exhaustive=run.row["exhaustive"], litellm=litellm)
            found = dict.fromkeys((p.id for p in group.parameters), stale) if stale else hold_again(dialogue, exchanges)
            for parameter in group.parameters:
                outcomes.setdefault(group.key(parameter), []).append(found[parameter.id])
            if group.bodies and not stale:
                proved.append((group, hold_again(prove(group), exchanges)))
        for place, proof in _worst(proved).items():
            self.proofs.setdefault(model, {}).setdefault(place, proof)  # a newer run was judged before
        if exchanges and not stale and not all(map(_are_recorded, outcomes.values())):
            self.inventory.note_gap(model)
        return outcomes

    def _stale(self, exchanges: Iterable[Exchange]) -> Outcome | None:
        """What to say of exchanges that another version of the gateway answered; None for those of this."""
        versions = {
            e.response.headers["x-litellm-version"] for e in exchanges if "x-litellm-version" in e.response.headers
        }
        if not versions or self.gateway.version in versions:
            return None
        seen = one_line(", ".join(sorted(versions)))
        return replace(concluded(Cause.OTHER_VERSION, seen=seen, version=self.gateway.version), recorded=False)


def _worst(proved: Iterable[tuple[Group, Proofs]]) -> dict[tuple[Endpoint, Mode, str], Proof]:
    """What became of each body on all lanes to a model: what one of them refuses fails every other time."""
    found: dict[tuple[Endpoint, Mode, str], list[Proof]] = {}
    for group, proofs in proved:
        for key, proof in proofs.items():
            found.setdefault((group.endpoint, group.mode, key), []).append(proof)
    return {
        place: min(proofs, key=lambda proof: WORST_FIRST.index(proof.outcome.verdict))
        for place, proofs in found.items()
    }


def _are_recorded(outcomes: Iterable[Outcome]) -> bool:
    return all(outcome.recorded for outcome in outcomes)
