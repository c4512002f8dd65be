"""Tests of `conformance.parameters`: the registry that is shipped, and what is refused of others."""

from __future__ import annotations

import json
import re
import tomllib
from importlib import resources
from typing import Any

import pytest

from conformance.answers.reading import Answer
from conformance.errors import RegistryError
from conformance.parameters import Registry, load_registry, parse_registry
from conformance.parameters.filling import filled
from conformance.provider.filter.places import spelled
from conformance.provider.table import split_parameter
from conformance.tests.helpers.running import run_command
from conformance.types import Endpoint, Mode, Parameter

TEXT = (resources.files("conformance.parameters") / "registry.toml").read_text(encoding="utf-8")
PARAMETERS = load_registry().parameters
ROW = rf"parameters\[{len(PARAMETERS)}\]"


#: What agents put on the wire, by the path of the field or the value of it.
CORE = [
    "store:true",
    "store:false",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "stream_options.include_usage",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "messages.role:developer",
    "input.role:developer",
    "messages.tool_calls",
    "input.type:function_call",
    "input.type:reasoning",
    "messages.reasoning_content",
    "tools",
    "tools.strict:true",
    "tools.strict:false",
    "parallel_tool_calls",
    "tool_choice:auto",
    "reasoning_effort:low",
    "reasoning_effort:medium",
    "reasoning_effort:high",
    "reasoning_effort:minimal",
    "reasoning_effort:xhigh",
    "reasoning_effort:none",
    "reasoning.effort:low",
    "reasoning.effort:medium",
    "reasoning.effort:high",
    "reasoning.effort:minimal",
    "reasoning.effort:xhigh",
    "reasoning.effort:none",
    "reasoning.summary",
    "include:reasoning.encrypted_content",
    "temperature",
    "top_p",
    "temperature+top_p",
    "presence_penalty",
    "frequency_penalty",
    "service_tier:auto",
    "metadata",
    "client_metadata",
    "instructions",
    "input.id",
    "input.status",
    "messages.cache_control",
    "messages.tool_calls.cache_control",
    "tools.type:namespace",
    "tools.external_web_access",
    "metadata.user_id",
    "system",
    "system:list",
    "system.cache_control",
    "messages.content.cache_control",
    "tools.cache_control",
    "thinking:enabled",
    "thinking:adaptive",
    "thinking.display:omitted",
    "thinking.display:summarized",
    "output_config.effort:low",
    "output_config.effort:medium",
    "output_config.effort:high",
    "context_management",
    "context_management.edits:clear_thinking_20251015",
    "tools.eager_input_streaming",
    "tools.defer_loading",
    "tools.type:web_search",
    "tool_choice:any",
    "tool_choice.disable_parallel_tool_use",
    "messages.content.type:tool_use",
    "messages.content.type:thinking",
    "count_tokens",
    "messages.role:system",
    "messages.content.is_error",
]
GROUPS = [
    "privacy",
    "caching",
    "output",
    "sampling",
    "tools",
    "reasoning",
    "messages",
    "metadata",
    "streaming",
    "state",
    "service",
    "extra",
]
# Values that ids name by a word, since they are too long to spell.
NAMED = {"named", "empty"}
ANSWER = Answer(
    ok=True,
    result={
        "id": "resp_1",
        "output": [{"type": "reasoning", "summary": []}],
        "content": [{"type": "thinking", "thinking": "…", "signature": "…"}],
    },
)
#: What has one id wherever it lies, and the date that Anthropic's tools have in their types.
ANYWHERE = {"cache_control.ttl"}
_DATE = re.compile(r"_20\d{6}$")
BODIES = [(parameter, endpoint) for parameter in PARAMETERS for endpoint in parameter.bodies]


def test_shipped_core() -> None:
    """Given the shipped registry, when the core set is chosen, then it holds what agents put on the wire."""
    registry = load_registry()

    assert [p.id for p in registry.select("core")] == CORE
    assert registry.paths == {
        "chat_completions": "/chat/completions",
        "responses": "/responses",
        "messages": "/messages",
    }


@pytest.mark.parametrize(("parameter", "endpoint"), BODIES, ids=lambda value: getattr(value, "id", value))
def test_shipped_id_is_its_body(parameter: Parameter, endpoint: Endpoint) -> None:
    """Given a shipped parameter, when its id is read, then its path and value are found in its body."""
    if parameter.door:
        assert parameter.id == parameter.door.lstrip("/")  # the question itself is the parameter
        return
    path, value = split_parameter(parameter.id)
    for part in path.split("+"):
        body = filled(parameter.bodies[endpoint], ANSWER)
        starts = [*body.values()] if part in ANYWHERE else [body]
        found = [each for start in starts for each in _found(start, part.split("."))]

        assert found
        assert (
            value is None
            or value in NAMED
            or value in {_DATE.sub("", spelled(each)) for each in found} | {spelled(each) for each in found}
        )


def _found(value: Any, steps: list[str]) -> list[Any]:
    """Every value that a path leads to, through lists, and what names the kind of one that is an object."""
    if isinstance(value, list) and value:
        return [*([value] if not steps else []), *(found for each in value for found in _found(each, steps))]
    if not steps:
        return [value, value["type"]] if isinstance(value, dict) and "type" in value else [value]
    if isinstance(value, dict) and value.get("type") == "function" and steps[0] in value.get("function", {}):
        value = value["function"]  # where chat keeps what Responses has at the top
    return _found(value[steps[0]], steps[1:]) if isinstance(value, dict) and steps[0] in value else []


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.id)
def test_shipped_rows_read_well(parameter: Parameter) -> None:
    """Given a shipped parameter, when its texts are read, then they are sentences, and it has a group and modes."""
    assert parameter.group in GROUPS
    assert parameter.modes in (tuple(Mode), (Mode.STREAM,), (Mode.WHOLE,))
    assert "all" in parameter.sets
    assert parameter.why.endswith(".")
    assert ". " not in parameter.why
    assert not parameter.unobservable.endswith(".")
    assert set(parameter.effects) <= set(parameter.bodies)
    assert parameter.unobservable or set(parameter.effects) == set(parameter.bodies)


@pytest.mark.parametrize(("parameter", "endpoint"), BODIES, ids=lambda value: getattr(value, "id", value))
def test_shipped_probe_differs_from_its_baseline(parameter: Parameter, endpoint: Endpoint) -> None:
    """Given a shipped parameter, when its body is laid over its baseline, then every field of it is a change."""
    registry = load_registry()
    entry = registry.endpoints[endpoint]
    context = registry.contexts[parameter.context][endpoint].body if parameter.context else {}
    baseline = {**entry.body, **entry.caps[0], **context}

    assert all(baseline.get(field) != value for field, value in parameter.bodies[endpoint].items())
    assert not set(parameter.without) & set(parameter.bodies[endpoint])
    assert set(parameter.without) <= {field for cap in entry.caps for field in cap}


def test_every_context_is_used() -> None:
    """Given the shipped contexts, when the parameters are asked, then each context is somebody's, where it has one."""
    used = {(parameter.context, endpoint) for parameter, endpoint in BODIES if parameter.context}

    assert used == {(name, endpoint) for name, bodies in load_registry().contexts.items() for endpoint in bodies}


@pytest.mark.parametrize("endpoint", Endpoint)
def test_controls(endpoint: Endpoint) -> None:
    """Given the shipped controls, when their fields are looked up, then one is nobody's, and one of a wrong type."""
    entry = load_registry().endpoints[endpoint]
    fields = {field: value for p, at in BODIES if at is endpoint for field, value in p.bodies[at].items()}

    assert not set(entry.bogus) & set(fields)
    assert all(type(value) is not type(fields[field]) for field, value in entry.channel.items())
    assert dict(entry.caps[-1]) == {}


@pytest.mark.parametrize(("parameter", "endpoint"), BODIES, ids=lambda value: getattr(value, "id", value))
def test_effects_are_left_alone(parameter: Parameter, endpoint: Endpoint) -> None:
    """Given a parameter with an effect, when others travel with it, then none of them touches what shows it."""
    shown_by = {
        "words": {"cap", "stop", "json"},
        "tokens": {"logprobs"},
        "reasoning": {"reasoning_on", "reasoning_off", "effort"},
        "usage": {"reasoning_on", "reasoning_off", "effort", "usage"},
        "calls": {"call", "call_unasked", "one_call"},
        "input": {"recalled"},
    }
    effect = parameter.effects.get(endpoint)

    assert {touched for touched, effects in shown_by.items() if effect in effects} <= set(parameter.touches)


@pytest.mark.parametrize(
    ("choice", "ids"),
    [
        ("all", [p.id for p in PARAMETERS]),
        ("core,all", [p.id for p in PARAMETERS]),
        ("store:false", ["store:false"]),
        ("store", ["store:true", "store:false"]),
        ("caching", [p.id for p in PARAMETERS if p.group == "caching"]),
        (" prompt_cache_key , store:true,", ["store:true", "prompt_cache_key"]),
    ],
)
def test_select(choice: str, ids: list[str]) -> None:
    """Given sets, groups, paths or ids, when parameters are chosen, then they come in the registry's order."""
    assert [p.id for p in load_registry().select(choice)] == ids


@pytest.mark.parametrize("choice", ["", " , ", "stor", "store:maybe", "core,stor", "all,stor"])
def test_select_unknown(choice: str) -> None:
    """Given a name that fits nothing, when parameters are chosen, then the error offers those there are."""
    with pytest.raises(RegistryError, match=r"^--parameters: .+ is not in the registry; choose core, all, or"):
        load_registry().select(choice)


@pytest.mark.parametrize(
    ("path", "ids"), [("store", ("store:true", "store:false")), ("prompt_cache_key",) * 2, ("x", ())]
)
def test_values_of(path: str, ids: str | tuple[str, ...]) -> None:
    """Given a request field, when its values are asked for, then the ids that stand for them are told."""
    assert load_registry().values_of(path, "responses") == ((ids,) if isinstance(ids, str) else ids)
    assert load_registry().values_of(path, "messages") == ()


def _changed(**changes: Any) -> str:
    """The registry with one more parameter, as TOML."""
    row = {
        "id": "extra",
        "group": "output",
        "sets": ["all"],
        "bodies": {"responses": {"extra": 1}},
        "modes": ["whole"],
        "effects": {"responses": "echo"},
        "standard": "https://example.com",
        "why": "A test.",
        **changes,
    }
    lines = (f"{name} = {_toml(value)}" for name, value in row.items() if value is not None)
    return f"{TEXT}\n[[parameters]]\n" + "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(inner)}" for name, inner in value.items()) + "}"
    return json.dumps(value)


def parse(text: str) -> Registry:
    """Parse a registry that calls itself `other.toml`."""
    return parse_registry(text, "other.toml")


def test_one_more_row() -> None:
    """Given a registry with one more row, when it is parsed, then the row is a parameter as it stands."""
    changes = {"context": "tools", "without": ["user"], "touches": ["text"], "unobservable": "a test"}
    parameter = parse(_changed(**changes)).parameters[-1]

    assert parameter == Parameter(
        id="extra",
        group="output",
        bodies={Endpoint.RESPONSES: {"extra": 1}},
        modes=(Mode.WHOLE,),
        sets=("all",),
        standard="https://example.com",
        why="A test.",
        context="tools",
        without=("user",),
        touches=("text",),
        effects={Endpoint.RESPONSES: "echo"},
        unobservable="a test",
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "store:true"}, "'store:true' is there twice"),
        ({"effects": {"responses": "telepathy"}}, "unknown effect 'telepathy'"),
        ({"effects": {"chat_completions": "usage"}}, "has an effect on an endpoint that it has no body for"),
        ({"effects": None}, "has neither an effect on each endpoint nor a reason why it is unobservable"),
        ({"context": "dreams"}, "needs a context 'dreams' on each of its endpoints"),
        ({"context": "reasoning", "bodies": {"chat_completions": {"a": 1}}, "effects": None}, "needs a context"),
        ({"bodies": {"embeddings": {"extra": 1}}}, ROW),
        ({"headers": {"authorization": "Bearer x"}}, ROW),
        ({"door": "count_tokens"}, ROW),
        ({"bodies": {"responses": {}}}, ROW),
        ({"bodies": {}}, ROW),
        ({"modes": []}, ROW),
        ({"sets": ["most"]}, ROW),
        ({"id": "Extra Key"}, ROW),
        ({"why": None}, "why"),
        ({"why": ""}, ROW),
        ({"group": None}, "group"),
        ({"surprise": 1}, "surprise"),
        ({"standard": "http://example.com"}, ROW),
    ],
)
def test_malformed_rows(changes: dict[str, Any], words: str) -> None:
    """Given a malformed row, when the registry is parsed, then the error is one line with file and place."""
    with pytest.raises(RegistryError, match=rf"^other\.toml: .*{words}") as caught:
        parse(_changed(**changes))

    assert "\n" not in str(caught.value)


def test_no_toml() -> None:
    """Given a text that is no TOML, when it is parsed, then the error names the file."""
    with pytest.raises(RegistryError, match=r"^other\.toml is not TOML"):
        parse("a = = b")


def test_names_are_tomls_own() -> None:
    """Given the shipped file, when it is read as plain TOML, then every row has become a parameter."""
    assert [row["id"] for row in tomllib.loads(TEXT)["parameters"]] == [p.id for p in PARAMETERS]


def test_what_was_meant_is_asked_and_not_everything_listed() -> None:
    """Given a misspelt parameter, when it is selected, then the line names the nearest and the groups, and no more."""
    registry = load_registry()
    with pytest.raises(RegistryError, match=r"; did you mean 'prompt_cache_key'\?$") as caught:
        registry.select("promt_cache_key")
    line = str(caught.value)
    assert all(parameter.group in line for parameter in registry.parameters)
    assert len(line) < 400
    with pytest.raises(RegistryError) as caught:
        registry.select("x" * 5000)
    assert "did you mean" not in str(caught.value)
    assert len(str(caught.value)) < 500
    with pytest.raises(RegistryError, match=r"; did you mean 'core'\?$"):
        registry.select("CORE")


def test_the_command_lists_every_parameter() -> None:
    """Given the registry, when it is listed, then each id stands on a line of its own with its group."""
    ended = run_command("parameters")
    rows = [line.split() for line in ended.out.splitlines()]
    assert ended.code == 0, ended.all
    assert [row[:2] for row in rows[1:]] == [[each.id, each.group] for each in load_registry().parameters]
