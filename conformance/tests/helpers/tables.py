"""Matrices of made-up fleets, and the tables that are derived from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, cast

from hypothesis import strategies as st

from conformance.matrix.document import Matrix, cell_row, make_matrix
from conformance.provider.table import Rule, SupportTable
from conformance.schemas.documents import MatrixRun
from conformance.support.deriving import derive, told
from conformance.support.overrides import Overrides, overrides_from
from conformance.text.names import cassette_name
from conformance.types import CellKey, Endpoint, Evidence, Gateway, Judgement, Mode, Model, RejectedBy, Role, Verdict

VALUES = {"store": ("store:true", "store:false"), "prompt_cache_key": ("prompt_cache_key",)}
IDS = tuple(name for names in VALUES.values() for name in names)
SHIPPED = overrides_from(
    (resources.files("conformance.support") / "overrides.toml").read_text(encoding="utf-8"), "overrides.toml"
)
MODELS = ("claude-haiku-4-5", "claude-opus", "gpt-4.1", "gpt-5.2", "gemini-2-5-pro", "o3", "nova", "x y\ud800", "a,b")
EMBEDDED = "embedded"
GATEWAYS = (EMBEDDED, "proxy.example", "localhost-4000")

#: What a channel (endpoint, mode) of a model says of each parameter.
Channels = Mapping[tuple[Endpoint, Mode], Sequence[Verdict]]


def matrix_of(
    verdicts: Mapping[CellKey, Verdict],
    gateway: str = EMBEDDED,
    version: str | None = "1.109.1",
    **run: Any,
) -> Matrix:
    """A matrix with these cells; `run` overrides parts of its run."""
    judgements = [
        Judgement(
            key=key,
            fields=(key.parameter.partition(":")[0],),
            verdict=verdict,
            reason="because.",
            rejected_by=RejectedBy.BACKEND if verdict is Verdict.REJECTED else None,
            evidence=(Evidence(Role.PROBE, "0123456789abcdef"),),
        )
        for key, verdict in verdicts.items()
    ]
    whole = {
        "mode": "live",
        "started_at": "s",
        "finished_at": "f",
        "complete": True,
        "requests": 1,
        "selection": None,
        **run,
    }
    models = [Model(id=model) for model in dict.fromkeys(key.model for key in verdicts)]
    return make_matrix(
        Gateway(name=gateway, url="http://g", software="litellm", version=version),
        cast("MatrixRun", whole),
        models,
        [cell_row(judgement, None, cassette_name(judgement.key.model)) for judgement in judgements],
    )


def values_of(path: str, _endpoint: str) -> Sequence[str]:
    """The ids that stand for values of one field, as a registry tells them."""
    return VALUES.get(path, ())


def derived(matrix: Matrix, previous: SupportTable | None = None, overrides: Overrides = SHIPPED) -> SupportTable:
    """The table of a matrix, with the registry's values."""
    return derive(matrix, overrides, previous, values_of)


def statement(table: SupportTable, key: CellKey, gateway: str) -> bool:
    """What a table says of a cell; no rule means that it is sent."""
    found = told(table, key, gateway)
    return found is None or found.supported


def measured(table: SupportTable) -> list[Rule]:
    """The rules that come from measurements."""
    kinds = {name: row["kind"] for name, row in table.sources.items()}
    return [rule for rule in table.rules if any(kinds[s.source] == "measured" for s in rule.statements.values())]


_VERDICTS = st.sampled_from([Verdict.REJECTED, Verdict.ACCEPTED, Verdict.REJECTED, *Verdict])
_CHANNELS: st.SearchStrategy[Channels] = st.fixed_dictionaries(
    {(e, m): st.tuples(*(_VERDICTS for _ in IDS)) for e in Endpoint for m in Mode}
)


@st.composite
def fleets(draw: st.DrawFn, models: Sequence[str] = MODELS) -> dict[CellKey, Verdict]:
    """The verdicts of some models; a few behaviours are shared among them, as vendors do it."""
    behaviours = draw(st.lists(_CHANNELS, min_size=1, max_size=3))
    chosen = draw(st.lists(st.sampled_from(models), unique=True, min_size=1))
    return {
        CellKey(model, endpoint, mode, parameter): verdict
        for model in chosen
        for channels in (draw(st.sampled_from(behaviours)),)
        for (endpoint, mode), verdicts in channels.items()
        for parameter, verdict in zip(IDS, verdicts, strict=True)
    }


def whole_cell(model: str, parameter: str = "store:true", endpoint: Endpoint = Endpoint.CHAT_COMPLETIONS) -> CellKey:
    """A whole cell."""
    return CellKey(model, endpoint, Mode.WHOLE, parameter)


def channel(model: str, verdict: Verdict, parameters: Sequence[str] = IDS) -> dict[CellKey, Verdict]:
    """The same verdict for some parameters of a model, everywhere."""
    return {CellKey(model, e, m, p): verdict for e in Endpoint for m in Mode for p in parameters}
