"""What becomes of Allure results that cannot be written: the run goes on without them, and says so at its end.

allure-pytest writes inside hooks of pytest, where an error ends the whole run with a traceback of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Generator
from typing import Any

import allure_commons
import pytest

_FAULT = pytest.StashKey[str]()

#: A worker's fault, by the name that it has in what the worker hands to the controller.
_HANDED = "conformance_allure"

_Wrapped = Generator[None, Any, Any]


class _Faults:
    """Keeps the first error of whatever writes a file of Allure's."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def _written(self) -> _Wrapped:
        try:
            return (yield)
        except OSError as error:
            _tell(self._config, error.strerror or type(error).__name__)
            return []

    @allure_commons.hookimpl(wrapper=True)
    def report_result(self) -> _Wrapped:
        return (yield from self._written())

    @allure_commons.hookimpl(wrapper=True)
    def report_container(self) -> _Wrapped:
        return (yield from self._written())

    @allure_commons.hookimpl(wrapper=True)
    def report_attached_file(self) -> _Wrapped:
        return (yield from self._written())

    @allure_commons.hookimpl(wrapper=True)
    def report_attached_data(self) -> _Wrapped:
        return (yield from self._written())


def bear(config: pytest.Config) -> None:
    """Let no error of writing Allure's files out, in this process, to the end of the run."""
    faults = _Faults(config)
    allure_commons.plugin_manager.register(faults)
    config.add_cleanup(functools.partial(allure_commons.plugin_manager.unregister, faults))


def fault_of(config: pytest.Config) -> str | None:
    """Why results of this run could not be written, or None where all were."""
    return config.stash.get(_FAULT, None)


def heed(config: pytest.Config, handed: dict[str, Any]) -> None:
    """Take over what a worker handed to the controller at its end."""
    if _HANDED in handed:
        _tell(config, str(handed[_HANDED]))


def _tell(config: pytest.Config, why: str) -> None:
    config.stash.setdefault(_FAULT, why)
    if hasattr(config, "workeroutput"):
        config.workeroutput[_HANDED] = why
