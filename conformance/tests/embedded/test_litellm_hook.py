"""The hook inside a real LiteLLM: what agents send gets through, whatever models are called, and is mended once."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from conformance.bench.agents import Asked, wrong_with
from conformance.embedded import EmbeddedGateway
from conformance.embedded.config import fleet
from conformance.embedded.environment import ensure_environment
from conformance.provider.filter import filter_request, remedies
from conformance.provider.headers import DROPPED_HEADER
from conformance.provider.models.catalogue import model_rows
from conformance.provider.repair.learned import Memory
from conformance.provider.table import Rule, Statement, SupportTable
from conformance.provider.transport.features import apart, with_features
from conformance.tests.helpers.hooked import hooked_gateway
from conformance.tests.helpers.running import CHECKOUT
from conformance.tests.helpers.sent import sent_to

pytestmark = pytest.mark.slow

#: No pattern of the shipped table begins like this.
PREFIX = "house-"
#: Every model that chats, and how many routes it has.
ROUTES = Counter(PREFIX + row["name"] for row in fleet()["deployment"] if "mode" not in row.get("info", {}))
PROMPTS: Mapping[str, dict[str, Any]] = {
    "chat_completions": {"messages": [{"role": "user", "content": "hi"}]},
    "responses": {"input": "hi"},
    "messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 50},
}
AT_ONCE = 6
#: LiteLLM 1.90.7 ends some streams with this, also without the hook.
BROKEN = "list index out of range"
CLAUDE, GPT = f"{PREFIX}claude-haiku-4-5", f"{PREFIX}gpt-5.2"


class Told(NamedTuple):
    """What became of it: what is wrong with the answer, if anything is, and what was left out."""

    wrong: str | None
    dropped: tuple[str, ...]


def renamed(made: dict[str, Any]) -> None:
    """The fleet under names that no table knows; one name stands for two deployments that take different fields."""
    for row in made["model_list"]:
        row["model_name"] = PREFIX + row["model_name"]
    both = [row for row in made["model_list"] if row["model_name"] in (CLAUDE, GPT)]
    made["model_list"] += [{**row, "model_name": f"{PREFIX}mixed"} for row in both]


def asked() -> list[Asked]:
    """What clients send to a model of its family, for every model that chats."""
    return sent_to(ROUTES)


def ask_all(client: httpx.Client, requests: Iterable[Asked]) -> list[Told]:
    """What becomes of many requests, some of them at the same time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(partial(ask, client), requests))


def ask(client: httpx.Client, request: Asked) -> Told:
    """Send a request, and look at the answer."""
    answer = client.post(request.path, json=request.body, headers=dict(request.headers))
    text = wrong_with(answer)
    wrong = None if text is None else f"{text[:500]} … {text[-500:]}"
    return Told(wrong, tuple(filter(None, answer.headers.get(DROPPED_HEADER, "").split(", "))))


def client_of(gateway: EmbeddedGateway) -> httpx.Client:
    """A client that leaves requests as they are."""
    headers = {"authorization": f"Bearer {gateway.api_key}"}
    return httpx.Client(base_url=f"{gateway.base_url}/v1/", headers=headers, timeout=60, trust_env=False)


def by_its_own_name(request: Asked) -> Asked:
    """A request to the model that has another name here."""
    return request._replace(body={**request.body, "model": request.body["model"].removeprefix(PREFIX)})


def without(request: Asked, names: set[str]) -> Asked:
    """A request with these left out."""
    table = SupportTable((Rule(("*",), dict.fromkeys(names, Statement(False, "s"))),))
    made = filter_request(with_features(request.body, request.headers), "m", request.endpoint, table=table).body
    body, headers = apart(made, request.body)
    return Asked(request.endpoint, {**request.headers, **headers}, dict(body))


@pytest.fixture(scope="module")
def hooked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedGateway, Path]]:
    """A LiteLLM with the hook, switched on as the page says, and its user's folder."""
    home, logs = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("logs")
    with hooked_gateway(change=renamed, home=home, log_dir=logs) as running:
        yield running, home
    assert troubles(logs) == []


def troubles(logs: Path) -> list[str]:
    """What LiteLLM logs of failures in the hook, and what the hook logs itself."""
    text = (logs / "litellm.log").read_text(encoding="utf-8", errors="replace")
    return [line for line in text.splitlines() if "ConformanceHook" in line or "the hook" in line]


@pytest.mark.parametrize("mode", ["whole", "stream"])
@pytest.mark.parametrize(
    ("model", "endpoint"),
    [(CLAUDE, "chat_completions"), (CLAUDE, "responses"), (GPT, "chat_completions"), (GPT, "messages")],
)
def test_a_field_that_no_table_knows_is_mended_once(
    hooked: tuple[EmbeddedGateway, Path], model: str, endpoint: str, mode: str
) -> None:
    """Given a field that the vendor refuses, when two requests hold it, then both are answered: the first is sent
    again without it, the second at once, and what was learnt is on disk."""
    gateway, home = hooked
    body = {"model": model, **PROMPTS[endpoint], "house_rule": 1, **({"stream": True} if mode == "stream" else {})}
    seen = []
    with client_of(gateway) as client:
        for _ in range(2):
            gateway.clear_received()
            assert ask(client, Asked(endpoint, {}, body)) == (None, ("house_rule",))
            seen.append([each.status for each in gateway.received()])

    assert seen == [[400, 200], [200]]
    known = Memory(home / ".cache" / "litellm-conformance").entries()
    assert [
        (entry.version, entry.parameters["house_rule"].supported)
        for kind, entry in known.items()
        if (kind.model.rpartition("/")[2].removeprefix("databricks-"), kind.endpoint, kind.mode)
        == (model.removeprefix(PREFIX), endpoint, mode)
    ] == [(gateway.version, False)]


def test_what_nothing_mends_is_not_sent_again(hooked: tuple[EmbeddedGateway, Path]) -> None:
    """Given a request that is wrong in itself, when it is refused, then the vendor has seen it once."""
    gateway, _ = hooked
    body = {"model": GPT, "messages": [{"role": "nobody", "content": "hi"}]}
    gateway.clear_received()
    with client_of(gateway) as client:
        told = ask(client, Asked("chat_completions", {}, body))

    assert told.wrong is not None
    assert [each.status for each in gateway.received()] == [400]


def test_each_deployment_of_a_name_gets_what_it_takes(hooked: tuple[EmbeddedGateway, Path]) -> None:
    """Given one name for two deployments, when requests hold what one of them refuses, then the other still gets it."""
    gateway, _ = hooked
    body = {"model": f"{PREFIX}mixed", **PROMPTS["chat_completions"], "prompt_cache_key": "k"}
    gateway.clear_received()
    with client_of(gateway) as client:
        told = [ask(client, Asked("chat_completions", {}, body)) for _ in range(20)]

    assert Counter(each.wrong for each in told) == {None: 20}
    assert {(each.vendor, "prompt_cache_key" in each.body) for each in gateway.received()} == {
        ("azure", True),
        ("databricks", False),
    }
    assert {each.dropped for each in told} == {(), ("prompt_cache_key",)}


def test_what_agents_send_gets_through(
    hooked: tuple[EmbeddedGateway, Path], gateway: EmbeddedGateway, record_property: Callable[[str, object], None]
) -> None:
    """Given what real agents send, when it is sent to every model under a name that no table knows, then bare much of
    it fails, with the hook it is answered, the header says what was left out, and what it says would be refused."""
    with client_of(hooked[0]) as client:
        every = list(zip(asked(), ask_all(client, asked()), strict=True))
    left: dict[tuple[Any, ...], Asked] = {}
    for request, told in every:
        for name in told.dropped:
            # What was left out because of another one goes back together with it.
            needed = remedies()["needs"].get(request.endpoint, {}).get(name)
            others = {each for each in told.dropped if each not in (name, needed)}
            back = without(request, others)
            if back != without(request, {*others, name}):  # one refusal can stand for two, of which one was not there
                left.setdefault((*request.kind, name), back)
    alone = {key: request for key, request in left.items() if ROUTES[key[0]] == 1}
    with client_of(gateway) as client:  # it has no hook, so models keep their names
        bare = ask_all(client, (by_its_own_name(request) for request, _ in every))
        put_back = ask_all(client, map(by_its_own_name, alone.values()))

    failures = [(request.body["model"], request.endpoint, told) for request, told in every if told.wrong]
    taken = [key for key, told in zip(alone, put_back, strict=True) if told.wrong is None]
    failed_bare = sum(told.wrong is not None for told in bare)
    silent = [
        request.kind
        for (request, told), before in zip(every, bare, strict=True)
        if before.wrong and not told.wrong and not told.dropped and ROUTES[request.body["model"]] == 1
    ]
    summary = f"{len(every)} requests, {failed_bare} fail bare, {len(failures)} hooked; of {len(alone)} left out "
    record_property("hook", f"{summary}{len(taken)} would have been taken")
    assert {told.dropped for told in bare} == {()}
    assert failed_bare > len(every) / 5
    assert len(failures) <= len(every) * 0.005, json.dumps(failures, indent=1)
    assert silent == []
    assert len(taken) <= len(alone) * 0.01, (summary, taken)


def test_the_hook_knows_what_the_gateway_declares(hooked: tuple[EmbeddedGateway, Path]) -> None:
    """Given a LiteLLM, when the hook asks it what it declares for what serves each model, then that is what the gateway
    tells its clients."""
    gateway, home = hooked
    with client_of(gateway) as client:
        paths = ("model_group/info", "model/info")
        groups, deployments = (client.get(f"{gateway.base_url}/{path}").json()["data"] for path in paths)
    listed = model_rows([{"id": name} for name in ROUTES], groups, deployments)
    expected = {each.served_by[0]: each.claimed for each in listed if each.parameters}
    asking = (
        "import json, sys\n"
        "from conformance.provider.integrations.litellm_hook import _declared\n"
        "print(json.dumps({served: _declared(served) for served in json.load(sys.stdin)}))"
    )
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(CHECKOUT), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        [ensure_environment(None, print).python, "-c", asking],
        input=json.dumps(list(expected)),
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert len(expected) > 10
    found = json.loads(done.stdout.splitlines()[-1])
    assert {served: tuple(names or ()) for served, names in found.items()} == expected


#: Older releases; the variable CONFORMANCE_RELEASES names others.
RELEASES = os.environ.get("CONFORMANCE_RELEASES", "1.81.16").split(",")


@pytest.mark.parametrize("version", RELEASES)
def test_other_releases(version: str, tmp_path: Path) -> None:
    """Given an older LiteLLM, when each endpoint is asked in each mode, then it is the same."""
    with (
        hooked_gateway(version, change=renamed, home=tmp_path, log_dir=tmp_path) as gateway,
        client_of(gateway) as client,
    ):
        for endpoint, prompt in PROMPTS.items():
            for stream in ({}, {"stream": True}):
                extra = {"frequency_penalty": 0.5, "house_rule": 1}
                body = {"model": GPT if endpoint == "messages" else CLAUDE, **prompt, **stream, **extra}
                first, second = (ask(client, Asked(endpoint, {}, body)) for _ in range(2))
                assert [each.wrong for each in (first, second) if BROKEN not in (each.wrong or BROKEN)] == []
                assert set(first.dropped) == set(second.dropped) == set(extra), (endpoint, stream)
    assert troubles(tmp_path) == []
