"""The JSON contracts as types. Each stands beside its JSON Schema in this folder, and a test holds them together.

`Matrix` is `matrix.schema.json`, `GatewayDocument` is `gateway.schema.json`, `TableDocument` is
`parameter_support.schema.json`, `ProfilesDocument` is `profiles.schema.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypedDict

EndpointName = Literal["chat_completions", "responses", "messages"]
ModeName = Literal["whole", "stream"]
VerdictName = Literal["honoured", "accepted", "ignored", "rejected", "inconclusive", "not_applicable"]
FieldVerdictName = Literal[
    "honoured", "accepted", "ignored", "rejected", "inconclusive", "not_applicable", "not_measured"
]
ReadinessName = Literal["works", "loses", "unknown", "breaks"]
RejectedByName = Literal["gateway", "backend", "unknown"]
RoleName = Literal[
    "probe",
    "dropped",
    "baseline",
    "unknown_key",
    "wrong_type",
    "fetched",
    "prerequisite",
    "same_field",
]
CauseName = Literal[
    "refusal_named",
    "refusal_repeated",
    "rate_limited",
    "server_error",
    "refusal_unclear",
    "timed_out",
    "no_answer",
    "cut_off",
    "unreadable",
    "baseline_failed",
    "baseline_lost",
    "deployments_silent",
    "not_recorded",
    "other_version",
    "suite_fault",
    "nothing_to_send",
    "prerequisite_rejected",
    "prerequisite_not_applicable",
]


class GatewayRow(TypedDict):
    """The gateway that answered. `simulated` is true where simulators stood in for the vendors."""

    name: str
    url: str
    software: str | None
    version: str | None
    simulated: bool


class ModelRow(TypedDict):
    """A model, and what the gateway declares about it."""

    id: str
    mode: NotRequired[str | None]
    route: str | None
    served_by: list[str]
    deployments: NotRequired[int]
    deployment_ids: NotRequired[list[str]]
    declared: NotRequired[list[str] | None]
    parameters: NotRequired[list[str] | None]


class Cell(TypedDict):
    """One cell of a matrix. `evidence` names exchanges as `cassette.json#digest`.

    `roles` says what each of them is to the cell, in their order. It is absent where an older suite wrote the matrix.
    `cause` is what the reason was made from. It is absent where the verdict is a success.
    """

    model: str
    endpoint: EndpointName
    mode: ModeName
    parameter: str
    fields: list[str]
    verdict: VerdictName
    rejected_by: RejectedByName | None
    reason: str
    declared: bool | None
    cause: NotRequired[CauseName]
    split: NotRequired[dict[str, VerdictName]]
    evidence: list[str]
    roles: NotRequired[list[RoleName]]


class ClientRow(TypedDict):
    """A client whose readiness a matrix tells: which version of it was captured, and when (a day, UTC).

    `setup` says for each way what a user of the client sets to get it; older matrices have none.
    """

    client: str
    title: str
    version: str
    captured_at: str
    setup: NotRequired[dict[str, str]]


class ReadinessField(TypedDict):
    """A field of a client's requests that keeps it from working, or of which nothing is known.

    `parameter` is the cell of this model, endpoint and mode that shows it, None where no cell does. `verdict` is that
    cell's, or `not_measured`. `turn` is the first request of the client that holds it. `unsent` is true for what a
    client sends back only where an answer held it, and no answer of this model does: it decides nothing.
    """

    field: str
    endpoint: EndpointName
    mode: ModeName
    turn: int
    verdict: FieldVerdictName
    rejected_by: RejectedByName | None
    parameter: str | None
    unsent: bool


class ProofRow(TypedDict):
    """What became of a client's whole body, asked as the client sends it. `fields` are those that a refusal names."""

    verdict: VerdictName
    rejected_by: RejectedByName | None
    reason: str
    fields: list[str]
    evidence: list[str]
    roles: list[RoleName]


class ReadinessProof(ProofRow):
    """A proof, and which request of the client it is about."""

    turn: int


class ReadinessWay(TypedDict):
    """How a client does in one manner of running it. The endpoint and mode are those of the request that decides.

    `proofs` are there where whole bodies were asked, and `forecast` is what the cells alone say then.
    """

    way: str
    endpoint: EndpointName
    mode: ModeName
    turn: int
    readiness: ReadinessName
    reason: str
    fields: list[ReadinessField]
    forecast: NotRequired[ReadinessName]
    proofs: NotRequired[list[ReadinessProof]]


class ReadinessRow(TypedDict):
    """Whether a client works with a model: the best of its ways, and all of them.

    `family` is the one that the requests were captured for. `way` is None where there are none.
    """

    client: str
    model: str
    family: str
    way: str | None
    readiness: ReadinessName
    reason: str
    ways: list[ReadinessWay]


class ClientsSection(TypedDict):
    """Whether each client works with each model. The rows of a model stand together."""

    profiles: list[ClientRow]
    readiness: Sequence[ReadinessRow]


class MatrixRun(TypedDict):
    """How a matrix came about. Times are UTC; `complete` is false where the recording was cut short."""

    mode: Literal["live", "replay"]
    started_at: str
    finished_at: str
    complete: bool
    requests: int
    selection: str | None
    shard: NotRequired[str]


class Matrix(TypedDict):
    """Every planned cell of a run, once, with its verdict. The cells of a model stand together.

    `clients` is absent where an older suite wrote the matrix.
    """

    schema_version: int
    gateway: GatewayRow
    run: MatrixRun
    models: list[ModelRow]
    clients: NotRequired[ClientsSection]
    cells: Sequence[Cell]


class RecordedModel(TypedDict):
    """A model as a recording lists it: everything that the plan was made from."""

    id: str
    mode: str | None
    route: str | None
    served_by: list[str]
    deployments: int
    deployment_ids: list[str]
    declared: list[str] | None
    parameters: NotRequired[list[str] | None]


class RecordedRun(TypedDict):
    """One run of a recording. `number` is 0 where it is absent; requests carry it in their repetition.

    `clients` are those whose whole bodies the run asked.

    `litellm` says whether the run used LiteLLM's own switches, where the gateway's software does not tell;
    `models` are rows of models that were listed otherwise then.
    """

    started_at: str
    finished_at: str
    complete: bool
    requests: int
    parameters: list[str]
    endpoints: list[str]
    exhaustive: bool
    selection: str | None
    clients: NotRequired[list[str]]
    shard: NotRequired[str]
    number: NotRequired[int]
    litellm: NotRequired[bool]
    models: NotRequired[list[RecordedModel]]


class LeftOut(TypedDict):
    """A model that does not chat, and is not measured."""

    id: str
    mode: str


class GatewayDocument(TypedDict):
    """What a recording was planned from: the newest run, and earlier ones that it still holds."""

    schema_version: int
    gateway: GatewayRow
    run: RecordedRun
    earlier: NotRequired[list[RecordedRun]]
    models: list[RecordedModel]
    left_out: list[LeftOut]


class StatementRow(TypedDict):
    """What a rule says of one parameter, and under which source that is filed."""

    supported: bool
    source: str
    rejected_by: NotRequired[list[RejectedByName]]
    note: NotRequired[str]


class RuleRow(TypedDict):
    """One rule: where it holds, and what it says. An absent selector matches everything."""

    models: list[str]
    endpoints: NotRequired[list[EndpointName]]
    modes: NotRequired[list[ModeName]]
    routes: NotRequired[list[str]]
    upstreams: NotRequired[list[str]]
    families: NotRequired[list[str]]
    family_versions: NotRequired[list[str]]
    gateways: NotRequired[list[str]]
    gateway_versions: NotRequired[list[str]]
    declared: NotRequired[list[Literal["yes", "no", "unknown"]]]
    cassettes: NotRequired[list[str]]
    statements: dict[str, StatementRow]


class MeasuredSource(TypedDict):
    """A source that is a measurement: of which gateway, and where its evidence lies."""

    kind: Literal["measured"]
    gateway: str
    software: str | None
    version: str | None
    simulated: bool
    cassettes: str


class AtlasSource(TypedDict):
    """A source that is derived from the atlas: how, and how many models and releases stand behind it at least."""

    kind: Literal["atlas"]
    how: Literal["undeclared", "measured", "family", "route"]
    models: int
    releases: int
    simulated: bool


class OverrideSource(TypedDict):
    """A source that is a human's correction, with its reason and where it was seen."""

    kind: Literal["override"]
    reason: str
    seen: str


class DefaultSource(TypedDict):
    """The source of what holds where nothing is known."""

    kind: Literal["default"]
    reason: str


class LearntSource(TypedDict):
    """A source that is a gateway's own refusals, as the provider met them."""

    kind: Literal["learnt"]
    gateway: str


class TableDocument(TypedDict):
    """The support table: ordered rules, the first that matches decides."""

    schema_version: int
    sources: dict[str, MeasuredSource | OverrideSource | DefaultSource | AtlasSource | LearntSource]
    rules: list[RuleRow]


class ClientRequest(TypedDict):
    """One request that a client sent in the same form for these families of models. `body` lacks the model."""

    way: str
    turn: int
    families: list[str]
    endpoint: EndpointName
    mode: ModeName
    method: Literal["POST"]
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class ClientProfile(TypedDict):
    """What one version of a client was seen to send. `captured_at` is a day, UTC.

    `setup` says for each way what a user of the client sets to get it; older files have none.
    """

    client: str
    title: str
    version: str
    captured_at: str
    setup: NotRequired[dict[str, str]]
    requests: list[ClientRequest]


class ProfilesDocument(TypedDict):
    """What real clients put on the wire, and the model that stood for each family."""

    schema_version: int
    families: dict[str, str]
    profiles: list[ClientProfile]
