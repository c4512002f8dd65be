"""The parameter-support table: load it, look a statement up. Pure but for reading the file.

The table is an ordered list of rules. A rule matches by the selectors it states (`models`,
`endpoints`, `modes`, `routes`, `gateways`, `gateway_versions`); a selector never matches what
the caller does not know. The first matching rule with a statement for the parameter decides,
and the last rule is a default that matches every model: unknown models fail open.

A parameter is named by its path in the request body (`store`, `stream_options.include_usage`),
optionally with one value (`store:true`). A statement for `store` speaks for every value that
has no statement of its own in the same rule.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from conformance.provider.errors import NewerTableError, TableError

SCHEMA_VERSION = 1

#: What a rule is bound to; one that a rule does not name holds for all.
SELECTORS = ("models", "endpoints", "modes", "routes", "gateways", "gateway_versions")


@dataclass(frozen=True)
class Statement:
    """Whether a parameter can be sent, and where that knowledge comes from.

    `source` names a row of the table's `sources`; `rejected_by` says who refused it.
    """

    supported: bool
    source: str
    rejected_by: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Rule:
    """Statements, and the requests they speak for. An empty selector matches everything."""

    models: tuple[str, ...]
    statements: Mapping[str, Statement]
    endpoints: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    gateway_versions: tuple[str, ...] = ()
    cassettes: tuple[str, ...] = ()

    def fits(self, question: Question) -> bool:
        """True where every selector that the rule states, but for its models, fits what the question knows."""
        return (
            (not self.endpoints or question.endpoint in self.endpoints)
            and (not self.modes or question.mode in self.modes)
            and (not self.routes or question.route in self.routes)
            and (not self.gateways or question.gateway in self.gateways)
            and (not self.gateway_versions or _version_fits(question.gateway_version, self.gateway_versions))
        )


@dataclass(frozen=True)
class Question:
    """What a caller knows about the request it is about to send."""

    model: str
    endpoint: str
    mode: str | None = None
    route: str | None = None
    gateway: str | None = None
    gateway_version: str | None = None


@dataclass(frozen=True, slots=True)
class Support:
    """What a table says of one parameter: of some of its values, and of all others (None: nothing)."""

    values: Mapping[str, bool]
    others: bool | None

    def refuses(self, value: str | None) -> bool:
        """True where the table refuses this value; the field as such where no value is named."""
        return (self.others if value is None else self.values.get(value, self.others)) is False

    @property
    def refuses_any(self) -> bool:
        """True where there is a value that the table refuses."""
        return self.others is False or False in self.values.values()


@dataclass(frozen=True)
class SupportTable:
    """An ordered list of rules, and the sources that their statements name.

    `own` says how many of the first rules are the user's, over which nothing stands that is learnt.
    """

    rules: tuple[Rule, ...]
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    own: int = 0

    @functools.cached_property
    def memo(self) -> dict[Any, Any]:
        """Room for what is worked out from the rules once and asked for with every request."""
        return {}

    def matching(self, question: Question) -> Iterator[Rule]:
        """The rules that speak for this request, most specific first."""
        outright, patterns = self._naming
        about = {place for pattern, place in patterns if model_matches(pattern, question.model)}
        about.update(outright.get(question.model, ()))
        return (rule for rule in map(self.rules.__getitem__, sorted(about)) if rule.fits(question))

    @functools.cached_property
    def _naming(self) -> tuple[Mapping[str, Sequence[int]], Sequence[tuple[str, int]]]:
        """Where in the table each model is named outright, and each pattern with its place: fleets are large."""
        outright: dict[str, list[int]] = {}
        patterns: list[tuple[str, int]] = []
        for place, rule in enumerate(self.rules):
            for pattern in rule.models:
                if "*" in pattern:
                    patterns.append((pattern, place))
                else:
                    outright.setdefault(pattern, []).append(place)
        return outright, patterns

    def lookup(self, question: Question, parameter: str) -> Statement | None:
        """The statement that decides, or None where no rule knows the parameter (send it)."""
        names = names_of(parameter)
        for rule in self.matching(question):
            for name in names:
                if name in rule.statements:
                    return rule.statements[name]
        return None

    def parameters(self, question: Question) -> dict[str, Support]:
        """Every parameter that the rules for a request speak of: what `lookup` says of all its values."""
        values: dict[str, dict[str, bool]] = {}
        others: dict[str, bool] = {}
        for rule in self.matching(question):
            settled = set(others)  # a rule's word on a field closes it for the rules below
            for name, statement in rule.statements.items():
                path, value = split_parameter(name)
                said = values.setdefault(path, {})
                if path in settled:
                    continue
                if value is None:
                    others[path] = statement.supported
                else:
                    said.setdefault(value, statement.supported)
        return {path: Support(said, others.get(path)) for path, said in values.items()}


def names_of(parameter: str) -> tuple[str, ...]:
    """The names under which statements about a parameter may stand: `store:true`, then `store`."""
    path, value = split_parameter(parameter)
    return (parameter,) if value is None else (parameter, path)


def split_parameter(parameter: str) -> tuple[str, str | None]:
    """Split `path:value` into its path and its value, which is None where none is named."""
    path, colon, value = parameter.partition(":")
    return path, (value if colon else None)


def model_matches(pattern: str, model: str) -> bool:
    """Match a model id against a pattern in which `*` stands for any run of characters."""
    if "*" not in pattern:
        return pattern == model
    return _compiled(pattern).fullmatch(model) is not None


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def _version_fits(version: str | None, bounds: Sequence[str]) -> bool:
    """True where a dotted version fits every bound, each `>=X`, `<X` or `==X`."""
    if version is None:
        return False
    have = _release(version)
    checks = {">=": have.__ge__, "<": have.__lt__, "==": have.__eq__}
    return all(checks[m[1]](_release(m[2])) is True for m in map(_BOUND.fullmatch, bounds) if m)


_BOUND = re.compile(r"(>=|<|==)\s*(\d{1,9}(?:\.\d{1,9})*)")


def _release(version: str) -> tuple[int, ...]:
    found = re.match(r"\d{1,9}(?!\d)(?:\.\d{1,9}(?!\d))*", version)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and numbers[-1] == 0:  # 1.80.0 and 1.80 are one release
        numbers.pop()
    return tuple(numbers)


def shipped_table_path() -> Path:
    """Where the table that came with this package lies."""
    return Path(str(resources.files("conformance.provider") / "parameter_support.json"))


def load_table(path: str | Path | None = None) -> SupportTable:
    """Load a support table, the shipped one by default.

    Raises `TableError` for a file that cannot be read, is not JSON, does not have the table's
    shape, or was written by a newer version of this package.
    """
    file = shipped_table_path() if path is None else Path(path)
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise TableError(f"cannot read the support table {file}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise TableError(f"the support table {file} is not JSON ({error}); restore it, or make it again") from None
    table = parse_table(data, str(file))
    return table if path is None else replace(table, own=len(table.rules) - 1)


def parse_table(data: object, where: str = "the support table") -> SupportTable:
    """Build a table from decoded JSON; `where` names it in errors. Raises `TableError`."""
    if not isinstance(data, dict):
        raise TableError(f"{where} is not a support table: it must be a JSON object")
    version = data.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise NewerTableError(f"{where} has schema_version {version}, newer than {SCHEMA_VERSION}; update this package")
    if version != SCHEMA_VERSION:
        raise TableError(f"{where} has no valid schema_version (expected {SCHEMA_VERSION})")
    sources = _typed(data.get("sources", {}), dict, f"{where}: sources")
    rows = _typed(data.get("rules"), list, f"{where}: rules")
    rules = tuple(_rule(row, f"{where}: rules[{index}]") for index, row in enumerate(rows))
    if not rules or rules[-1].models != ("*",) or any(getattr(rules[-1], name) for name in SELECTORS[1:]):
        raise TableError(f'{where}: the last rule must be the default, with models ["*"] and no other selector')
    return SupportTable(rules, sources)


def _rule(row: object, where: str) -> Rule:
    fields = _typed(row, dict, where)
    unknown = set(fields) - {*SELECTORS, "statements", "cassettes"}
    if unknown:
        raise TableError(f"{where} has an unknown key {sorted(unknown)[0]!r}")
    selectors = {name: _strings(fields.get(name, []), f"{where}.{name}") for name in SELECTORS}
    if not selectors["models"]:
        raise TableError(f"{where} names no models")
    for bound in selectors["gateway_versions"]:
        if not _BOUND.fullmatch(bound):
            raise TableError(
                f"{where}.gateway_versions: {bound!r} is not a version bound; write one such as '>=1.80' or '<1.100'"
            )
    statements = _typed(fields.get("statements"), dict, f"{where}.statements")
    return Rule(
        statements={name: _statement(value, f"{where}.statements[{name!r}]") for name, value in statements.items()},
        cassettes=_strings(fields.get("cassettes", []), f"{where}.cassettes"),
        **selectors,
    )


def _statement(value: object, where: str) -> Statement:
    fields = _typed(value, dict, where)
    if not isinstance(fields.get("supported"), bool) or not isinstance(fields.get("source"), str):
        raise TableError(f"{where} needs 'supported' (true or false) and 'source' (a name)")
    return Statement(
        supported=fields["supported"],
        source=fields["source"],
        rejected_by=_strings(fields.get("rejected_by", []), f"{where}.rejected_by"),
        note=_typed(fields.get("note", ""), str, f"{where}.note"),
    )


def _strings(value: object, where: str) -> tuple[str, ...]:
    items: Iterable[object] = _typed(value, list, where)
    return tuple(_typed(item, str, where) for item in items)


def _typed(value: object, kind: type[Any], where: str) -> Any:
    if not isinstance(value, kind):
        raise TableError(f"{where} must be a JSON {_JSON_NAMES[kind]}, not {type(value).__name__}")
    return value


_JSON_NAMES: Mapping[object, str] = {dict: "object", list: "array", str: "string"}
