"""Real Pi, old and new, and models that the shipped table does not know: what is refused is mended, once for all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from starlette.responses import JSONResponse, Response

from conformance.embedded import EmbeddedGateway
from conformance.embedded.config import fleet, litellm_config
from conformance.provider.repair.learned import Memory
from conformance.tests.embedded.pi_runs import Pi, new_pi_modules, pi_modules
from conformance.tests.helpers.configured import configured_gateway
from conformance.tests.helpers.gateways import KEY, Policy, ScriptedGateway, events, refusal, scripted_gateway
from conformance.tests.helpers.running import CHECKOUT

pytestmark = pytest.mark.slow

SCHEMA = json.loads((CHECKOUT / "conformance" / "schemas" / "learned.schema.json").read_text(encoding="utf-8"))
#: No pattern of the shipped table begins like this.
PREFIX = "team-"
NAMES = Counter(PREFIX + row["name"] for row in fleet()["deployment"] if "info" not in row)
MODELS = sorted(NAMES)


def renamed(simulators: str, _fleet: str) -> dict[str, Any]:
    """The fleet's configuration, with names that no table knows."""
    made = litellm_config(simulators)
    for row in made["model_list"]:
        row["model_name"] = PREFIX + row["model_name"]
    return made


@pytest.fixture(scope="module")
def unknown() -> Iterator[EmbeddedGateway]:
    """A real LiteLLM whose models the shipped table does not know."""
    with configured_gateway(litellm_config=renamed) as running:
        yield running


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Pi]:
    """The Pi of the other tests, for gateways whose answers a test decides."""
    made = Pi(new_pi_modules(), tmp_path / "home")
    yield made
    assert KEY not in "\n".join(path.read_text("utf-8", "replace") for path in made.home.rglob("*") if path.is_file())


def answering(policy: Policy) -> AbstractContextManager[ScriptedGateway]:
    """A gateway with one model for each wire that no table knows."""
    return scripted_gateway(policy, ("team-model", "team-gpt-5"))


def learnt_file(pi: Pi) -> Path:
    """Where this Pi and the Python provider keep what they learnt."""
    return pi.home / ".cache" / "litellm-conformance" / "learned.json"


@pytest.mark.parametrize(
    ("modules", "models"), [(pi_modules, MODELS[::5]), (new_pi_modules, MODELS)], ids=["old", "new"]
)
def test_what_the_atlas_knows_needs_no_repair(
    modules: Callable[[], Path], models: list[str], tmp_path: Path, unknown: EmbeddedGateway
) -> None:
    """Given models under names that no table knows, when each is asked, then all answer, and nothing is mended: what
    serves them, and which LiteLLM it is, tells what they refuse."""
    reached = {"LITELLM_BASE_URL": unknown.base_url, "LITELLM_API_KEY": unknown.api_key}
    pi = Pi(modules(), tmp_path / "home", reached)
    with ThreadPoolExecutor(2) as together:
        first = dict(zip(models, together.map(lambda model: pi.ask("hi", model), models), strict=True))

    assert {model: done.all for model, done in first.items() if done.code or not done.out.strip()} == {}
    assert [line for done in first.values() for line in done.err.splitlines()] == []
    assert not learnt_file(pi).exists()


EXTRA = "store: Extra inputs are not permitted"
FORMS: dict[str, tuple[str, Response]] = {
    "an error": ("team-model", refusal(EXTRA)),
    "an error of a form that the SDK cannot read": (
        "team-model",
        JSONResponse({"detail": "Unsupported parameter: store"}, 400),
    ),
    "the first event of a stream": ("team-model", events({"error": {"message": EXTRA, "code": "400"}}, "[DONE]")),
    "an answer that is an error": ("team-model", JSONResponse({"error": {"message": EXTRA}})),
    "an error on the other wire": ("team-gpt-5", refusal(EXTRA)),
    "an event after the first on the other wire": (
        "team-gpt-5",
        events(
            {"type": "response.created", "response": {"id": "r"}},
            {"type": "response.failed", "response": {"error": {"code": "400", "message": EXTRA}}},
        ),
    ),
}

PART = {"type": "output_text", "text": "OK", "annotations": []}
ITEM = {"type": "message", "id": "m", "role": "assistant", "content": [PART]}
#: The answer on the responses wire, as Pi wants to see it.
OK = (
    {"type": "response.created", "response": {"id": "r"}},
    {"type": "response.output_item.added", "output_index": 0, "item": {**ITEM, "content": []}},
    {"type": "response.output_item.done", "output_index": 0, "item": ITEM},
    {"type": "response.completed", "response": {"id": "r", "status": "completed"}},
)


@pytest.mark.parametrize("form", FORMS)
def test_a_refusal_in_any_form_is_mended_before_pi_sees_it(scripted: Pi, form: str) -> None:
    """Given a refusal in some form, when Pi asks, then it gets the answer to the mended request; one line tells.

    What was learnt fits its schema, and Python reads it.
    """
    model, refused = FORMS[form]

    def policy(body: dict[str, Any]) -> Response | None:
        if "store" in body:
            return refused
        return events(*OK) if "input" in body else None

    with answering(policy) as gateway:
        done = scripted.ask("hi", model, env=gateway.environment)
        again = scripted.ask("hi", model, env=gateway.environment)
    first, mended, second = gateway.seen
    assert (done.code, done.out, again.all) == (0, "OK\n", "OK\n")
    assert done.err.startswith(f"litellm: {model} refuses store on ")
    assert len(done.err.splitlines()) == 1
    assert first.pop("store") is False
    assert mended == first
    assert second.keys() == mended.keys()
    text = learnt_file(scripted).read_text(encoding="utf-8")
    jsonschema_rs.validator_for(SCHEMA).validate(json.loads(text))
    [(kind, entry)] = Memory(learnt_file(scripted).parent).entries().items()
    assert (kind.gateway, kind.model) == (gateway.base_url, model)
    assert not entry.parameters["store"].supported
    assert gateway.key not in text


def test_nothing_is_sent_again_once_the_answer_has_begun(scripted: Pi) -> None:
    """Given a refusal after the first word, when Pi reads it, then nothing is repeated, and nothing is learnt."""
    chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": "half"}, "finish_reason": None}]}
    with answering(lambda body: events(chunk, {"error": {"message": EXTRA, "code": "400"}})) as gateway:
        done = scripted.ask("hi", "team-model", env=gateway.environment)
    assert (done.code, len(gateway.seen)) == (1, 1)
    assert not learnt_file(scripted).exists()


def test_who_refuses_everything_ends_it_and_leaves_nothing_in_memory(scripted: Pi) -> None:
    """Given a gateway that names another field each time, when Pi asks, then four repairs end it; the error tells."""

    def policy(body: dict[str, Any]) -> Response:
        left = [name for name in body if name not in ("model", "messages", "stream", "tools")]
        return refusal(f"{left[0]}: Extra inputs are not permitted" if left else "no")

    with answering(policy) as gateway:
        done = scripted.ask("hi", "team-model", "--thinking", "high", env=gateway.environment)
    bodies = [json.dumps(body, sort_keys=True) for body in gateway.seen]
    assert (done.code, done.out) == (1, "")
    assert 2 <= len(bodies) <= 5
    assert len(set(bodies)) == len(bodies)
    assert "leaving these out did not help" in done.err
    assert not learnt_file(scripted).exists()


def test_what_makes_the_request_is_kept_and_explained(scripted: Pi) -> None:
    """Given a model that refuses tools, when Pi asks, then it is asked once, and the error says why and what to do."""
    with answering(lambda body: refusal("`tools` is not supported with this model")) as gateway:
        done = scripted.ask("hi", "team-model", env=gateway.environment)
    assert (done.code, done.out, len(gateway.seen)) == (1, "", 1)
    assert "tools was refused, but is not left out, because the model could not call the tools" in done.err
    assert "use a model that takes tools." in done.err


def test_errors_about_something_else_are_left_alone(scripted: Pi) -> None:
    """Given an error about the key that names a field, when Pi asks, then it is asked once."""
    with answering(lambda body: refusal(f"Authentication Error, {EXTRA}", 401)) as gateway:
        done = scripted.ask("hi", "team-model", env=gateway.environment)
    assert (done.code, len(gateway.seen)) == (1, 1)


MODES: dict[str, tuple[str, int, int, str]] = {
    "off": ("off", 1, 1, "Measure it: pytest --live"),
    "named": ("named", 2, 0, "mended and sent again"),
    "a word that is none": ("maybe", 2, 0, "LITELLM_REPAIR is none of named, search and off; going on with named"),
}


@pytest.mark.parametrize("name", MODES)
def test_what_is_mended_is_the_users_choice(scripted: Pi, name: str) -> None:
    """Given `LITELLM_REPAIR`, when a field is refused, then it is mended, or told, as that says."""
    mode, requests, code, told = MODES[name]
    with answering(lambda body: refusal(EXTRA) if "store" in body else None) as gateway:
        done = scripted.ask("hi", "team-model", env={**gateway.environment, "LITELLM_REPAIR": mode})
    assert (done.code, len(gateway.seen)) == (code, requests)
    assert told in done.err


def test_a_search_finds_what_a_refusal_does_not_name(scripted: Pi) -> None:
    """Given a refusal without a name, when Pi may search, then the answer comes within six requests."""
    with answering(lambda body: refusal("invalid request") if "store" in body else None) as gateway:
        named = scripted.ask("hi", "team-model", env=gateway.environment)
        count = len(gateway.seen)
        done = scripted.ask("hi", "team-model", env={**gateway.environment, "LITELLM_REPAIR": "search"})
    assert (named.code, count) == (1, 1)
    assert (done.code, done.out) == (0, "OK\n")
    assert len(gateway.seen) - count <= 6


def test_the_users_table_stands_over_what_was_learnt(scripted: Pi, tmp_path: Path) -> None:
    """Given a field that was learnt to be refused, when the user's table says otherwise, then it is sent."""
    source = {"me": {"kind": "override"}}
    statement = {"supported": True, "source": "me"}
    rules = [{"models": ["team-*"], "statements": {"store": statement}}, {"models": ["*"], "statements": {}}]
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"schema_version": 1, "sources": source, "rules": rules}), encoding="utf-8")
    with answering(lambda body: refusal(EXTRA) if "store" in body else None) as gateway:
        scripted.ask("hi", "team-model", env=gateway.environment)
        done = scripted.ask("hi", "team-model", env={**gateway.environment, "LITELLM_SUPPORT_TABLE": str(table)})
    assert done.out == "OK\n"
    assert ["store" in body for body in gateway.seen] == [True, False, True, False]
