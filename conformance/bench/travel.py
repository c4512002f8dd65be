"""How far the shipped knowledge carries: models that the atlas has not, and what real agents send to them.

For each release the models of `held_back_fleet.toml` are measured. A filter that knows these measurements, the
oracle, is the best that there can be. What gets through with it is asked once more through the shipped table, which
knows nothing of these models but their routes, their names and the release. Repair is off.

LiteLLM loads today's list of models when it starts. So each release is asked with the list of the newest one, and once
more with its own, as where it reaches no network.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from conformance.atlas.releases import named_releases
from conformance.bench.agents import Asked, asked_of, wrong_with
from conformance.cassettes.folder import Folder
from conformance.embedded import EmbeddedGateway, embedded_gateway
from conformance.embedded.config import HELD_BACK_FLEET
from conformance.errors import first_of
from conformance.exchange.sender import Traffic
from conformance.matrix.document import model_from
from conformance.measure.job import Job
from conformance.measure.live import run_live
from conformance.measure.replay import Replay
from conformance.parameters import load_registry
from conformance.provider.filter import filter_request
from conformance.provider.table import SupportTable, load_table
from conformance.provider.target import Target
from conformance.secrets.leaks import Watch
from conformance.support.deriving import derive
from conformance.support.facts import facts_of
from conformance.support.overrides import load_overrides
from conformance.types import CellKey, Endpoint, Mode, Model

VERSIONS = "1.81.16,1.90.7,1.100.5,1.109.3"
_GATEWAY = "held-back"
_AT_ONCE = 4
#: How many characters of a refusal are shown.
_SHOWN = 160


@dataclass(frozen=True)
class Oracle:
    """What was measured on the models themselves: as a table, and cell by cell."""

    table: SupportTable
    known: Mapping[CellKey, bool]

    def takes(self, request: Asked, mode: str, name: str) -> bool:
        """Whether a model was seen to take what was left out of a request; what is not known is no mistake."""
        value: Any = request.body
        for step in name.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        for each in (f"{name}:{value}" if isinstance(value, str) else name, name):
            key = CellKey(request.body["model"], Endpoint(request.endpoint), Mode(mode), each)
            if key in self.known:
                return self.known[key]
        return False


@dataclass(frozen=True)
class Tally:
    """What became of requests, and of the fields that were left out of them."""

    asked: int = 0
    with_oracle: int = 0
    with_both: int = 0
    bare: int = 0
    left_out: int = 0
    taken: int = 0
    #: Each field that was left out and would have been taken, with its model.
    wrong: tuple[str, ...] = ()
    #: Each model and endpoint whose request gets through with the oracle only, with what was answered.
    missed: tuple[str, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def line(self) -> str:
        """The figures in one line."""
        share = self.with_both / self.with_oracle if self.with_oracle else 1.0
        wrong = self.taken / self.left_out if self.left_out else 0.0
        return (
            f"{self.asked} requests: {self.bare} get through bare, {self.with_oracle} with an oracle, of these "
            f"{self.with_both} with the shipped table ({share:.1%}); of {self.left_out} fields left out "
            f"{self.taken} would have been taken ({wrong:.1%})"
        )

    @property
    def mistakes(self) -> str:
        """What was left out for nothing, the most frequent first."""
        return _counted(self.wrong)

    @property
    def misses(self) -> str:
        """What gets through with the oracle only, the most frequent first."""
        return _counted(self.missed)


def _counted(names: Iterable[str]) -> str:
    return first_of([f"{name} ({count})" for name, count in Counter(names).most_common()], 20)


def main(versions: str = VERSIONS) -> None:
    """Measure the held-back models on each release, and tell how far the shipped table carries."""
    console = Console()
    *older, newest = named_releases(versions)
    todays = [(each, newest) for each in (newest, *older)]
    for version, model_list in [*todays, *((each, None) for each in older)]:
        tally = travel(version, load_table(), console, model_list)
        which = "today's list" if model_list else "its own list"
        console.print(f"LiteLLM {version} with {which}: {tally.line}", highlight=False, soft_wrap=True)
        if tally.wrong:
            console.print(f"left out for nothing: {tally.mistakes}", highlight=False, soft_wrap=True)
        if tally.missed:
            console.print(f"only with the oracle: {tally.misses}", highlight=False, soft_wrap=True)


def travel(version: str, table: SupportTable, console: Console, model_list: str | None = None) -> Tally:
    """The tally of one release, with the list of models of another or with its own."""
    registry = load_registry()
    with embedded_gateway(version=version, say=console.print, fleet=HELD_BACK_FLEET, model_list=model_list) as gateway:
        with tempfile.TemporaryDirectory() as folder:
            job = Job(
                target=Target(gateway.base_url, gateway.api_key),
                gateway=_GATEWAY,
                cassettes=Path(folder),
                registry=registry,
                parameters=registry.select("core"),
                endpoints=tuple(Endpoint),
            )
            document = run_live(job, console, Traffic(), Watch())
            matrix = Replay(Folder(Path(folder) / _GATEWAY), document, registry).matrix()
        known = {key: fact.supported for key, fact in facts_of(matrix)}
        oracle = derive(matrix, replace(load_overrides(), general=(), beating=()), None, registry.values_of)
        models = {row["id"]: model_from(row) for row in matrix["models"]}
        return _tally(gateway, version, models, Oracle(oracle, known), table)


def _tally(
    gateway: EmbeddedGateway,
    version: str,
    models: Mapping[str, Model],
    oracle: Oracle,
    table: SupportTable,
) -> Tally:
    tally = Tally()
    asked = list(asked_of(models))
    with (
        httpx.Client(trust_env=False, timeout=60, headers={"authorization": f"Bearer {gateway.api_key}"}) as client,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):
        compare = partial(_compared, client, gateway, version, models, oracle, table)
        for one in pool.map(compare, asked):
            tally += one
    return tally


def _compared(
    client: httpx.Client,
    gateway: EmbeddedGateway,
    version: str,
    models: Mapping[str, Model],
    oracle: Oracle,
    table: SupportTable,
    request: Asked,
) -> Tally:
    """What becomes of one request: as it is, with the oracle, and with the shipped table."""
    body, endpoint = request.body, request.endpoint
    model = body["model"]
    best = filter_request(body, model, endpoint, table=oracle.table, gateway=_GATEWAY, gateway_version=version)
    told = models[model]
    known: dict[str, Any] = {"served_by": told.served_by, "declared": told.parameters}
    ours = filter_request(body, model, endpoint, table=table, gateway_version=version, **known)
    mode = "stream" if body.get("stream") else "whole"
    wrong = tuple(
        f"{model} {name}" for name in ours.dropped if name not in best.dropped and oracle.takes(request, mode, name)
    )
    answers: dict[str, str | None] = {}

    def failure(sent: Mapping[str, Any]) -> str | None:
        text = json.dumps(sent)
        if text not in answers:  # most bodies come through both filters alike
            answers[text] = _failure(client, gateway, request, sent)
        return answers[text]

    with_oracle = failure(best.body) is None
    missing = failure(ours.body) if with_oracle else None
    return Tally(
        asked=1,
        bare=failure(body) is None,
        with_oracle=with_oracle,
        with_both=with_oracle and missing is None,
        left_out=len(ours.dropped),
        taken=len(wrong),
        wrong=wrong,
        missed=(f"{model} {endpoint} {mode}: {missing}",) if missing else (),
    )


def _failure(client: httpx.Client, gateway: EmbeddedGateway, request: Asked, body: Mapping[str, Any]) -> str | None:
    """None where a request gets through, else the start of what was answered."""
    answer = client.post(f"{gateway.base_url}/v1{request.path}", json=body, headers=dict(request.headers))
    wrong = wrong_with(answer)
    if wrong is None and "response.failed" not in answer.text:
        return None
    return f"{answer.status_code} {answer.text[:_SHOWN]}"
