"""What a run costs: the estimate before it, the count during it, and where it has to stop. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.answers.reading import Answer, is_redirect
from conformance.errors import BudgetError, DiscoveryError, first_of
from conformance.plan.cells import Group
from conformance.provider.models.catalogue import number_of
from conformance.text.counting import counted
from conformance.types import Model, Request, Response

#: Bytes of JSON to a token, roughly; and the cap on an answer's length where a request names none.
BYTES_PER_TOKEN = 4
MOST_OUTPUT = 256

_CAPS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_USED = (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"))


@dataclass(frozen=True, slots=True)
class Price:
    """What a gateway declares that a token costs, in US dollars."""

    input: float
    output: float


@dataclass(frozen=True)
class Estimate:
    """What the requests take if everything is taken: tokens sent, at most received, and their cost where it is known.

    `unpriced` are the models whose prices the gateway does not declare; `usd` leaves them out.
    """

    requests: int
    input: int
    output: int
    usd: float
    priced: int
    unpriced: tuple[str, ...]

    def __str__(self) -> str:
        """In words, as it is told before a run."""
        tokens = f"about {_rounded(self.input)} tokens in, at most {_rounded(self.output)} out"
        if not self.priced:
            return f"{tokens}; the gateway declares no prices"
        unpriced = counted(len(self.unpriced), "model")
        of = f"; without a price, and so not counted: {unpriced}" if self.unpriced else ""
        return f"{tokens}: at most ${self.usd:.2f} at the prices that the gateway declares{of}"


def estimate(groups: Iterable[tuple[Group, int]], prices: Mapping[str, Price]) -> Estimate:
    """Reckon what groups take whose parameters are settled in so many requests each; bodies of clients come on top."""
    requests = sent = received = 0
    usd, models = 0.0, set()
    shapes: dict[tuple[object, ...], int] = {}
    for group, count in groups:
        shape = (group.endpoint, group.mode, len(group.parameters))
        if shape not in shapes:  # every request has the baseline, and each parameter travels at least once
            shapes[shape] = sum(len(str(p.bodies[group.endpoint])) for p in group.parameters)
        baseline = len(group.request(dict(group.entry.caps[0])).content)
        tokens = (count * baseline + shapes[shape]) // BYTES_PER_TOKEN
        whole = [group.whole(body) for body in group.bodies]
        tokens += sum(len(request.content) for request in whole) // BYTES_PER_TOKEN
        answered = count * MOST_OUTPUT + sum(map(_most_output, whole))
        requests, sent, received = requests + count + len(whole), sent + tokens, received + answered
        models.add(group.model.id)
        if price := prices.get(group.model.id):
            usd += tokens * price.input + answered * price.output
    unpriced = tuple(sorted(models - prices.keys()))
    return Estimate(requests, sent, received, usd, len(models) - len(unpriced), unpriced)


@dataclass
class Budget:
    """How much may be sent, and what has been. None is no bound."""

    requests: int | None = None
    usd: float | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)
    sent: int = 0
    spent: float = 0.0
    _at_stake: float = 0.0

    def require_prices(self, models: Iterable[Model]) -> None:
        """Raise `DiscoveryError` where dollars are to be counted of models whose price nobody declares."""
        unpriced = [model.id for model in models if model.id not in self.prices]
        if self.usd is not None and unpriced:
            named = first_of([*map(repr, unpriced)])
            raise DiscoveryError(
                f"--budget-usd: the gateway declares no price for {counted(len(unpriced), 'model')} ({named}); "
                "choose others with --models, or use --budget-requests"
            )

    def begin(self, request: Request) -> None:
        """Reserve what a request may cost. Raises `BudgetError` where it might be too much."""
        if self.requests is not None and self.sent >= self.requests:
            raise BudgetError(f"the budget of {counted(self.requests, 'request')} is used up")
        cost = self._most(request)
        if self.usd is not None and self.spent + self._at_stake + cost > self.usd:
            raise self._too_much(cost, self.usd)
        self._at_stake += cost
        self.sent += 1

    def end(self, request: Request, response: Response, answer: Answer) -> None:
        """Count what a request did cost, as far as its answer tells; where it does not, the most it may have."""
        most = self._most(request)
        self._at_stake -= most
        self.spent += most if (told := self._cost_of(request, response, answer)) is None else told

    def _too_much(self, cost: float, usd: float) -> BudgetError:
        """Say what the next request may cost, and what is left for it."""
        next_one = f"the next request may cost up to {_dollars(cost)}"
        if cost > usd:  # each run counts from nothing, but this request will not fit into any
            error = BudgetError(f"{next_one}, more than the whole budget of ${usd:g}")
            error.way_on = "continue with --resume and a higher --budget-usd"
            return error
        in_flight = f", and up to {_dollars(self._at_stake)} goes to requests in flight" if self._at_stake else ""
        return BudgetError(
            f"{next_one}, more than what is left of the budget of ${usd:g}: {_dollars(self.spent)} spent, according to "
            f"the answers{in_flight}"
        )

    def _most(self, request: Request) -> float:
        price = self.prices.get(request.model)
        if price is None or self.usd is None or request.fetch:
            return 0.0
        return len(request.content) / BYTES_PER_TOKEN * price.input + _most_output(request) * price.output

    def _cost_of(self, request: Request, response: Response, answer: Answer) -> float | None:
        if self.usd is None or answer.refusal is not None or is_redirect(answer.status):
            return 0.0
        told = [cost] if (cost := number_of(response.headers.get("x-litellm-response-cost"))) else []
        usage, price = (answer.result or {}).get("usage"), self.prices.get(request.model)
        if isinstance(usage, dict) and price is not None:
            for sent, received in _USED:
                if sent in usage and received in usage:
                    told.append(_count(usage[sent]) * price.input + _count(usage[received]) * price.output)
        return max(told, default=None)


def _most_output(request: Request) -> int:
    """The most tokens that an answer may have, as far as its request says."""
    return max((n for name in _CAPS if isinstance(n := request.body.get(name), int)), default=MOST_OUTPUT)


def price_from(row: Mapping[str, Any]) -> Price | None:
    """The price that a gateway declares under LiteLLM's names, or None if it declares none that makes sense."""
    sent, received = (number_of(row.get(f"{way}_cost_per_token")) for way in ("input", "output"))
    return None if sent is None or received is None else Price(sent, received)


def _count(value: object) -> float:
    return number_of(value) or 0.0


def _dollars(usd: float) -> str:
    return f"${usd:.6f}"  # a request may cost a hundredth of a cent


def _rounded(tokens: int) -> str:
    return f"{tokens:,}" if tokens < 10_000 else f"{tokens // 1000:,}k"
