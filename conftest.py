"""Switches the plugin on for this checkout, installed or not, and spreads a plain `pytest` over the processors."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["conformance.plugin"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """As many workers as processors for all tests; none for a live run, or for tests that somebody names.

    A live run is made by one process, and few tests end before workers have started. `-n logical` asks for workers all
    the same.
    """
    everything = config.args_source is not pytest.Config.ArgsSource.ARGS or config.option.numprocesses == "logical"
    if not everything or config.option.live or config.option.collectonly:
        return 0
    processors = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
    return processors if processors and processors > 1 else 0
