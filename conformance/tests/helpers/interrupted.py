"""Runs that something ends half-way: a gateway that holds its answers back, and what is on disk by then."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import Counter
from typing import Any

import pytest
from starlette.responses import Response

from conformance.tests.helpers.gateways import refusal, scripted_gateway
from conformance.tests.helpers.running import Workplace, run_pytest

FEW = "--parameters=store,prompt_cache_key,temperature"
MODELS = ("model-a", "model-b", "model-c")
LIVE = ["--live", "--gateway=g", FEW, "--update-table"]
RESUME = ["--live", "--gateway=g", "--resume"]


def command(place: Workplace, *options: str) -> list[str]:
    """A live run as a command."""
    start = [sys.executable, "-m", "pytest", "conformance/suite", "-p", "no:cacheprovider"]
    return [*start, *LIVE, *options, *place.options]


def steady(body: dict[str, Any]) -> Any:
    """The policy of a gateway that takes a little time, and refuses one parameter."""

    async def answer() -> Response | None:
        await asyncio.sleep(0.02)
        return refusal("prompt_cache_key: Extra inputs are not permitted") if "prompt_cache_key" in body else None

    return answer()


class Holding:
    """The steady policy, until so many requests were answered; those that follow wait until it is let go."""

    def __init__(self, answered: int) -> None:
        """Answer so many."""
        self.left = answered
        self.held = threading.Event()
        self.released = False

    async def __call__(self, body: dict[str, Any]) -> Response | None:
        """Answer a request, or hold it."""
        self.left -= 1
        if self.left < 0:
            self.held.set()
            while not self.released:
                await asyncio.sleep(0.02)
        result: Response | None = await steady(body)
        return result


def exchanges(place: Workplace) -> list[dict[str, Any]]:
    """The requests that are on disk, in cassettes and parts, each line of them valid."""
    found = []
    folder = place.root / "cassettes" / "g"
    for path in folder.glob("*.json.part"):
        # A line that is being written may be there in part: a kill can leave it so, and a look can meet it.
        head, *lines = path.read_bytes().rpartition(b"\n")[0].decode().split("\n")
        assert not head or json.loads(head)["metadata"]["model"] in MODELS
        found += [json.loads(line)["request"]["body"]["json"] for line in lines]
    for path in folder.glob("model-*.json"):
        found += [row["request"]["body"]["json"] for row in json.loads(path.read_text("utf-8"))["interactions"]]
    return found


def on_disk(place: Workplace, policy: Holding, count: int) -> bool:
    """True when the gateway holds its answers, and all that it gave before are on disk."""
    return policy.held.is_set() and len(exchanges(place)) == count


def counted(bodies: list[dict[str, Any]]) -> Counter[str]:
    """How often each request is among these."""
    return Counter(json.dumps(body, sort_keys=True) for body in bodies)


def cells(place: Workplace) -> list[dict[str, Any]]:
    """The matrix's cells without the order of their evidence."""
    pairs = [sorted(zip(cell["evidence"], cell["roles"], strict=True)) for cell in place.matrix["cells"]]
    return [
        {**cell, "evidence": [ref for ref, _ in shown], "roles": [role for _, role in shown]}
        for cell, shown in zip(place.matrix["cells"], pairs, strict=True)
    ]


def is_complete(place: Workplace) -> bool:
    """What the matrix says of itself."""
    complete: bool = place.matrix["run"]["complete"]
    return complete


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The cells of a run that nothing disturbs, and what it asks."""
    place = Workplace(tmp_path_factory.mktemp("undisturbed"))
    with scripted_gateway(steady, MODELS) as gateway:
        ended = run_pytest(*LIVE, *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
    return cells(place), counted(gateway.seen)
