"""Runs that ask what clients send, whole: measured, replayed, resumed, added to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.responses import Response

from conformance.errors import CassetteError
from conformance.measure.job import asked_by
from conformance.measure.runs import asks_all_of, needed_beside, number_for
from conformance.parameters import load_registry
from conformance.tests.helpers.gateways import ScriptedGateway, refusal, scripted_gateway
from conformance.tests.helpers.running import Ended, Workplace, run_pytest
from conformance.tests.measure.test_adding import run_row
from conformance.types import Model

MODELS = ("claude-x", "gpt-5-y")


def policy(body: dict[str, Any]) -> Response | None:
    """The policy of a gateway whose Claudes refuse `store`, and which refuses what no probe sends."""
    if "store" in body and "claude" in body["model"]:
        return refusal("litellm.UnsupportedParamsError: x does not support parameters: ['store'], for model=x")
    agent = "turn_id" in body.get("client_metadata", ())
    return refusal("Unknown parameter: 'client_metadata.turn_id'.") if agent else None


def live(place: Workplace, gateway: ScriptedGateway, *options: str) -> Ended:
    """Measure into the recording `g`."""
    return run_pytest("--live", "--gateway=g", *options, "--update-table", *place.options, env=gateway.environment)


def rows(place: Workplace) -> dict[tuple[str, str], dict[str, Any]]:
    """What the last run says of each client and model."""
    return {(row["client"], row["model"]): row for row in place.matrix["clients"]["readiness"]}


def proofs(place: Workplace) -> dict[tuple[str, str, str], list[tuple[Any, ...]]]:
    """The proofs of the last run."""
    return {
        (client, model, way["way"]): [(each["turn"], each["verdict"], each["evidence"]) for each in way["proofs"]]
        for (client, model), row in rows(place).items()
        for way in row["ways"]
        if "proofs" in way
    }


def asked_for(place: Workplace) -> list[str]:
    """The parameters that the newest run of the recording asks about."""
    document = json.loads((place.root / "cassettes" / "g" / "gateway.json").read_text("utf-8"))
    parameters: list[str] = document["run"]["parameters"]
    return parameters


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workplace, Ended]]:
    """A run for two clients."""
    place = Workplace(tmp_path_factory.mktemp("clients"))
    with scripted_gateway(policy, MODELS) as gateway:
        yield place, live(place, gateway, "--clients=codex,llm")


def test_a_run_for_clients(measured: tuple[Workplace, Ended]) -> None:
    """Given two clients, when a gateway is measured for them, then only what they need is asked, and their whole
    requests too; the run tells of them alone, with proof where the cells know nothing."""
    place, ended = measured
    assert ended.code == 0, ended.all
    assert "clients, asked whole: codex, llm" in ended.out
    parameters = {cell["parameter"] for cell in place.matrix["cells"]}
    assert "prompt_cache_key" in parameters
    assert "seed" not in parameters
    found = rows(place)
    assert set(found) == {(client, model) for client in ("codex", "llm") for model in MODELS}
    assert {found["llm", model]["readiness"] for model in MODELS} == {"works"}
    assert "proved with a whole request" in found["llm", "claude-x"]["reason"]
    gpt = found["codex", "gpt-5-y"]["ways"][0]
    assert (gpt["readiness"], gpt["forecast"]) == ("breaks", "works")
    assert gpt["reason"].startswith("breaks on client_metadata")
    assert found["codex", "claude-x"]["ways"][0]["forecast"] == "breaks"


def test_the_estimate_counts_whole_requests(measured: tuple[Workplace, Ended]) -> None:
    """Given a run for clients, when it says what it sends if everything is taken, then it sent no less, for some was
    refused."""
    place, ended = measured
    [told] = re.findall(r"cells: ([\d,]+) requests to .* if everything is taken", ended.out)
    assert 0 < int(told.replace(",", "")) <= place.matrix["run"]["requests"]


def test_a_replay_gives_the_same_proofs(measured: tuple[Workplace, Ended]) -> None:
    """Given a recording with whole requests, when it is replayed, then the proofs and cells are the same, also where
    one client is asked for; other clients have forecasts."""
    place, _ = measured
    before, cells = proofs(place), place.matrix["cells"]
    assert before
    ended = run_pytest("--gateway=g", *place.options)
    assert ended.code == 0, ended.all
    assert place.matrix["cells"] == cells
    assert place.matrix["run"]["complete"]
    assert proofs(place) == before
    assert "pi" in {client for client, _ in rows(place)}
    assert run_pytest("--gateway=g", "--clients=llm", "--update-table", *place.options).code == 0
    assert {client for client, _ in rows(place)} == {"llm"}
    assert proofs(place) == {key: value for key, value in before.items() if key[0] == "llm"}


def test_the_evidence_of_a_proof_is_recorded(measured: tuple[Workplace, Ended]) -> None:
    """Given a proof, when its evidence is looked up, then the first of it is the client's own body, as it was sent."""
    place, _ = measured
    run_pytest("--gateway=g", *place.options)
    file, _, digest = proofs(place)["codex", "gpt-5-y", "plain"][0][2][0].partition("#")
    recorded = json.loads((place.root / "cassettes" / "g" / file).read_text("utf-8"))["interactions"]
    (row,) = [each for each in recorded if each["response"]["conformance"]["digest"] == digest]
    assert "client_metadata" in json.dumps(row["request"])


def test_measuring_more_keeps_the_proofs(place: Workplace) -> None:
    """Given a run for a client, when a run without clients follows that asks more, then the proofs stay."""
    with scripted_gateway(policy, MODELS) as gateway:
        assert live(place, gateway, "--clients=llm").code == 0
        before = proofs(place)
        assert before
        assert live(place, gateway, "--parameters=core").code == 0
        assert not proofs(place)  # the run itself is about what it asked
    assert run_pytest("--gateway=g", "--update-table", *place.options).code == 0
    assert proofs(place) == before


def test_a_run_for_clients_is_resumed(place: Workplace) -> None:
    """Given a run for clients that the budget stopped, when it is resumed, then it is for the same clients, and asks
    nothing twice; without one of them it is refused."""
    with scripted_gateway(policy, MODELS) as gateway:
        assert live(place, gateway, "--clients=llm,codex", "--budget-requests=12").code == 2
        wanted = asked_for(place)
        refused = live(place, gateway, "--resume", "--clients=llm")
        assert refused.code == 4
        assert "--clients leaves out 'codex'" in refused.all
        assert live(place, gateway, "--resume").code == 0
        assert asked_for(place) == wanted
        asked = [
            json.dumps(body, sort_keys=True) for body in gateway.seen if "turn_id" in body.get("client_metadata", ())
        ]
    assert {client for client, _, _ in proofs(place)} == {"llm", "codex"}
    assert len(asked) == 2 * len(set(asked))  # a refusal repeats, and no more than that


def test_what_a_recorded_run_asked_is_asked_again_and_no_more() -> None:
    """Given the ids that some run asked about, also those that name a field or a group, when it is resumed, then just
    these are asked; an id that nobody knows any more is one line."""
    registry = load_registry()
    for parameter in registry.parameters:
        assert asked_by(None, [parameter.id], None, registry) == (parameter,)
    assert len(asked_by("tools", ["temperature"], None, registry)) > 1  # what an option names may be more
    with pytest.raises(CassetteError, match="asks about gone, which this version does not know; measure again"):
        asked_by(None, ["temperature", "gone"], None, registry)


def test_a_client_that_nobody_captured(place: Workplace) -> None:
    """Given a wrong name, when a run is to be for that client, then one line says so, before anything is sent."""
    with scripted_gateway(policy, MODELS) as gateway:
        ended = live(place, gateway, "--clients=codx")
    assert ended.code == 4
    assert "did you mean 'codex'" in ended.all
    assert run_pytest("--clients=codx", *place.options).code == 4


def test_clients_that_speak_other_endpoints(place: Workplace) -> None:
    """Given clients that speak none of the named endpoints, when a run is to be for them, live or not, then one line
    says what they speak, before anything is sent."""
    told = "--clients: claude-code speaks only messages; name that with --endpoints, or leave --endpoints out"
    with scripted_gateway(policy, MODELS) as gateway:
        ended = live(place, gateway, "--clients=claude-code", "--endpoints=responses,chat_completions")
        assert (ended.code, told in ended.all, gateway.seen) == (4, True, [])
        assert live(place, gateway, "--clients=llm", "--endpoints=chat_completions").code == 0
    ended = run_pytest("--gateway=g", "--clients=claude-code", "--endpoints=responses", *place.options)
    assert (ended.code, told in ended.all) == (4, True)


def test_some_clients_speak_other_endpoints(place: Workplace) -> None:
    """Given clients of which one speaks none of the named endpoints, when they are measured, then a note names that
    one, and the run and its resumption ask the others alone."""
    options = ("--clients=llm,claude-code", "--endpoints=chat_completions")
    with scripted_gateway(policy, MODELS) as gateway:
        for resumed in ([], ["--resume"]):
            ended = live(place, gateway, *options, *resumed)
            assert ended.code == 0, ended.all
            assert "NOTE --endpoints leaves out clients: claude-code speaks only messages" in ended.out
            assert "clients, asked whole: llm\n" in ended.out
    assert {client for client, _, _ in proofs(place)} == {"llm"}
    assert rows(place)["claude-code", "claude-x"]["reason"] == "not known: this run did not measure messages"


def test_runs_for_clients_are_told_apart() -> None:
    """Given runs with and without clients, when a new one is numbered, then it shares a number only with one that
    asked the same whole requests, and makes needless only what it asks itself."""
    models = [Model(id="m")]
    plain, codex, both = run_row(), run_row(clients=["codex"], number=1), run_row(clients=["codex", "pi"], number=2)
    assert [number_for(each, [plain, codex, both]) for each in (plain, codex, both)] == [0, 1, 2]
    assert asks_all_of(both, codex)
    assert not asks_all_of(plain, codex)
    assert needed_beside(both, [plain, codex], models) == []
    assert needed_beside(plain, [codex, both], models) == [codex, both]
