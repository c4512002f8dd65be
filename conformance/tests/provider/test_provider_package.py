"""Tests of the provider package as a whole: what it offers, and what importing it costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import conformance
from conformance import provider

CHECKOUT = Path(conformance.__file__).parents[1]
# What a program pays for only where it uses it.
HEAVY = ["asyncio", "httpx", "httpx2", "llm", "openai", "pydantic", "pydantic_ai"]


@pytest.mark.parametrize("name", provider.__all__)
def test_every_name_is_there(name: str) -> None:
    """Given a name that the package offers, when it is taken, then it is there, under its own name, and listed."""
    assert getattr(provider, name).__name__ == name
    assert getattr(provider, name).__doc__
    assert name in dir(provider)


def test_no_other_name_is_there() -> None:
    """Given a name that the package does not offer, when it is taken, then the error says so as Python does."""
    with pytest.raises(AttributeError, match=r"module 'conformance\.provider' has no attribute 'nothing'"):
        _ = provider.nothing


def test_import_loads_nothing_heavy() -> None:
    """Given a fresh interpreter, when the provider is imported and filters, then no client library was loaded."""
    script = (
        f"import sys; sys.path.insert(0, {str(CHECKOUT)!r})\n"
        "import json\n"
        "from conformance.provider import capabilities_of, compat_of, filter_request, load_table\n"
        "from conformance.provider import parse_rate_limit_error\n"
        "filter_request({'store': True}, 'm', 'responses', table=load_table())\n"
        "capabilities_of('m'), compat_of('m', table=load_table()), parse_rate_limit_error('x')\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )

    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert not set(HEAVY) & set(json.loads(done.stdout))
