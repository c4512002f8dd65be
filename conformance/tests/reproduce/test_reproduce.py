"""Tests of `python -m conformance reproduce`: a cell as a bug report that repeats its fault."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response as Answer

from conformance.__main__ import commands
from conformance.cassettes.folder import Folder
from conformance.errors import ReportError
from conformance.matrix.document import Matrix
from conformance.measure.replay import Replay
from conformance.parameters import load_registry
from conformance.reproduce.finding import FAULTS, Fault, fault_of, find_cell, name_of
from conformance.reproduce.scripts import curl, python
from conformance.reproduce.shrinking import MOST, Shrunk, shrink
from conformance.reproduce.writing import as_markdown
from conformance.schemas.documents import Cell
from conformance.secrets.scrubbing import Scrubber
from conformance.tests.helpers.gateways import KEY, scripted_gateway
from conformance.tests.helpers.gateways import refusal as refusal_answer
from conformance.tests.helpers.policies import PARAMETERS, Policy, parameter, refusal, registry
from conformance.tests.helpers.running import CHECKOUT
from conformance.types import Endpoint, Exchange, Mode, Request, Response

RECORDING = CHECKOUT / "cassettes" / "embedded"
MODELS = "claude-haiku-4-5,gpt-5.2,gemini-2-5-flash"
CELL = "claude-haiku-4-5/responses/whole/prompt_cache_key"


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    """The matrix of some models of the shipped recording."""
    recording = Folder(RECORDING)
    return Replay(recording, recording.read_gateway(), load_registry(), selection=MODELS).matrix()


@pytest.fixture(scope="module")
def matrix_file(matrix: Matrix, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a file."""
    path = tmp_path_factory.mktemp("reports") / "matrix.json"
    path.write_text(json.dumps({**matrix, "cells": list(matrix["cells"])}), encoding="utf-8")
    return path


def ran(*arguments: str) -> tuple[int, str]:
    """The exit code of the command, and what it said."""
    done = CliRunner().invoke(commands, ["reproduce", *arguments, f"--cassettes={RECORDING.parent}"])
    return done.exit_code, str(done.exception) if isinstance(done.exception, ReportError) else done.output


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("store", "names no cell; write it as MODEL/ENDPOINT/MODE/PARAMETER"),
        ("claude-haiku-4-6/responses/whole/store", "did you mean 'claude-haiku-4-5'?"),
        ("nobody/responses/whole/store", "the matrix of gateway 'embedded' has no model 'nobody'"),
        ("gpt-5.2/responses/whole/promt_cache_key", "did you mean 'prompt_cache_key'?"),
        ("gpt-5.2/responses/whole/store", "it has store:true, store:false"),
        ("gpt-5.2/responses/whole/prompt_cache_key", "there is no fault to report"),
    ],
)
def test_what_names_no_fault_is_one_line(matrix_file: Path, name: str, words: str) -> None:
    """Given a matrix, when a name fits no faulty cell, then one line says what is wrong, and what may be meant."""
    code, told = ran(name, f"--matrix={matrix_file}")
    assert code == 1
    assert words in told
    assert "\n" not in told


def test_a_test_names_its_cell(matrix: Matrix) -> None:
    """Given a failed test, when its name is given as the test has it, then it is that cell."""
    assert name_of(find_cell(matrix, f"conformance/suite/test_cells.py::test_cell[{CELL}]")) == CELL


def test_fields_that_do_not_go_together_are_told_apart(matrix_file: Path) -> None:
    """Given two fields of which only the company is refused, when that is reported, then each is named."""
    code, text = ran("claude-haiku-4-5/messages/whole/temperature+top_p", f"--matrix={matrix_file}")
    assert code == 0
    assert text.startswith("### `temperature` with `top_p` is refused for `databricks/databricks-claude-haiku-4-5`")


def test_every_fault_makes_a_report(matrix: Matrix) -> None:
    """Given each rejected or ignored cell of a recording, when it is reported, then the request holds the parameter,
    the script is Python, the command holds the same body, and nobody's key or address is told."""
    known, recording = load_registry(), Folder(RECORDING)
    exchanges: dict[str, Mapping[str, Exchange]] = {}
    count = 0
    for cell in matrix["cells"]:
        if cell["verdict"] not in FAULTS:
            continue
        if cell["model"] not in exchanges:
            exchanges[cell["model"]] = recording.read_model(cell["model"])
        fault = fault_of(cell, exchanges[cell["model"]], known)
        assert set(cell["fields"]) <= set(fault.request.body), name_of(cell)
        assert body_in(curl(fault.request, "/x")) == fault.request.body
        text = as_markdown(fault, matrix, known, None, Scrubber())
        compile(python(fault.request), name_of(cell), "exec")
        assert not re.search(r"127\.0\.0\.1|localhost|Bearer (?!\$)|\bsk-\w{4}", text), name_of(cell)
        count += 1
    assert count > 150


def body_in(command: str) -> Any:
    """The body in a curl command."""
    parts = shlex.split(command.replace("\\\n", ""))
    return json.loads(parts[parts.index("--data-raw") + 1])


BODIES: Mapping[Endpoint, dict[str, Any]] = {
    Endpoint.CHAT_COMPLETIONS: {"messages": [{"role": "user", "content": "it's \u2603\n"}], "store": None, "seed": 7},
    Endpoint.RESPONSES: {"input": "Hi", "prompt_cache_key": "k" * 200, "metadata": {"a": True}},
    Endpoint.MESSAGES: {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8, "thinking": {"type": "x"}},
}


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("endpoint", list(Endpoint))
def test_a_script_sends_just_the_request(endpoint: Endpoint, mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a request, when its script runs with the real SDK, then the gateway receives the very same."""
    body = {"model": "m", **BODIES[endpoint], **({"stream": True} if mode is Mode.STREAM else {})}
    request = Request("m", endpoint, mode, body, headers={"x-some": "header"})
    with scripted_gateway() as gateway:
        for name, value in gateway.environment.items():
            monkeypatch.setenv(name, value)
        exec(compile(python(request), "script", "exec"), {})  # noqa: S102  that it runs is the question
    assert gateway.seen == [body]
    assert gateway.headers[0]["x-some"] == "header"
    assert gateway.headers[0]["authorization"] == f"Bearer {KEY}"


def fault(refused: str, body: Mapping[str, Any], policy: Policy) -> Fault:
    """A recorded fault of a known gateway, in which this body was refused."""
    request = Request("m", Endpoint.CHAT_COMPLETIONS, Mode.WHOLE, body)
    found = next(each for each in PARAMETERS if each.id == refused)
    row = {"model": "m", "endpoint": "chat_completions", "mode": "whole", "parameter": refused, "verdict": "rejected"}
    baseline = {name: value for name, value in body.items() if name in ("model", "messages")}
    return Fault(
        cast("Cell", row),
        found,
        request,
        Exchange(request, policy(request)),
        alone=False,
        baseline=Exchange(Request("m", request.endpoint, request.mode, baseline), policy(request)),
    )


class Nobody(Policy):
    """A gateway that refuses whatever is asked."""

    def __init__(self, words: str) -> None:
        """`words` are what it says."""
        super().__init__()
        self._words = words

    def answer(self, request: Request) -> Response:
        """The same for all."""
        return refusal(self._words)


def held(policy: Policy, of: Fault) -> Shrunk:
    """The dialogue with a gateway of this policy."""
    dialogue = shrink(of)
    requests = next(dialogue)
    while True:
        try:
            requests = dialogue.send(tuple(Exchange(request, policy(request)) for request in requests))
        except StopIteration as end:
            return cast("Shrunk", end.value)


NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")


@given(st.sets(st.sampled_from(NAMES), min_size=1), st.sets(st.sampled_from(NAMES)), st.sampled_from(NAMES))
def test_all_that_can_go_goes(refused: set[str], sent: set[str], about: str) -> None:
    """Given a gateway that refuses some fields and names them all, when a request with many is made smaller, then what
    is left is the model, a short prompt, and the field; without that it passes."""
    policy = Policy(refused=frozenset(refused | {about}))
    prompt = [{"role": "user", "content": "a long prompt"}, {"role": "user", "content": "more"}]
    body = {"model": "m", "messages": prompt, **dict.fromkeys(sorted(sent | {about}), 1)}

    shrunk = held(policy, fault(about, body, policy))

    left = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], about: 1}
    assert shrunk.failing.request.body == left
    assert shrunk.without
    assert shrunk.without.request.body == {name: value for name, value in left.items() if name != about}
    assert shrunk.without.response.status == 200
    assert shrunk.asked == len(policy.asked) - 2  # the recorded ones
    assert shrunk.asked <= MOST + 1


def test_what_does_not_fail_any_more_is_told() -> None:
    """Given a fault that a gateway mended since, when it is asked again, then one line says that it does not fail."""
    before, now = Policy(refused=frozenset({"alpha"})), Policy()
    with pytest.raises(ReportError, match="does not fail in this way now"):
        held(now, fault("alpha", {"model": "m", "messages": [], "alpha": 1}, before))


@pytest.mark.parametrize("words", ["No connected db.", "Authentication Error, Invalid proxy server token passed"])
def test_a_gateway_that_answers_nothing_is_told_so(words: str) -> None:
    """Given a gateway that refuses whatever is asked, when a fault is asked again, then the error is about the gateway
    and the key, and not about the fault."""
    known = fault("alpha", {"model": "m", "messages": [], "alpha": 1}, Policy(refused=frozenset({"alpha"})))
    with pytest.raises(ReportError, match="check LITELLM_BASE_URL and the key") as told:
        held(Nobody(words), known)
    assert ("it takes only its master key" in str(told.value)) is (words == "No connected db.")


def test_what_builds_on_an_answer_is_not_asked_again() -> None:
    """Given a parameter that sends a part of an earlier answer, when it is to be asked again, then it is refused."""
    policy = Policy(refused=frozenset({"alpha"}))
    made = fault("alpha", {"model": "m", "messages": [], "alpha": 1}, policy)
    later = Fault(**{**vars(made), "parameter": parameter_after("alpha")})
    with pytest.raises(ReportError, match="leave out --ask"):
        held(policy, later)


def parameter_after(name: str) -> Any:
    """A parameter that comes after another one's answer."""
    known = registry((parameter(name),)).by_id[name]
    return type(known)(**{each: getattr(known, each) for each in known.__slots__ if each != "after"}, after="beta")


def test_asking_makes_the_report_smaller_and_tells_no_secret(
    matrix_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a gateway that refuses the field, and repeats key and address, when it is asked again, then the report has
    the smallest request and neither of them."""

    def policy(body: dict[str, Any]) -> Answer | None:
        if "prompt_cache_key" not in body:
            return None
        told = f"does not support parameters: ['prompt_cache_key'], key {KEY} at {gateway.base_url}"
        return refusal_answer(f"litellm.UnsupportedParamsError: databricks {told}")

    out = tmp_path / "report.md"
    with scripted_gateway(policy) as gateway:
        for name, value in gateway.environment.items():
            monkeypatch.setenv(name, value)
        code, told = ran(CELL, f"--matrix={matrix_file}", "--ask", f"--out={out}")
    assert code == 0, told
    text = out.read_text(encoding="utf-8")
    assert KEY not in text
    assert gateway.base_url not in text
    # The recorded refusal named other fields, too, and nobody knows what is behind this gateway.
    happens = text.partition("**What happens.**")[2].partition("**What was expected.**")[0]
    assert "does not support parameters: ['prompt_cache_key']" in happens
    assert "safety_identifier" not in text
    assert "a simulator" not in text
    smallest = body_in(text.partition("```sh\n")[2].partition("```")[0])
    assert smallest == {"model": "claude-haiku-4-5", "input": "Hi", "prompt_cache_key": "conformance-cache-key"}
    assert "The same request succeeds." in text


def test_asking_needs_a_gateway(matrix: Matrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the matrix of a user's own proxy, when it is to be asked and nothing names it, then one line says so."""
    for name in ("LITELLM_BASE_URL", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    own = {**matrix, "cells": list(matrix["cells"]), "gateway": {**matrix["gateway"], "simulated": False}}
    path = tmp_path / "matrix.json"
    path.write_text(json.dumps(own), encoding="utf-8")
    code, told = ran(CELL, f"--matrix={path}", "--ask")
    assert code == 1
    assert "set LITELLM_BASE_URL and LITELLM_API_KEY" in told


def test_a_recording_that_is_gone_is_told(matrix_file: Path, tmp_path: Path) -> None:
    """Given a matrix whose recording is not there, when a cell is reported, then the error names what to do."""
    done = CliRunner().invoke(commands, ["reproduce", CELL, f"--matrix={matrix_file}", f"--cassettes={tmp_path}"])
    assert "--cassettes" in str(done.exception)
