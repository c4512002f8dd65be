"""Why a vendor refuses a request: it looks at the credential, the JSON, the schema, then at what the model takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conformance.embedded.simulators import vendors, voices
from conformance.embedded.simulators.completion import Json
from conformance.embedded.simulators.converse import asked_of_claude, is_claude
from conformance.embedded.simulators.refusals import Refusal, refusal
from conformance.embedded.simulators.schemas import request_schema, with_betas
from conformance.embedded.simulators.vendors import Operation

_CONVERSE = ("Converse", "ConverseStream")
_OF_THE_MODEL = "The model returned the following errors: "


def refused(operation: Operation, headers: Mapping[str, str], model: str, body: object) -> Refusal | None:
    """Why this request is refused; None when it is fine."""
    status = vendors.missing_credential(operation.vendor, headers)
    if status is not None:
        return Refusal("unauthorized", status=status)
    if not isinstance(body, dict):
        return Refusal("malformed")
    try:
        found = _checked(operation.vendor, operation.name, model, body, vendors.betas(headers, body))
        if found is None and operation.name in _CONVERSE and is_claude(model):
            return _by_claude(model, asked_of_claude(body))
    except RecursionError:
        return Refusal("malformed")
    return found


def _checked(vendor: str, operation: str, model: str, body: Json, betas: Sequence[str]) -> Refusal | None:
    name = with_betas(vendor, operation) if betas else operation
    problems = request_schema(vendor, name, model).problems(body)
    return voices.of_problem(problems[0]) if problems else refusal(vendor, model, operation, body, betas)


def _by_claude(model: str, asked: Json) -> Refusal | None:
    """What Claude itself refuses of a Converse request, which Bedrock passes on in Claude's words.

    https://github.com/BerriAI/litellm/issues/13609, https://github.com/cline/cline/issues/10572
    """
    given = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1, **asked}
    found = _checked("bedrock", "messages", model, given, vendors.betas({}, given))
    if found is None:
        return None
    said = voices.words(found, "bedrock_messages", model)
    return Refusal(found.kind, found.path, _OF_THE_MODEL + said, problem=found.problem)
