"""Tests of `conformance.exchange.budget`: the estimate, the count, and a run that stops in time and can go on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from conformance.answers.reading import read_answer
from conformance.errors import BudgetError, DiscoveryError
from conformance.exchange.budget import Budget, Estimate, Price, estimate, price_from
from conformance.parameters import load_registry
from conformance.plan.cells import make_plan
from conformance.tests.helpers.building import CHAT, WHOLE, refused, said
from conformance.tests.helpers.gateways import scripted_gateway, success
from conformance.tests.helpers.measured import FEW
from conformance.tests.helpers.running import Workplace, run_pytest
from conformance.types import Endpoint, Model, Request
from conformance.types import Response as Answered

REQUEST = Request("m", CHAT, WHOLE, {"model": "m", "messages": [], "max_tokens": 100})
PRICES = {"m": Price(1e-6, 1e-4)}
SENT = len(REQUEST.content) / 4 * 1e-6


@pytest.mark.parametrize(
    ("row", "price"),
    [
        ({"input_cost_per_token": 1e-6, "output_cost_per_token": 5e-6}, Price(1e-6, 5e-6)),
        ({"input_cost_per_token": "1e-6", "output_cost_per_token": 0}, Price(1e-6, 0.0)),
        ({"input_cost_per_token": 1e-6}, None),
        ({"input_cost_per_token": None, "output_cost_per_token": 1.0}, None),
        ({"input_cost_per_token": -1, "output_cost_per_token": 1.0}, None),
        ({"input_cost_per_token": True, "output_cost_per_token": 1.0}, None),
        ({"input_cost_per_token": float("nan"), "output_cost_per_token": 1.0}, None),
        ({"input_cost_per_token": "1e999", "output_cost_per_token": 1.0}, None),
        ({"input_cost_per_token": 10**400, "output_cost_per_token": 1.0}, None),
        ({"input_cost_per_token": ["1"], "output_cost_per_token": {}}, None),
    ],
)
def test_prices(row: dict[str, Any], price: Price | None) -> None:
    """Given a row that declares prices, when it is read, then it is a price, or none where it makes no sense."""
    assert price_from(row) == price


def test_estimate() -> None:
    """Given a plan and the price of one of its models, when it is estimated, then the other's cost is left out."""
    registry = load_registry()
    plan = make_plan([Model(id="m"), Model(id="n")], registry, registry.select("store"), tuple(Endpoint))
    known = estimate([(group, 10) for group in plan.groups], PRICES)

    assert (known.requests, known.output) == (80, 80 * 256)
    assert 80 * 10 < known.input < 80 * 100
    assert 40 * 256 * 1e-4 < known.usd < 40 * 256 * 1e-4 + 0.01
    assert (known.priced, known.unpriced) == (1, ("n",))
    assert str(known).endswith(
        "at most $1.03 at the prices that the gateway declares; without a price, and so not counted: 1 model"
    )
    assert str(Estimate(1, 20_000, 5, 0.0, 0, ("n",))) == (
        "about 20k tokens in, at most 5 out; the gateway declares no prices"
    )


@pytest.mark.parametrize(
    ("response", "cost"),
    [
        (said({"choices": [{}], "usage": {"prompt_tokens": 1000, "completion_tokens": 10}}), 0.002),
        (said({"choices": [{}], "usage": {"input_tokens": 1000, "output_tokens": 10}}), 0.002),
        (said({"choices": [{}]}, 200, {"x-litellm-response-cost": "0.25"}), 0.25),
        (said({"choices": [{}], "usage": {"prompt_tokens": 9, "completion_tokens": "x"}}, 200), 9e-6),
        (said({"choices": [{}]}, 200, {"x-litellm-response-cost": "None"}), SENT + 0.01),
        (said({"choices": [{}]}, 200, {"x-litellm-response-cost": "nan"}), SENT + 0.01),
        (Answered(status=200, error="cut"), SENT + 0.01),
        (Answered(status=None, error="no connection"), SENT + 0.01),
        (refused("no such parameter"), 0.0),
    ],
    ids=["chat", "responses", "header", "odd-usage", "none", "nan", "cut", "nothing", "refused"],
)
def test_count(response: Answered, cost: float) -> None:
    """Given an answer, when its cost is counted, then it is what it tells, or the most that it may have been."""
    budget = Budget(usd=1.0, prices=PRICES)
    budget.begin(REQUEST)
    budget.end(REQUEST, response, read_answer(REQUEST, response))

    assert budget.spent == pytest.approx(cost)


@given(st.floats(0.001, 0.2), st.lists(st.integers(0, 100), max_size=60))
def test_never_more_than_the_budget(usd: float, outputs: list[int]) -> None:
    """Given answers that keep to their cap, when they are counted, then never more is spent than was allowed."""
    budget = Budget(usd=usd, prices=PRICES)
    for output in outputs:
        try:
            budget.begin(REQUEST)
        except BudgetError:
            break
        usage = {"prompt_tokens": 5, "completion_tokens": output}
        response = said({"choices": [{}], "usage": usage})
        budget.end(REQUEST, response, read_answer(REQUEST, response))
    assert budget.spent <= usd


def test_what_is_in_flight_counts() -> None:
    """Given room for two requests, when three are sent at once, then the third is not."""
    budget = Budget(usd=2.5 * (SENT + 0.01), prices=PRICES)
    budget.begin(REQUEST)
    budget.begin(REQUEST)
    with pytest.raises(BudgetError) as told:
        budget.begin(REQUEST)
    assert str(told.value) == (
        "the next request may cost up to $0.010011, more than what is left of the budget of $0.0250275: $0.000000 "
        "spent, according to the answers, and up to $0.020022 goes to requests in flight"
    )
    assert told.value.way_on == "continue with --resume"


def test_a_budget_below_one_request() -> None:
    """Given a budget of less than one request, when it is sent, then the error says what it may cost, and to give more,
    for a resumed run would end there too."""
    budget = Budget(usd=0.001, prices=PRICES)
    with pytest.raises(BudgetError) as told:
        budget.begin(REQUEST)
    assert str(told.value) == "the next request may cost up to $0.010011, more than the whole budget of $0.001"
    assert told.value.way_on == "continue with --resume and a higher --budget-usd"


def test_dollars_need_prices() -> None:
    """Given models without a price, when dollars are to be counted, then one line says what to do."""
    models = [Model(id="m"), *(Model(id=f"n{i}") for i in range(7))]
    Budget(prices=PRICES).require_prices(models)
    with pytest.raises(
        DiscoveryError, match=r"no price for 7 models \('n0', .*'n4' and 2 more\); choose others with --models"
    ):
        Budget(usd=1.0, prices=PRICES).require_prices(models)


def test_a_budget_of_requests(tmp_path: Path) -> None:
    """Given a budget, when a gateway is measured in portions, then each keeps to it, and together they are one run."""
    place, portions = Workplace(tmp_path), 0
    with scripted_gateway(models=("model-a", "model-b")) as gateway:
        while True:
            before, resume = len(gateway.seen), ["--resume"] if portions else []
            ended = run_pytest(
                "--live", *resume, FEW, "--budget-requests=15", "--update-table", *place.options, "--gateway=g",
                env=gateway.environment,
            )  # fmt: skip
            portions += 1
            assert len(gateway.seen) - before <= 15
            assert place.matrix["run"]["complete"] is (ended.code == 0)
            if ended.code == 0:
                break
            assert ended.code == 2, ended.all
            assert len(gateway.seen) - before == 15
            assert "the budget of 15 requests is used up; continue with --resume" in ended.err
            assert "Traceback" not in ended.all
            assert portions < 8
    assert portions > 2
    bodies = [json.dumps(body, sort_keys=True) for body in gateway.seen]
    assert place.matrix["run"]["requests"] == len(bodies)
    assert {cell["verdict"] for cell in place.matrix["cells"]} == {"accepted"}


def test_a_budget_of_dollars(tmp_path: Path) -> None:
    """Given declared prices, when dollars run out, then the run stops before, and says what was spent."""
    place, usage = Workplace(tmp_path), {"prompt_tokens": 10, "completion_tokens": 100}

    prices = {"model_group": "m", "input_cost_per_token": 0.0, "output_cost_per_token": 1e-4}

    def costly(body: dict[str, Any]) -> Response:
        return success(body, usage=usage)

    with scripted_gateway(costly, ["m"], declared=[prices]) as gateway:
        options = [
            "--live",
            "--update-table",
            FEW,
            "--gateway=g",
            "--endpoints=chat_completions",
            "--concurrency=2",
            *place.options,
        ]
        ended = run_pytest(*options, "--budget-usd=0.1", env=gateway.environment)
        assert ended.code == 2, ended.all
        assert "more than what is left of the budget of $0.1: $0.0" in ended.err
        # Whether another request is in flight just then is chance; `test_what_is_in_flight_counts` has the words.
        in_flight = r"(, and up to \$0\.\d{6} goes to requests in flight)?"
        assert re.search(rf"spent, according to the answers{in_flight}; continue with --resume\n$", ended.err)
        assert "at the prices that the gateway declares" in ended.out
        whole = sum(not body.get("stream") for body in gateway.seen)
        assert whole >= 1
        assert len(gateway.seen) <= 10
        ended = run_pytest(*options, "--fresh", "--budget-usd=0.001", env=gateway.environment)
        assert ended.code == 2, ended.all
        assert "more than the whole budget of $0.001; continue with --resume and a higher --budget-usd" in ended.err
    with scripted_gateway() as gateway:
        ended = run_pytest(*options, "--budget-usd=0.1", env=gateway.environment)
        assert gateway.seen == []
    assert ended.code == 4
    assert "the gateway declares no price for 1 model ('model-a')" in ended.err
