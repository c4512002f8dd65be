"""Measure what large fleets cost: memory of a live run, and seconds for each replayed cell."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from conformance.bench.server import slow_server
from conformance.bench.timing import run_command

#: Models of the fleets whose live runs are compared; and of those that are replayed, with how often.
MEASURED = (1_000, 10_000)
ROUNDS = {102: 3, 1_020: 1}


def memory() -> None:
    """Goals: under 500 MB for 10,000 models × core, and no more than linear growth."""
    peaks = []
    for models in MEASURED:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            measured, peak = _live(folder, models)
            requests = _run_of(folder / "reports" / "matrix.json")["requests"]
            replayed, peak_replayed = run_command([*_command(folder), "--gateway=fleet"])
        peaks.append(peak)
        print(f"memory: {models} models × core, {requests} requests: {peak:.0f} MB, {measured:.0f} s")
        print(f"  replayed: {peak_replayed:.0f} MB, {replayed:.0f} s")
    times = MEASURED[1] / MEASURED[0]
    print(f"  {peaks[1] / peaks[0]:.1f} times the memory for {times:.0f} times the models   (goal: 500 MB, linear)")


def scaling() -> None:
    """Goal: a cell among 100,000 costs at most 1.3 times what one among 10,000 does."""
    each = []
    for models in ROUNDS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _live(folder, models)
            replay = [*_command(folder), "--gateway=fleet", "--test-per=cell"]
            seconds, peak = min(run_command(replay) for _ in range(ROUNDS[models]))
            with (folder / "reports" / "matrix.json").open(encoding="utf-8") as file:
                cells = sum(line.startswith('{"model"') for line in file)
        each.append(seconds / cells * 1000)
        print(f"scaling: {cells} cells, a test for each: {seconds:.1f} s, {each[-1]:.2f} ms each, {peak:.0f} MB")
    print(f"  a cell costs {each[1] / each[0]:.2f} of what it does among fewer   (goal 1.3)")


def _command(folder: Path) -> Sequence[str]:
    suite = Path(__file__).parent.parent / "suite"
    options = [f"--{option}={folder / option}" for option in ("cassettes", "reports")]
    table = f"--table={folder / 'table.json'}"
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(suite), *options, table]


def _live(folder: Path, models: int) -> tuple[float, float]:
    """Measure a fleet into a folder; seconds and peak megabytes."""
    command = [*_command(folder), "--live", "--gateway=fleet", "--update-table", "--concurrency=32"]
    with slow_server(0, models=models) as url:
        return run_command(command, {"LITELLM_BASE_URL": url, "LITELLM_API_KEY": "sk-benchmark"})


def _run_of(path: Path) -> dict[str, object]:
    """What a matrix says of its run, its cells unread."""
    with path.open(encoding="utf-8") as file:
        head = "".join(iter(file.readline, ' "cells": [\n'))
    run: dict[str, object] = json.loads(head.rstrip().rstrip(",") + "}")["run"]
    return run
