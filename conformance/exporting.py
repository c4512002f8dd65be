"""Where the facts of an export come from: a matrix, or a support table and the gateway's list of models."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from conformance.clients.profiles import shipped_profiles
from conformance.discover.listing import discover
from conformance.errors import ExportError, quoted
from conformance.export.clients import Client
from conformance.export.facts import Facts, Limit, facts_of
from conformance.export.foretold import foretold, named_in
from conformance.matrix.document import Matrix
from conformance.parameters import load_registry
from conformance.provider.errors import GatewayError
from conformance.provider.gateway import LiteLLMProvider
from conformance.provider.table.layers import layered_table
from conformance.provider.target import ENVIRONMENT, Target, make_target, target_from_env
from conformance.readiness.section import with_clients
from conformance.report.matrix_file import read_matrix
from conformance.text.globs import fits
from conformance.types import Gateway

_USUAL = "reports/matrix.json"


def facts_for(
    matrix: str | None, table: str | None, base_url: str | None, models: Sequence[str]
) -> Callable[[Client], Facts]:
    """Makes the facts for each client, of the modes that it uses; the sources are read once.

    Raises `ExportError` where there is no source, and what reading one raises.
    """
    said = make_target(base_url, "unused", "--base-url").base_url if base_url else None
    recorded = _recorded(matrix, table)
    found, source = _matrix(recorded, table, base_url)
    address = said or _address(found, recorded=recorded is not None)
    limits = _limits(base_url)
    registry = load_registry()
    if "clients" not in found:
        found = with_clients(found, registry, shipped_profiles())

    @functools.cache
    def facts(modes: tuple[str, ...]) -> Facts:
        some = facts_of(found, registry, source, models or ("*",), modes)
        if not some.models:
            asked = " and ".join(map(quoted, models))
            none = f"none of the {len(found['models'])} models fits --models {asked}; {source} names them"
            known = any(fits(row["id"], each) for row in found["models"] for each in models)
            if models and not known:
                raise ExportError(none)
            raise ExportError(f"{source} says nothing of {'these models' if models else 'any model'}")
        some = replace(some, limits={name: limit for name, limit in limits.items() if name in some.models})
        return replace(some, url=address, url_said=said is not None)

    return lambda client: facts(client.modes)


def _matrix(recorded: str | None, table: str | None, base_url: str | None) -> tuple[Matrix, str]:
    """What is known, and what it is called: the matrix that was recorded, or else what a table says."""
    if recorded:
        return read_matrix(recorded), f"the matrix {recorded}"
    target = _target(base_url)
    if target is None and not table:
        (url, key), _ = ENVIRONMENT
        raise ExportError(f"there is no {_USUAL}; name a matrix with --matrix, or a gateway with {url} and {key}")
    rules = layered_table(table)
    if target is None:
        gateway, listed = Gateway(name="any", url="http://localhost:4000"), named_in(rules)
    else:
        discovered = discover(target)
        gateway, listed = discovered.gateway, list(discovered.models)
    source = f"the support table {table} over the shipped one" if table else "the shipped support table"
    asked = "" if target is None else ", and the gateway's list of models"
    return foretold(gateway, listed, rules, load_registry()), source + asked


def _recorded(matrix: str | None, table: str | None) -> str | None:
    """The file of the matrix to export from, if it is one. Raises `ExportError` for two sources."""
    if matrix and table:
        raise ExportError("--matrix and --table are two sources; name one")
    return matrix or (_USUAL if not table and Path(_USUAL).is_file() else None)


def _address(found: Matrix, *, recorded: bool) -> str:
    """Where clients reach the gateway: as a run recorded it, or as the environment says; empty where nobody knows.

    A matrix of simulators records no port, for the gateway is gone when the run ends; its address is none.
    """
    gateway = found["gateway"]
    named = target_from_env(keyless=True) if recorded else None
    if named is not None and (gateway["simulated"] or gateway["name"] == named.name):
        return named.base_url
    return "" if recorded and gateway["simulated"] else gateway["url"]


def _limits(base_url: str | None) -> dict[str, Limit]:
    """What the gateway declares of its models, if the user names it and there is a key; the rest does without."""
    if not base_url or not os.environ.get(ENVIRONMENT[0][1]):
        return {}
    target = _target(base_url)
    try:
        models = LiteLLMProvider(target.base_url, target.api_key, headers=target.headers).models() if target else ()
    except GatewayError:
        return {}
    return {model.id: Limit(model.context_window, model.max_tokens) for model in models}


def _target(base_url: str | None) -> Target | None:
    """The gateway to ask; None where none is named.

    One that an option names gets LiteLLM's key alone: that of OpenAI, or a header, is for nobody else.
    """
    if base_url is None:
        return target_from_env()
    (_, key), _ = ENVIRONMENT
    known = target_from_env()
    headers = known.headers if known and known.base_url == base_url.rstrip("/").removesuffix("/v1") else {}
    return make_target(base_url, os.environ.get(key, ""), "--base-url", key, headers=headers)
