"""Fuzzing of what is learnt: whatever is sent in which order, nothing is left out that the gateway takes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from unittest import mock

import httpx
from hypothesis import given
from hypothesis import strategies as st

from conformance.provider.repair import account
from conformance.provider.repair.tracing import rules
from conformance.provider.transport import FilteringTransport
from conformance.provider.transport.request_filter import RequestFilter
from conformance.tests.helpers.mending import NOTHING

NAMES = ("store", "seed", "user", "stop", "top_k", "top_p", "metadata", "verbosity")
HELD = st.lists(st.sampled_from(NAMES), unique=True).map(frozenset)


@given(refused=HELD, requests=st.lists(HELD, max_size=30), every=st.integers(1, 5))
def test_what_is_learnt_is_true(refused: frozenset[str], requests: list[frozenset[str]], every: int) -> None:
    """Given a gateway that refuses some fields, one at a time, when requests hold any of them, then no field is learnt
    that it takes, what is answered lacks what is refused alone, and only as many requests fail as repairs need."""
    answered: list[set[str]] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        held = json.loads(request.content).keys() & {*NAMES}
        for name in sorted(held & refused):
            return httpx.Response(400, json={"error": {"message": f"{name}: Extra inputs are not permitted"}})
        answered.append(held)
        return httpx.Response(200, json={"choices": []})

    with tempfile.TemporaryDirectory() as folder, mock.patch.object(account, "TRY_AGAIN_EVERY", every):
        ours = RequestFilter(table=NOTHING, cache_folder=Path(folder))
        with httpx.Client(transport=FilteringTransport(httpx.MockTransport(gateway), ours)) as client:
            url = "http://gateway.example/v1/chat/completions"
            bodies = [{"model": "m", "messages": [], **dict.fromkeys(held, 1)} for held in requests]
            told = [client.post(url, json=body).status_code for body in bodies]
        learnt = {name for entry in ours.memory.entries().values() for name in entry.parameters}

    assert learnt <= refused
    assert answered == [held - refused for held, status in zip(requests, told, strict=True) if status == 200]
    assert told.count(400) <= len(refused) // (rules()["limits"]["repairs"] + 1)
