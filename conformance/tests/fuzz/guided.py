"""Fuzzing that is guided by coverage: `python -m conformance.tests.fuzz.guided [TARGET …] [--seconds N]`.

Its targets are the properties that the tests beside it check, each in a process of its own, for libFuzzer
ends the process that it runs in. What it finds lies in a file, which `TARGET --input FILE` runs again.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click

_HERE = Path(__file__).parent

#: Bytes that hypothesis makes of an example at most, and how many random inputs a run begins with.
_LONGEST, _SEEDS = 8192, 16

#: Seconds and megabytes of one input that count as a finding.
_SLOW, _LARGE = 60, 2048

_STATE = re.compile(r"^#(\d+)\s+(INITED|DONE)\s+cov: (\d+) ft: (\d+)", re.MULTILINE)


def targets() -> dict[str, str]:
    """The modules of all targets, by the name of the test that each is."""
    found = {}
    for path in sorted(_HERE.glob("test_*.py")):
        source = path.read_text("utf-8")
        # Read and not imported: what is imported before atheris looks is not guided.
        for name in re.findall(r"^@given\((?:.|\n)*?^def (test_\w+)", source, re.MULTILINE):
            found[name.removeprefix("test_")] = f"conformance.tests.fuzz.{path.stem}"
    return found


@click.command()
@click.argument("names", nargs=-1, metavar="[TARGET]...")
@click.option("--seconds", default=60, show_default=True, help="How long each target is fuzzed.")
@click.option(
    "--corpus", type=click.Path(path_type=Path), help="Where inputs are kept between runs; by default nowhere."
)
@click.option("--input", "replayed", type=click.Path(exists=True), help="Run one input again, and show what it does.")
@click.option("--alone", is_flag=True, hidden=True)
def main(names: tuple[str, ...], seconds: int, corpus: Path | None, replayed: str | None, alone: bool) -> None:
    """Fuzz TARGETs, all by default; ends with 1 where something was found."""
    known = targets()
    for name in names:
        if name not in known:
            raise click.UsageError(f"{name!r} is no target; there are {', '.join(known)}")
    if alone:
        _fuzz(known[names[0]], f"test_{names[0]}", [*sys.stdin.read().split("\n")])
        return
    if importlib.util.find_spec("atheris") is None:
        raise click.UsageError("guided fuzzing needs atheris (Linux, Python 3.11 to 3.13): `pip install --group fuzz`")
    with tempfile.TemporaryDirectory() as temporary:
        root = corpus or Path(temporary)
        found = [not _run(name, seconds, root / name, replayed) for name in names or known]
    sys.exit(any(found))


def _run(name: str, seconds: int, corpus: Path, replayed: str | None) -> bool:
    """Fuzz one target in a process of its own, and tell what came of it; False where something was found."""
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(_seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    where = Path.cwd()
    options = [f"-max_total_time={seconds}", f"-max_len={_LONGEST}", "-len_control=0", f"-timeout={_SLOW}"]
    options += [f"-rss_limit_mb={_LARGE}", f"-artifact_prefix={where}/found-{name}-", replayed or str(corpus)]
    command = [sys.executable, "-m", "conformance.tests.fuzz.guided", "--alone", name]
    ended = subprocess.run(
        command, input="\n".join(options), capture_output=True, text=True, errors="replace", check=False
    )
    states = {
        kind: (int(runs), int(edges), int(features)) for runs, kind, edges, features in _STATE.findall(ended.stderr)
    }
    if ended.returncode or (not replayed and "DONE" not in states):
        click.echo(ended.stdout[-3000:] + ended.stderr[-3000:])
        click.echo(f"{name}: FOUND something; python -m conformance.tests.fuzz.guided {name} --input found-{name}-…")
        return False
    if replayed:
        click.echo(f"{name}: nothing wrong with {replayed}")
        return True
    (_, first, few), (runs, edges, features) = states.get("INITED", (0, 0, 0)), states["DONE"]
    click.echo(
        f"{name}: {runs:,} inputs, edges {first:,} to {edges:,}, features {few:,} to {features:,}, nothing found"
    )
    return True


def _seeds() -> Iterator[bytes]:
    """Inputs to begin with, the same in every run: libFuzzer's own are too short to be examples."""
    for number in range(_SEEDS):
        yield hashlib.shake_128(bytes([number])).digest(_LONGEST // 4)


def _fuzz(module: str, test: str, options: list[str]) -> None:
    """Fuzz one property; does not return."""
    import atheris
    from hypothesis import settings

    settings.register_profile("guided", database=None, deadline=None)
    settings.load_profile("guided")
    with atheris.instrument_imports(include=["conformance"], enable_loader_override=False):
        tests = importlib.import_module(module)
    once: Callable[[bytes], object] = getattr(tests, test).hypothesis.fuzz_one_input
    atheris.Setup([test, *options], lambda content: once(content) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
