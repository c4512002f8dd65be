"""The project's words as types: what is planned, what was exchanged, what it shows."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import quote


class Endpoint(StrEnum):
    """Where requests go."""

    CHAT_COMPLETIONS = "chat_completions"
    RESPONSES = "responses"
    MESSAGES = "messages"


class Mode(StrEnum):
    """How the answer is asked for."""

    WHOLE = "whole"
    STREAM = "stream"


class Verdict(StrEnum):
    """What a cell's exchanges show."""

    HONOURED = "honoured"
    ACCEPTED = "accepted"
    IGNORED = "ignored"
    REJECTED = "rejected"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not_applicable"


class Cause(StrEnum):
    """Why a cell has its verdict, where the effect of a success does not say it.

    What reads a matrix decides by this, never by the reason: the reason is the sentence that a cause makes.
    """

    # The parameter is rejected.
    REFUSAL_NAMED = "refusal_named"
    REFUSAL_REPEATED = "refusal_repeated"

    # An answer says nothing about the parameter.
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    REFUSAL_UNCLEAR = "refusal_unclear"
    TIMED_OUT = "timed_out"
    NO_ANSWER = "no_answer"
    CUT_OFF = "cut_off"
    UNREADABLE = "unreadable"

    # The answers are worth nothing, or there are none.
    BASELINE_FAILED = "baseline_failed"
    BASELINE_LOST = "baseline_lost"
    DEPLOYMENTS_SILENT = "deployments_silent"
    NOT_RECORDED = "not_recorded"
    OTHER_VERSION = "other_version"
    SUITE_FAULT = "suite_fault"

    # There is nothing to ask.
    NOTHING_TO_SEND = "nothing_to_send"
    PREREQUISITE_REJECTED = "prerequisite_rejected"
    PREREQUISITE_NOT_APPLICABLE = "prerequisite_not_applicable"


class Role(StrEnum):
    """What an exchange is to the cell that names it as evidence."""

    PROBE = "probe"  # the request with the parameter
    DROPPED = "dropped"  # the probe, with the gateway told to drop what it does not support
    BASELINE = "baseline"  # what the probe is held against
    UNKNOWN_KEY = "unknown_key"  # a control: a key that no standard defines
    WRONG_TYPE = "wrong_type"  # a control: a known field with a value of a wrong type
    FETCHED = "fetched"  # a stored answer, fetched by its id
    PREREQUISITE = "prerequisite"  # the probe of the parameter that this one builds on
    SAME_FIELD = "same_field"  # the probe of a parameter with the same field, which is refused whatever its value


class RejectedBy(StrEnum):
    """Who refused a parameter."""

    GATEWAY = "gateway"
    BACKEND = "backend"
    UNKNOWN = "unknown"


def told_of(verdict: str, rejected_by: str | None) -> str:
    """A verdict and who refused, as messages say it: `rejected by the backend`."""
    if rejected_by is None:
        return str(verdict)
    if rejected_by == RejectedBy.UNKNOWN:
        return f"{verdict} (who refused is not known)"
    return f"{verdict} by the {rejected_by}"


#: How the message of a test begins whose cell is not what the table says.
DEVIATION = "measured: "


def opening_of(verdict: str, rejected_by: str | None) -> str:
    """How the message of a test begins that says a cell's verdict; the reason follows."""
    return f"{told_of(verdict, rejected_by)}: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One request field, or one value of it, as the registry describes it.

    `bodies` is what a probe adds to its baseline, by endpoint; `context` names the baseline it
    needs where that is not the plain one, `without` the fields of it that the probe leaves out.
    Two parameters that touch the same part of an answer do not travel together. `effects` names,
    for each endpoint where the answer can show it, the observer in `parameters.effects` that looks.
    `headers` are request headers that the field needs, by lower-case name (`anthropic-beta`).
    `door` is what follows the endpoint's path where the question goes elsewhere (`/count_tokens`).
    One that is `alone` makes a gateway go another way, so that nothing else can be told by its request.
    `unknown_id` is an id in the bodies that nothing has: who says so has read the field, and who answers has not.
    `after` names the parameter, or the `baseline`, whose answer the bodies have to be filled from;
    `against` the one whose success is its baseline, where it has one.
    """

    id: str
    group: str
    bodies: Mapping[Endpoint, Mapping[str, Any]]
    modes: tuple[Mode, ...]
    sets: tuple[str, ...]
    standard: str
    why: str
    context: str = ""
    after: str = ""
    against: str = ""
    without: tuple[str, ...] = ()
    touches: tuple[str, ...] = ()
    effects: Mapping[Endpoint, str] = field(default_factory=dict)
    unobservable: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    door: str = ""
    unknown_id: str = ""
    alone: bool = False
    standards: Mapping[Endpoint, str] = field(default_factory=dict)

    def standard_on(self, endpoint: Endpoint) -> str:
        """The address of the page that defines it on an endpoint."""
        return self.standards.get(endpoint, self.standard)

    @property
    def path(self) -> str:
        """The path in the request body that this parameter stands for, without its value."""
        return self.id.partition(":")[0]

    @property
    def value(self) -> str | None:
        """The value that its id names, or None."""
        return self.id.partition(":")[2] or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An id from `/v1/models`, and what the gateway declares about it.

    `route` is the provider path (`databricks`, `azure`), `served_by` what the deployments behind
    the id run, `deployments` how many different things that is (1 where nothing is declared),
    `deployment_ids` an id for each of them by which it can be asked alone. `declared` are the chat
    parameters that the gateway claims to support, None where it claims nothing; `parameters` are those
    that hold for the one thing behind the id, None where nobody knows.
    """

    id: str
    mode: str | None = None
    route: str | None = None
    served_by: tuple[str, ...] = ()
    deployments: int = 1
    deployment_ids: tuple[str, ...] = ()
    declared: tuple[str, ...] | None = None
    parameters: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The system under test. `simulated` says that its upstreams are stand-ins for the vendors."""

    name: str
    url: str
    software: str | None = None
    version: str | None = None
    simulated: bool = False

    @property
    def release(self) -> str:
        """Software and version, as far as they are known: `litellm 1.109.1`; empty if neither is."""
        return " ".join(part for part in (self.software, self.version) if part)


@dataclass(frozen=True)
class Request:
    """One request of the plan, told apart from its repetitions by `repeat`.

    With `fetch`, the id of a stored answer, nothing is asked: that answer is fetched. `headers` are
    those that belong to what is asked, by lower-case name; the key and the suite's own are not among them.
    `door` is what follows the endpoint's path.
    """

    model: str
    endpoint: Endpoint
    mode: Mode
    body: Mapping[str, Any]
    repeat: int = 0
    fetch: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    door: str = ""

    @property
    def content(self) -> bytes:
        """The body as it goes over the wire."""
        return b"" if self.fetch else json.dumps(self.body, separators=(",", ":")).encode("ascii")

    @property
    def method(self) -> str:
        """How it is asked."""
        return "GET" if self.fetch else "POST"

    @property
    def tail(self) -> str:
        """What follows the endpoint's path: the id of the stored answer, or the door."""
        return f"/{quote(self.fetch, '', errors='surrogatepass')}" if self.fetch else self.door

    @functools.cached_property
    def digest(self) -> str:
        """What a recording is looked up by: 16 hex digits over endpoint, headers, body and repetition."""
        body = {"fetch": self.fetch} if self.fetch else self.body
        return digest_of(self.endpoint + self.door, body, self.repeat, self.headers)


def digest_of(endpoint: str, body: Any, repeat: int, headers: Mapping[str, str] | None = None) -> str:
    """Digest the parts of a request that make it the request it is."""
    text = f"{endpoint} {repeat} {_canonical(body)}"
    if headers:
        text += f" {_canonical(headers)}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


_canonical = functools.partial(json.dumps, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back: `status` is None, and `error` says why, where no whole answer did.

    `headers` have lower-case names; times are in milliseconds since the request was sent.
    `chunks` are (time, length in bytes) of the pieces in which a streamed body arrived.
    `cause` is the kind of `error`. None says that the connection broke, unless an older suite recorded it.
    """

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    elapsed_ms: int = 0
    chunks: tuple[tuple[int, int], ...] = ()
    error: str | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response, with the time it was recorded (UTC, ISO 8601)."""

    request: Request
    response: Response
    recorded_at: str = ""


class Evidence(NamedTuple):
    """An exchange that shows a verdict: what it is to the cell, and its digest.

    `role` is None where an older suite wrote the matrix.
    """

    role: Role | None
    digest: str


@dataclass(frozen=True, slots=True)
class CellKey:
    """The coordinates of a cell."""

    model: str
    endpoint: Endpoint
    mode: Mode
    parameter: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PlannedCell:
    """A cell and the parameter that it is about."""

    key: CellKey
    parameter: Parameter

    def __repr__(self) -> str:
        """Short, for it stands in test reports."""
        key = self.key
        return f"<cell {key.model!r} {key.endpoint} {key.mode} {key.parameter}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A cell's verdict, the reason in one sentence, and the exchanges that show it.

    `cause` is what the reason was made from, None where the verdict is a success.
    `split` holds the verdict of each deployment where those of one model disagree.
    """

    key: CellKey
    fields: tuple[str, ...]
    verdict: Verdict
    reason: str
    cause: Cause | None = None
    rejected_by: RejectedBy | None = None
    evidence: tuple[Evidence, ...] = ()
    split: Mapping[str, Verdict] = field(default_factory=dict)

    @property
    def supported(self) -> bool | None:
        """The support statement: False where rejected, True where safe to send, None where unknown."""
        return STATEMENTS[self.verdict]


#: What each verdict says about sending the parameter.
STATEMENTS: Mapping[Verdict, bool | None] = {
    Verdict.HONOURED: True,
    Verdict.ACCEPTED: True,
    Verdict.IGNORED: True,
    Verdict.REJECTED: False,
    Verdict.INCONCLUSIVE: None,
    Verdict.NOT_APPLICABLE: None,
}

#: Which verdict stands for several: deployments, endpoints or modes that are shown as one.
WORST_FIRST = (
    Verdict.REJECTED,
    Verdict.INCONCLUSIVE,
    Verdict.IGNORED,
    Verdict.ACCEPTED,
    Verdict.HONOURED,
    Verdict.NOT_APPLICABLE,
)
