"""Gateways behind a private certificate authority: whom the suite and the provider trust, and who says so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from conformance.provider.errors import GatewayError, TargetError
from conformance.provider.gateway import LiteLLMProvider
from conformance.provider.stream import Done
from conformance.provider.tls import VARIABLES, verification
from conformance.tests.helpers.gateways import KEY, ScriptedGateway, scripted_gateway
from conformance.tests.helpers.running import Workplace, run_pytest

FEW = "--parameters=store"

#: The variables as if none was set, whatever surrounds the tests.
NOBODY = dict.fromkeys(VARIABLES, "")


@dataclass(frozen=True)
class House:
    """A private authority's certificate, as a file and in a folder, and a gateway that has one of it."""

    bundle: Path
    folder: Path
    gateway: ScriptedGateway


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway on loopback whose certificate an authority made for these tests has signed."""
    place = tmp_path_factory.mktemp("authority")
    authority, certificate, bundle = trustme.CA(), place / "gateway.pem", place / "authority.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    authority.cert_pem.write_to_path(str(bundle))
    with scripted_gateway(models=("claude-x",), certificate=certificate) as gateway:
        assert gateway.base_url.startswith("https:")
        yield House(bundle, place, gateway)


def test_a_run_that_trusts_nobody_says_so(place: Workplace, house: House) -> None:
    """Given a private authority that nothing names, when its gateway is measured, then one line says what to do."""
    ended = run_pytest("--live", "--update-table", FEW, *place.options, env=NOBODY | house.gateway.environment)
    assert ended.code == 4, ended.all
    assert "TLS failed" in ended.err
    assert "SSL_CERT_FILE" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


@pytest.mark.parametrize("how", ["option", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_run_trusts_whom_it_is_told_to(place: Workplace, house: House, how: str) -> None:
    """Given a private authority that is named, when its gateway is measured, then discovery and probes both work."""
    named = [f"--ca-bundle={house.bundle}"] if how == "option" else []
    env = {} if how == "option" else {how: str(house.bundle)}
    ended = run_pytest(
        "--live", FEW, *named, *place.options, "--update-table", env=NOBODY | house.gateway.environment | env
    )
    assert ended.code == 0, ended.all
    assert {cell["verdict"] for cell in place.matrix["cells"]} == {"accepted"}


def test_the_option_goes_before_the_variables(place: Workplace, house: House) -> None:
    """Given a variable that names nothing and the option, when a gateway is measured, then the option counts."""
    env = NOBODY | house.gateway.environment | {"SSL_CERT_FILE": "/nonexistent"}
    ended = run_pytest("--live", FEW, f"--ca-bundle={house.bundle}", *place.options, "--update-table", env=env)
    assert ended.code == 0, ended.all


@pytest.mark.parametrize("variable", [None, *VARIABLES])
@pytest.mark.parametrize(("content", "why"), [(None, "cannot be read (No such file"), ("no PEM", "holds no certifi")])
def test_a_bundle_that_is_none_is_one_line(
    place: Workplace, house: House, variable: str | None, content: str | None, why: str
) -> None:
    """Given a name for certificates that are not there, when a gateway is measured, then one line names it."""
    bundle = place.root / "bundle.pem"
    if content is not None:
        bundle.write_text(content, encoding="utf-8")
    named = [] if variable else [f"--ca-bundle={bundle}"]
    env = {variable: str(bundle)} if variable else {}
    ended = run_pytest("--live", FEW, *named, *place.options, env=NOBODY | house.gateway.environment | env)
    assert ended.code == 4, ended.all
    assert f"{variable or '--ca-bundle'} names {bundle}, which {why}" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_the_provider_trusts_whom_the_environment_names(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Given an authority in a variable, when models are listed and one is asked, then both work; else neither."""
    pytest.importorskip("openai", reason="the OpenAI SDK is not installed")
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    ours = LiteLLMProvider(house.gateway.base_url, KEY, cache_folder=tmp_path)
    with pytest.raises(GatewayError, match="TLS failed"):
        ours.models()
    monkeypatch.setenv(variable, str(house.bundle))

    async def run() -> list[Any]:
        async with ours:
            [model] = await ours.amodels()
            return [event async for event in ours.stream(model, [{"role": "user", "content": "hi"}])]

    assert isinstance(asyncio.run(run())[-1], Done)
    assert [model.id for model in ours.models(max_age=0)] == ["claude-x"]


def test_a_folder_of_certificates(house: House, tmp_path: Path) -> None:
    """Given a folder in each variable that may name one, when it is read, then it is taken; none is no choice."""
    for name in ("SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        assert verification(environ={name: str(tmp_path)}) is not True
    assert verification(environ={}) is True
    with pytest.raises(TargetError, match="SSL_CERT_FILE names"):
        verification(environ={"SSL_CERT_FILE": str(tmp_path / "none"), "REQUESTS_CA_BUNDLE": str(house.bundle)})
