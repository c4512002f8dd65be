"""Gateways whose every policy is known, and the groups of cells that are settled against them. No network."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from conformance.judge.findings import Found
from conformance.judge.settling import settle
from conformance.parameters import BASELINE, Context, EndpointEntry, Registry
from conformance.plan.cells import Group, Lane
from conformance.tests.helpers.building import CHAT, RESPONSES, said, sse, succeeded
from conformance.types import Cause, Exchange, Mode, Model, Parameter, Request, Response, Verdict

ENTRY = EndpointEntry(
    path="/chat/completions",
    body={"messages": []},
    caps=({"max_completion_tokens": 64}, {"max_tokens": 64}, {}),
    bogus={"bogus_key": "x"},
)
TOOLS = [{"type": "function"}]
CONTEXTS = {"tools": {CHAT: Context({"tools": TOOLS}, parameter="tools")}}


def parameter(name: str, value: Any = 1, *, context: str = "", touches: tuple[str, ...] = ()) -> Parameter:
    """A parameter that no answer shows; a value that is a text stands in its id."""
    path, body = name, {name: value}
    return Parameter(
        id=f"{path}:{value}" if isinstance(value, str) else path,
        group="g",
        bodies={CHAT: body},
        modes=tuple(Mode),
        sets=("all",),
        standard="https://example.org",
        why="a test",
        context=context,
        touches=touches,
        unobservable="nobody can see it",
    )


PARAMETERS = (
    *(parameter(name) for name in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")),
    *(parameter("effort", level) for level in ("low", "medium", "high")),
    parameter("warm", touches=("sampling",)),
    parameter("nucleus", touches=("sampling",)),
    *(parameter(name, context="tools") for name in ("parallel", "choice", "strict")),
)


def registry(parameters: Iterable[Parameter] = PARAMETERS, entry: EndpointEntry = ENTRY) -> Registry:
    """A registry of these parameters, and of the tools that some of them need."""
    return Registry((*parameters, parameter("tools", TOOLS)), {CHAT: entry, RESPONSES: entry}, CONTEXTS)


def group(parameters: Iterable[Parameter] = PARAMETERS, mode: Mode = Mode.WHOLE, entry: EndpointEntry = ENTRY) -> Group:
    """One group of a model that is served by one deployment."""
    return Group(Model(id="m"), CHAT, mode, Lane("m"), tuple(parameters), registry(parameters, entry))


OK = {"choices": [{"finish_reason": "stop", "message": {"content": "OK"}}]}


def ok(request: Request) -> Response:
    """A success in the mode that is asked for."""
    if request.mode is Mode.STREAM:
        return Response(status=200, body=f"data: {json.dumps(OK)}\n\ndata: [DONE]\n\n".encode())
    return Response(status=200, body=json.dumps(OK).encode())


def refusal(message: str, status: int = 400, **headers: str) -> Response:
    """An error in OpenAI's shape."""
    return Response(status=status, headers=headers, body=json.dumps({"error": {"message": message}}).encode())


#: How a backend names what it refuses: all offenders, the first, or none.
VOICES: tuple[Callable[[list[str]], str], ...] = (
    lambda names: f"litellm.UnsupportedParamsError: x does not support parameters: {names}, for model=m",
    lambda names: f"litellm.BadRequestError: XException - {names[0]}: Extra inputs are not permitted",
    lambda names: f"litellm.BadRequestError: XException - Unknown parameter: '{names[0]}'.",
    lambda names: f'litellm.BadRequestError: XException - json: unknown field "{names[0]}"',
    lambda names: "litellm.BadRequestError: XException - Bad Request",
)

FAULTS: tuple[Callable[[Request], Response], ...] = (
    lambda _: refusal("No deployments available for selected model", 429),
    lambda _: refusal("Internal Server Error", 500),
    lambda _: refusal("upstream_error", 502),
    lambda _: Response(status=None, error="the connection broke off before the answer was whole"),
    lambda _: Response(status=200, body=b'{"choices": [{"mess', error="the connection broke"),
    lambda _: Response(status=200, body=b"<html>"),
)


@dataclass
class Policy:
    """A gateway whose mind is known: what it refuses and in which words, and how often it stumbles."""

    refused: frozenset[str] = frozenset()
    refused_values: frozenset[tuple[str, str]] = frozenset()
    together: frozenset[str] = frozenset()
    voice: Callable[[list[str]], str] = VOICES[0]
    stumbles: float = 0.0
    dice: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311  no secret
    asked: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Response:
        """Answer as the exchange layer would: what pushes back, and what never came, is asked for three times."""
        self.asked.append(request)
        for _ in range(3):
            if self.dice.random() >= self.stumbles:
                return self.answer(request)
            fault = self.dice.choice(FAULTS)(request)
            if fault.status != 429 and fault.error is None:
                break
        return fault

    def answer(self, request: Request) -> Response:
        """Answer as the policy says."""
        body = request.body
        if "bogus_key" in body:
            return refusal("XException - bogus_key: Extra inputs are not permitted")
        if names := [name for name in body if name in self.refused]:
            return refusal(self.voice(names))
        for name, value in self.refused_values:
            if body.get(name) == value:
                return refusal(f"XException - Unsupported value: '{name}' does not support '{value}'.")
        if self.together and self.together <= set(body):
            return refusal("XException - these cannot both be specified")
        return ok(request)

    def rejects(self, parameter: Parameter) -> bool:
        """The truth about one parameter."""
        body = parameter.bodies[CHAT]
        return bool(set(body) & self.refused or set(body.items()) & self.refused_values)


def held(policy: Policy, of: Group, *, exhaustive: bool = False, litellm: bool = False) -> Found:
    """What a group's dialogue with a policy finds; that shows no fault of the suite's."""
    found = conversed(policy, of, exhaustive=exhaustive, litellm=litellm)
    assert not any(outcome.cause is Cause.SUITE_FAULT for outcome in found.values()), found
    return found


def conversed(policy: Policy, of: Group, *, exhaustive: bool = False, litellm: bool = False) -> Found:
    """Hold a group's dialogue with a policy."""
    dialogue = settle(of, exhaustive=exhaustive, litellm=litellm)
    try:
        asked = next(dialogue)
        while True:
            asked = dialogue.send(tuple(Exchange(request, policy(request)) for request in asked))
    except StopIteration as end:
        found: Found = end.value
        return found


def random_policy(seed: int, stumbles: float) -> Policy:
    """A policy drawn by chance."""
    dice = random.Random(seed)  # noqa: S311  no secret
    fields = sorted({name for p in PARAMETERS for name in p.bodies[CHAT]})
    return Policy(
        refused=frozenset(name for name in fields if dice.random() < 0.3),
        refused_values=frozenset(("effort", level) for level in ("low", "medium", "high") if dice.random() < 0.3),
        together=frozenset(dice.sample(fields, 2)),
        voice=dice.choice(VOICES),
        stumbles=stumbles,
        dice=dice,
    )


class Watched(Policy):
    """A policy that answers some requests in words of its own."""

    def __init__(self, *answers: tuple[Callable[[Request], bool], Callable[[Request], Response]]) -> None:
        """Answer by the first row that fits the request, else as the policy does."""
        super().__init__()
        self.answers = answers

    def __call__(self, request: Request) -> Response:
        """Answer as the rows say."""
        if answer := next((answer for fits, answer in self.answers if fits(request)), None):
            self.asked.append(request)
            return answer(request)
        return super().__call__(request)


@dataclass(frozen=True)
class Style:
    """How a gateway says no: what it answers, given the request and the fields that it refuses; all that, or the first.

    `names` tells whether its words name them.
    """

    answer: Callable[[Request, list[str]], Response]
    names: bool = True


def _inside_a_200(request: Request, names: list[str]) -> Response:
    error = {"error": {"message": f"Unknown parameter: '{names[0]}'.", "code": 400}}
    return said(sse(error, "[DONE]") if request.mode is Mode.STREAM else error)


def _vaguely_inside_a_200(request: Request, names: list[str]) -> Response:
    error = {"error": {"message": "The upstream failed", "type": "server_error"}}
    return said(sse(error, "[DONE]") if request.mode is Mode.STREAM else error)


_FIREWALL = b"<html><head><title>403 Forbidden</title></head><body><h1>Request blocked</h1></body></html>"

STYLES = {
    "400 that names the field": Style(lambda _, names: refusal(f"{names[0]}: Extra inputs are not permitted")),
    "400 that names all": Style(lambda _, names: refusal(f"x does not support parameters: {names}, for model=m")),
    "500 that names the field": Style(
        lambda _, names: refusal(
            f"litellm.APIConnectionError: AsyncCompletions.create() got an unexpected keyword argument '{names[0]}'",
            500,
        )
    ),
    "error inside a 200 that names the field": Style(_inside_a_200),
    "400 in no words": Style(lambda _, names: refusal("Bad Request"), names=False),
    "500 in no words": Style(lambda _, names: said(b"Internal Server Error", 500), names=False),
    "error inside a 200 in no words": Style(_vaguely_inside_a_200, names=False),
    "404": Style(
        lambda _, names: refusal("No endpoints found that can handle the requested parameters.", 404), names=False
    ),
    "403 of a firewall": Style(lambda _, names: said(_FIREWALL, 403), names=False),
}


class Styled(Policy):
    """A policy that refuses fields, and keys that it does not know, in one style, on any endpoint."""

    def __init__(self, style: Style, refused: Iterable[str], stumbles: float = 0.0, seed: int = 0) -> None:
        """Refuse these fields; `stumbles` is the share of answers that are faults."""
        super().__init__(frozenset(refused), stumbles=stumbles, dice=random.Random(seed))  # noqa: S311  no secret
        self.style = style

    def answer(self, request: Request) -> Response:
        """Refuse in the style, or succeed in the form that is asked for."""
        names = [name for name in request.body if name in self.refused or "bogus" in name]
        return self.style.answer(request, names) if names else succeeded(request, id="answer-1")

    def says(self, group: Group, parameter: Parameter) -> set[Verdict]:
        """The verdicts that are true of a parameter: rejected, nothing to ask, or a success of any kind."""
        after = "" if parameter.after == BASELINE else parameter.after
        needed = after or group.context(parameter.context).parameter
        refused = {Verdict.REJECTED} if self.refused & set(parameter.bodies[group.endpoint]) else set()
        if needed and Verdict.ACCEPTED not in self.says(group, group.registry.by_id[needed]):
            return {Verdict.NOT_APPLICABLE} | refused
        if refused:
            return refused
        fills = {Verdict.NOT_APPLICABLE} if parameter.after else set()
        return {Verdict.ACCEPTED, Verdict.HONOURED, Verdict.IGNORED} | fills
