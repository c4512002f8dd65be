"""Allure results: labels on every cell's test, its exchanges where the test fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import allure
import pytest

from conformance.errors import ReportError
from conformance.types import Exchange, PlannedCell

#: Where results go by default, inside the reports folder.
FOLDER = "allure-results"


def switch_on(config: pytest.Config, reports: Path) -> None:
    """Write results into the reports folder, as if `--alluredir` had been given; earlier ones go.

    Called before allure-pytest configures itself, and does nothing where the user chose a folder
    or switched the plugin off.
    """
    if config.pluginmanager.hasplugin("allure_pytest") and not config.option.allure_report_dir:
        folder = reports / FOLDER
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ReportError(
                f"cannot write reports to {reports} ({error.strerror}); name another folder with --reports"
            ) from None
        config.option.allure_report_dir = str(folder)


def is_on(config: pytest.Config) -> bool:
    """True where this run writes Allure results."""
    return bool(getattr(config.option, "allure_report_dir", None))


def label(cell: PlannedCell, gateway: str) -> None:
    """Label the running test with its cell's coordinates."""
    key = cell.key
    told = {"parentSuite": gateway, "suite": key.model, "subSuite": key.endpoint}
    told |= {"model": key.model, "endpoint": key.endpoint, "mode": key.mode, "parameter": key.parameter}
    for name, value in told.items():
        shown = str(value).encode("utf-8", "replace").decode()  # a lone surrogate would end the whole run
        allure.dynamic.label(name, shown)  # type: ignore[no-untyped-call]


def attach(exchanges: Iterable[Exchange]) -> None:
    """Attach recorded exchanges, which hold no secrets, to the running test."""
    for exchange in exchanges:
        request = exchange.request
        name = f"{request.digest} {', '.join(request.body)}"
        allure.attach(_told(exchange), name=name, attachment_type=allure.attachment_type.TEXT)


def as_text(exchanges: Iterable[Exchange], limit: int) -> str:
    """Exchanges for a test's report, each part cut at `limit` characters."""
    return "\n".join(_told(exchange, limit) for exchange in exchanges)


def _told(exchange: Exchange, limit: int | None = None) -> str:
    sent, response = json.dumps(exchange.request.body)[:limit], exchange.response
    body = response.body.decode("utf-8", "replace")[:limit]
    return f"  > {sent}\n  < {response.status or response.error} {body}"
