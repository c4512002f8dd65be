"""What clients send, on every route of the real LiteLLM, with a table that knows nothing: refusals alone must teach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from conformance.bench.agents import wrong_with
from conformance.embedded import EmbeddedGateway
from conformance.embedded.config import fleet
from conformance.provider.filter import filter_request
from conformance.provider.repair import RepairEvent
from conformance.provider.table.layers import with_learnt
from conformance.provider.transport import http_client
from conformance.provider.transport.request_filter import RequestFilter
from conformance.tests.helpers.mending import NOTHING
from conformance.tests.helpers.sent import sent_to

#: Every model that chats, and how many routes it has.
ROUTES = Counter(row["name"] for row in fleet()["deployment"] if "mode" not in row.get("info", {}))


def asked() -> Iterator[tuple[str, dict[str, Any]]]:
    """What clients send to a model of its family, for every model that chats, and where it goes."""
    return ((each.path, each.body) for each in sent_to(ROUTES))


@pytest.mark.slow
def test_what_clients_send_gets_through(
    gateway: EmbeddedGateway, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Given what clients send, when it is sent to every route, then it is answered, and what was mended at once again.

    What was left out is put back, one field at a time: nearly all of it is refused. A name over several routes
    has to be answered, too, and nothing else is asked of it: LiteLLM draws a route for each attempt. So the second
    time may meet a route that was not met before, and what one route refuses another takes.
    """
    headers = {"authorization": f"Bearer {gateway.api_key}"}
    told: list[RepairEvent] = []
    rules = RequestFilter(table=NOTHING, cache_folder=tmp_path, on_repair=told.append)
    failures: list[tuple[str, str, str]] = []
    with http_client(rules, library=httpx, trust_env=False) as client:

        def ask(path: str, body: dict[str, Any]) -> None:
            answer = client.post(f"{gateway.base_url}/v1{path}", json=body, headers=headers)
            words = wrong_with(answer)
            if words:
                failures.append((body["model"], path, words[:1000]))

        mended = []
        for path, body in asked():
            before = len(told)
            ask(path, body)
            if len(told) > before:
                mended.append((path, body))
        first = len(told)
        for path, body in mended:
            ask(path, body)

    put_back = [row for row in without_one(rules) if ROUTES[row[1]["model"]] == 1]
    taken = []
    with httpx.Client(trust_env=False) as client:
        for path, body, name in put_back:
            answer = client.post(f"{gateway.base_url}/v1{path}", json=body, headers=headers)
            if wrong_with(answer) is None:
                taken.append((body["model"], path, name))

    count = sum(1 for _ in asked())
    record_property("repair", f"{count} requests, {first} repairs; {len(taken)} of {len(put_back)} taken when put back")
    assert len(failures) <= count * 0.005, failures
    assert [event for event in told[first:] if ROUTES[event.model] == 1] == []
    assert len(taken) <= len(put_back) * 0.01, taken


def without_one(rules: RequestFilter) -> Iterator[tuple[str, dict[str, Any], str]]:
    """For each thing learnt, a request that it changes, with all else that was learnt left out, and its name."""
    for kind, entry in rules.memory.entries().items():
        said = {name: each.supported for name, each in entry.parameters.items()}
        for name in (each for each, can in said.items() if not can):
            less = with_learnt(NOTHING, {each: can for each, can in said.items() if each != name})
            for each in sent_to(ROUTES):
                body = each.body
                mode = "stream" if body.get("stream") else "whole"
                if (body["model"], each.endpoint, mode) == (kind.model, kind.endpoint, kind.mode):
                    back = filter_request(body, kind.model, kind.endpoint, table=less).body
                    if back != filter_request(body, kind.model, kind.endpoint, table=with_learnt(NOTHING, said)).body:
                        yield each.path, back, name
                        break
