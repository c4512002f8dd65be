"""Fuzzing of the dialogue with a model: whatever answers, it ends, with a verdict for every parameter."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from conformance.judge.reasons import Outcome
from conformance.judge.settling import settle
from conformance.judge.verdicts import combined
from conformance.matrix.document import cell_row, dump_matrix, make_matrix, parse_matrix
from conformance.matrix.packing import Block, Packed
from conformance.measure.judging import hold_again
from conformance.parameters import load_registry
from conformance.plan.cells import Group, make_plan
from conformance.report.page import render_page
from conformance.schemas.documents import MatrixRun
from conformance.tests.fuzz.strategies import HEADERS, STATUSES, answers, bodies, content_of, mutated
from conformance.types import Cause, CellKey, Endpoint, Exchange, Gateway, Mode, Model, Request, Response, Verdict

REGISTRY = load_registry()
IDS = sorted(parameter.id for parameter in REGISTRY.parameters)
MODELS = (
    Model(id="m"),
    Model(id="m\ud800", deployments=2, deployment_ids=("one", "\udfff"), declared=("store",)),
)
WAYS = [(endpoint, mode) for endpoint in Endpoint for mode in Mode]

#: Requests that a dialogue takes at most: some to begin with, and so many for each parameter.
MOST, MOST_FOR_EACH = 60, 30


@st.composite
def gateways(draw: st.DrawFn, endpoint: Endpoint, mode: Mode) -> list[Response]:
    """Answers that a gateway has, honest ones and others; which one it gives depends on the request alone."""
    honest = st.sampled_from([*bodies(endpoint, mode, ok=True)] or [b""])
    refusing = st.sampled_from([*bodies(endpoint, mode, ok=False)] or [b""])
    one = st.one_of(
        st.builds(lambda body, headers: Response(status=200, headers=headers, body=body), honest, HEADERS),
        st.builds(lambda body, headers: Response(status=400, headers=headers, body=body), refusing, HEADERS),
        st.builds(
            lambda status, headers, body, error: Response(status=status, headers=headers, body=body, error=error),
            STATUSES,
            HEADERS,
            answers(endpoint, mode),
            st.sampled_from([None, None, None, "the connection broke", "\x1b[2J\nx" * 1000]),
        ),
    )
    first = Response(status=200, body=draw(honest))
    return [first, *draw(st.lists(one, min_size=1, max_size=5))]


WORDS = ("@: Extra inputs are not permitted", "Unknown parameter: '@'.", "does not support parameters: ['@', 'model']")


def refusals(fields: Sequence[str]) -> st.SearchStrategy[dict[str, Response]]:
    """Some of these fields that a gateway refuses, in words that name them, with anything wrong with those."""
    seeds = [
        {"error": {"message": f"XException - {words}", "param": "@", "code": "unknown_parameter"}} for words in WORDS
    ]
    said = st.tuples(st.sampled_from(fields), mutated(seeds, 1).map(content_of), STATUSES, HEADERS)
    made = said.map(
        lambda told: (told[0], Response(status=told[2], headers=told[3], body=told[1].replace(b"@", told[0].encode())))
    )
    return st.lists(made, max_size=4).map(dict)


class Answering(dict[str, Exchange]):
    """Exchanges by digest, made as they are asked for; a few are never made."""

    def __init__(self, responses: Sequence[Response], refused: Mapping[str, Response], missing: bool) -> None:
        """Nothing was asked yet. The shorter a request, the likelier is its honest answer: baselines are."""
        super().__init__()
        self._responses = responses
        self._refused = refused
        self._missing = missing

    def ask(self, request: Request) -> Exchange | None:
        """The exchange of a request."""
        number = int(request.digest, 16)
        plain = len(request.body) <= 5 and number % 8
        response = self._responses[0 if plain else number % len(self._responses)]
        response = next((self._refused[name] for name in request.body if name in self._refused), response)
        if self._missing and number % 31 == 0:
            return None
        self[request.digest] = Exchange(request, response, "2026-11-22T12:00:00Z")
        return self[request.digest]


def held(group: Group, exchanges: Answering, *, exhaustive: bool, litellm: bool) -> dict[str, Outcome]:
    """Hold a group's dialogue, which must end."""
    dialogue = settle(group, exhaustive=exhaustive, litellm=litellm)
    count, most = 0, MOST + MOST_FOR_EACH * len(group.parameters)
    try:
        asked = next(dialogue)
        while True:
            count += len(asked)
            assert count <= most
            assert all(request.content.isascii() for request in asked)
            asked = dialogue.send(tuple(exchanges.ask(request) for request in asked))
    except StopIteration as end:
        found: dict[str, Outcome] = end.value
        assert not any(outcome.cause is Cause.SUITE_FAULT for outcome in found.values()), found
        return found


@pytest.mark.parametrize("mode", Mode)
def test_what_builds_on_what_need_not_be_asked(mode: Mode) -> None:
    """Given a chain of parameters of which one field is refused, when they are measured, then each has a verdict."""
    body = b'{"error":{"message":"XException - reasoning: Extra inputs are not permitted"}}'
    refused = {"reasoning": Response(status=400, body=body)}
    chosen = REGISTRY.known(["input.type:reasoning", "reasoning.effort:high"])
    plan = make_plan([Model(id="m")], REGISTRY, chosen, [Endpoint.RESPONSES])
    honest = Response(status=200, body=bodies(Endpoint.RESPONSES, mode, ok=True)[0])
    for group in (group for group in plan.groups if group.mode is mode):
        found = held(group, Answering([honest], refused, False), exhaustive=False, litellm=False)
        assert {parameter: outcome.verdict for parameter, outcome in found.items()} == {
            "input.type:reasoning": Verdict.NOT_APPLICABLE,
            "reasoning.effort:high": Verdict.REJECTED,
        }


@given(st.data(), st.sampled_from(WAYS), st.sampled_from(MODELS), st.booleans(), st.booleans(), st.booleans())
def test_any_gateway_is_judged(
    data: st.DataObject, way: tuple[Endpoint, Mode], model: Model, exhaustive: bool, litellm: bool, missing: bool
) -> None:
    """Given any answers, when a model is measured, then it ends, every cell has a verdict, and replays to the same."""
    endpoint, mode = way
    chosen = data.draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=10))
    assume(any(endpoint in parameter.bodies and mode in parameter.modes for parameter in REGISTRY.known(chosen)))
    plan = make_plan([model], REGISTRY, REGISTRY.known(chosen), [endpoint])
    fields = [name for parameter in REGISTRY.known(chosen) for name in parameter.bodies.get(endpoint, {"store": 1})]
    exchanges = Answering(data.draw(gateways(endpoint, mode)), data.draw(refusals(fields)), missing)
    outcomes: dict[CellKey, list[Outcome]] = {}
    for group in (group for group in plan.groups if group.mode is mode):
        found = held(group, exchanges, exhaustive=exhaustive, litellm=litellm)
        assert list(found) == [parameter.id for parameter in group.parameters]
        assert hold_again(settle(group, exhaustive=exhaustive, litellm=litellm), exchanges) == found
        for parameter in group.parameters:
            outcomes.setdefault(group.key(parameter), []).append(found[parameter.id])
    judged = [combined(key, ("x",), each, model.deployments) for key, each in outcomes.items()]

    for judgement in judged:
        assert isinstance(judgement.verdict, Verdict)
        assert judgement.reason.isprintable()
        assert len(judgement.reason) < 2000
        assert all(name.isprintable() for name in judgement.split)
        assert {each.digest for each in judgement.evidence} <= set(exchanges)
    run = MatrixRun(mode="live", started_at="s", finished_at="f", complete=True, requests=1, selection=None)
    block = Block([cell_row(judgement, model.declared, "m.json") for judgement in judged])
    matrix = make_matrix(Gateway(name="g", url="http://g"), run, [model], Packed([block]))
    text = "".join(dump_matrix(matrix))
    assert parse_matrix(text, "m.json") == json.loads(text)
    if judged:
        render_page(matrix, lambda _: exchanges).encode("utf-8")
