"""Nothing that a request holds breaks a simulator."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.embedded.simulators.vendors import OPERATIONS
from conformance.tests.embedded.simulated import Simulators
from conformance.tests.embedded.smallest import BASES, OPENAI_CHAT, OPENAI_RESPONSES

WORDS = (
    "model messages input contents role content parts text type tools tool_choice function name parameters stop n "
    "stream max_tokens max_output_tokens temperature toolConfig toolSpec inputSchema json generationConfig "
    "response_format reasoning thinking store previous_response_id metadata system x"
)
KEYS = st.sampled_from(WORDS.split())
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.sampled_from(["user", "function", "object", "text", "required", "auto", "json_schema"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
HOSTILE = Simulators()
PATHS = sorted({each.path.replace("{model}", "gpt-4.1") for each in OPERATIONS})


@given(path=st.sampled_from(sorted(BASES)), extra=st.dictionaries(KEYS, JSON, max_size=3))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_no_field_value_breaks_a_simulator(path: str, extra: dict[str, Any]) -> None:
    """Whatever a request carries beside the documented minimum, the answer is 200 or a refusal."""
    assert HOSTILE.post(path, {**BASES[path], **extra}).status_code in (200, 400, 422)


@given(path=st.sampled_from(PATHS), body=JSON)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_no_json_body_breaks_a_simulator(path: str, body: Any) -> None:
    """Any JSON at all gets 200 or a refusal, never 500."""
    assert HOSTILE.post(path, body).status_code in (200, 400, 422)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff",
        b"NaN",
        b'{"n": NaN}',
        b'{"temperature": 1e400}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"9" * 10_000,
        b'"\\ud800"',
    ],
)
def test_no_bytes_break_a_simulator(raw: bytes) -> None:
    """Broken, endless and absurd bodies are refused politely."""
    assert HOSTILE.post(OPENAI_CHAT, raw).status_code == 400


def test_half_a_surrogate_pair_is_repeated_safely(simulators: Simulators) -> None:
    """A lone surrogate is legal JSON text and must not break the answer that echoes it."""
    raw = json.dumps({**BASES[OPENAI_RESPONSES], "metadata": {"a": "\ud800"}}).encode()
    assert simulators.post(OPENAI_RESPONSES, raw).status_code == 200
