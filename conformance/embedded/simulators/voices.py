"""Refusals in each vendor's own words (`voices.toml`) and its own envelope."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from conformance.embedded.simulators.completion import Json, digest
from conformance.embedded.simulators.refusals import Refusal
from conformance.embedded.simulators.schemas import family
from conformance.embedded.simulators.strict import Path, Problem

_OPENAI_CODES = {
    "unknown": "unknown_parameter",
    "required": "missing_required_parameter",
    "type": "invalid_type",
    "value": "invalid_value",
    "unauthorized": "invalid_api_key",
}
_NAMED = {
    "string": "a string",
    "number": "a decimal",
    "integer": "an integer",
    "boolean": "a boolean",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
_PYDANTIC = {"object": "dictionary", "array": "list"}
_JSON_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
_GO = {"number": "float32"}
_SHOWN = 200


@cache
def _voices() -> dict[str, Any]:
    voices = tomllib.loads(FilePath(__file__).with_name("voices.toml").read_text(encoding="utf-8"))
    return {name: {**voices.get(words.get("like"), {}), **words} for name, words in voices.items()}


def of_problem(problem: Problem) -> Refusal:
    """A body's deviation from the schema as a refusal, not yet worded."""
    return Refusal(problem.kind, problem.path, problem=problem)


def spoken(refusal: Refusal, voice: str, model: str) -> tuple[int, Json | list[Json], dict[str, str]]:
    """The refusal in a vendor's voice for `model`: status, body and headers."""
    templates, envelope = _templates(refusal, voice, model), _ENVELOPES[voice]
    status = templates.get("status", {}).get(refusal.kind, refusal.status)
    headers = {"x-amzn-errortype": _AWS_TYPES.get(status, "ValidationException")} if envelope is _bedrock else {}
    return status, envelope(refusal, words(refusal, voice, model), family(voice, model)), headers


def words(refusal: Refusal, voice: str, model: str) -> str:
    """The refusal in a vendor's words, without what stands around them."""
    return refusal.message or _fill(_templates(refusal, voice, model), refusal, voice)


def _templates(refusal: Refusal, voice: str, model: str) -> dict[str, Any]:
    """A voice's templates for one refusal: the group's, and those of the top-level field that it lies `inside`."""
    group = family(voice, model)
    templates = _voices()[voice][group] if group else _voices()[voice]
    return {**templates, **templates.get("inside", {}).get(str(refusal.path[0]) if refusal.path else "", {})}


def _fill(templates: Mapping[str, Any], refusal: Refusal, voice: str) -> str:
    problem = refusal.problem or Problem("unknown", refusal.path)
    path = written(problem.path, voice, problem.tags)
    got = _JSON_NAMES.get(type(problem.value), "null")
    expected = [word for word in problem.expected.split(" or ") if word != "null"]
    holder = written(problem.path[:-1], voice, ())
    parts = {
        "path": path,
        "name": str(problem.path[-1]) if problem.path else "",
        "at": f" at '{holder}'" if holder else "",
        "pointer": "".join(f"/{step}" for step in problem.path[:-1]),
        "slashes": "/".join(map(str, problem.path)),
        "expected": " or ".join(expected),
        "a_valid": " or ".join(_PYDANTIC.get(word, word) for word in expected),
        "Expected": " or ".join(expected).title(),
        "EXPECTED": "".join(expected[:1]).upper(),
        "go": _GO.get("".join(expected[:1]), "".join(expected[:1])),
        "got": got,
        "Got": got.title(),
        "value": _quoted(problem.value)[:_SHOWN],
        "allowed": _listed([_quoted(each) for each in problem.allowed]),
        "bare": ", ".join(map(str, problem.allowed)),
        "an_expected": ("one of " if len(expected) > 1 else "")
        + " or ".join(_NAMED.get(word, word) for word in expected),
        "a_got": _NAMED[got],
        "bound": _bound(problem, templates["bounds"]),
    }
    return re.sub(r"\{(\w+)\}", lambda found: parts[found[1]], templates[refusal.kind])


def _bound(problem: Problem, style: str) -> str:
    if problem.bound is None:
        return ""
    name, limit = problem.bound
    size = len(problem.value) if isinstance(problem.value, str | list) else problem.value
    kind = "integer" if problem.expected == "integer" else "decimal"
    template: str = _voices()["bounds"][style][name]
    return template.format(kind=kind, limit=f"{limit:g}", size=size)


def _quoted(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else json.dumps(value)


def _listed(words: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def written(path: Path, voice: str, tags: tuple[tuple[int, str], ...] = ()) -> str:
    """A path the way the vendor writes it: `tools[0].name`, or `tools.0.custom.name` with union tags."""
    if voice in _DOTTED:
        steps = [str(step) for step in path]
        if _DOTTED[voice]:
            for depth, tag in sorted(tags, reverse=True):
                steps.insert(depth, tag)
        return ".".join(steps)
    if voice == "gemini":
        path = tuple(_snake(step) if isinstance(step, str) else step for step in path)
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


# Who writes dots between all steps, and whether the tags of unions stand between them too.
_DOTTED = {
    "compatible": False,
    "databricks": False,
    "cohere": False,
    "ollama": False,
    "anthropic": True,
    "bedrock_messages": True,
    "databricks_messages": True,
    "vertex": True,
}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _openai(refusal: Refusal, message: str, _group: str) -> Json:
    code = refusal.code or _OPENAI_CODES.get(refusal.kind)
    if refusal.kind == "range" and refusal.problem is not None:
        code = _range_code(refusal.problem)
    param = written(refusal.path, "openai") or None
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def _range_code(problem: Problem) -> str:
    side = "below_min" if problem.bound and problem.bound[0].startswith("min") else "above_max"
    what = {"string": "string", "array": "array", "integer": "integer"}.get(problem.expected, "decimal")
    return f"{what}_{side}_{'length' if what in ('string', 'array') else 'value'}"


def _azure(refusal: Refusal, message: str, group: str) -> Json:
    if refusal.kind == "unauthorized":
        return {"error": {"code": "401", "message": message}}
    return _openai(refusal, message, group)


def _compatible(refusal: Refusal, message: str, _group: str) -> Json:
    kind = {401: "Unauthorized", 404: "NotFoundError"}.get(refusal.status, "Bad Request")
    return {"error": {"message": message, "type": kind, "param": None, "code": refusal.status}}


def _anthropic(refusal: Refusal, message: str, _group: str) -> Json:
    kinds = {401: "authentication_error", 404: "not_found_error"}
    error = {"type": kinds.get(refusal.status, "invalid_request_error"), "message": message}
    return {"type": "error", "error": error, "request_id": f"req_{digest(message)}"}


def _vertex(refusal: Refusal, message: str, group: str) -> Json:
    if refusal.status == 401:  # Google itself speaks, not the model's own server
        return {"error": {"code": 401, "message": message, "status": "UNAUTHENTICATED"}}
    return _anthropic(refusal, message, group) | {"request_id": f"req_vrtx_{digest(message)}"}


def _gemini(refusal: Refusal, message: str, _group: str) -> Json:
    states = {403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
    error: Json = {"code": refusal.status, "message": message}
    error["status"] = states.get(refusal.status, "INVALID_ARGUMENT")
    if refusal.problem is not None:
        violation = {"description": message}
        place = written(refusal.path[:-1], "gemini")
        violations = [{"field": place, **violation} if place else violation]
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}]
    return {"error": error}


def _cohere(_refusal: Refusal, message: str, _group: str) -> Json:
    return {"id": digest(message), "message": message}


def _ollama(_refusal: Refusal, message: str, _group: str) -> Json:
    return {"error": message}


def _bedrock(_refusal: Refusal, message: str, _group: str) -> Json:
    return {"message": message}


def _databricks(refusal: Refusal, message: str, group: str) -> Json:
    if refusal.status != 400:  # Databricks itself speaks, not the model's own server
        return {"error_code": str(refusal.status), "message": message}
    inner = message if refusal.own else _DATABRICKS_INNER[group or "claude"](refusal, message)
    return {
        "error_code": "BAD_REQUEST",
        "message": inner if isinstance(inner, str) else json.dumps(inner, separators=(",", ":")),
    }


_DATABRICKS_INNER: dict[str, Callable[[Refusal, str], str | Json | list[Json]]] = {
    "claude": lambda _refusal, message: {"message": message},
    "gemini": lambda refusal, message: [_gemini(refusal, message, "")],
    "gpt": lambda refusal, message: _openai(refusal, message, ""),
    "open": lambda _refusal, message: message + "\n",
}
_ENVELOPES: dict[str, Callable[[Refusal, str, str], Json]] = {
    "openai": _openai,
    "azure": _azure,
    "compatible": _compatible,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "cohere": _cohere,
    "ollama": _ollama,
    "bedrock": _bedrock,
    "bedrock_messages": _bedrock,
    "databricks": _databricks,
    "databricks_messages": _databricks,
    "vertex": _vertex,
}
_AWS_TYPES = {403: "MissingAuthenticationTokenException", 404: "UnknownOperationException"}
