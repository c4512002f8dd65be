"""The parameter-support table: load it, look a statement up. Pure but for reading the file.

The table is an ordered list of rules. A rule matches by the selectors it states (`models`,
`endpoints`, `modes`, `routes`, `upstreams`, `families`, `family_versions`, `gateways`,
`gateway_versions`); a selector never matches what the caller does not know, unless it names
just that: `unknown`. The first matching rule with a statement for the parameter decides,
and the last rule is a default that matches every model: unknown models fail open.

A parameter is named by its path in the request body (`store`, `stream_options.include_usage`),
optionally with one value (`store:true`). A statement for `store` speaks for every value that
has no statement of its own in the same rule.
"""

from __future__ import annotations

import functools
import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from conformance.provider.errors import NewerTableError, TableError
from conformance.provider.table.families import UNKNOWN, family_of, served_from

SCHEMA_VERSION = 1

#: Questions whose rules are kept with each table, and the longest model id of one.
_MAX_FOUND, _MAX_ID = 512, 256

#: What a rule is bound to; one that a rule does not name holds for all.
SELECTORS = (
    "models",
    "endpoints",
    "modes",
    "routes",
    "upstreams",
    "families",
    "family_versions",
    "gateways",
    "gateway_versions",
)


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
    upstreams: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    family_versions: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    gateway_versions: tuple[str, ...] = ()
    cassettes: tuple[str, ...] = ()

    def fits(self, question: Question) -> bool:
        """True where every selector that the rule states, but for its models, fits what the question knows."""
        return (
            (not self.endpoints or question.endpoint in self.endpoints)
            and (not self.modes or question.mode in self.modes)
            and (not self.routes or (question.route or UNKNOWN) in self.routes)
            and (not self.upstreams or question.upstream in self.upstreams)
            and (not self.families or self._has_family(question))
            and (not self.gateways or question.gateway in self.gateways)
            and (not self.gateway_versions or _version_fits(question.gateway_version, self.gateway_versions))
        )

    def _has_family(self, question: Question) -> bool:
        family = family_of(question.upstream or question.model)
        if family is None or family.name not in self.families:
            return False
        return not self.family_versions or version_fits(family.version, self.family_versions)


@dataclass(frozen=True)
class Question:
    """What a caller knows about the request it is about to send.

    `served_by` names the deployments behind the model as LiteLLM names them (`azure/gpt-5.2`): each has to take
    what is sent. `upstream` is the model's name on its route; without one its family is read from `model`.
    """

    model: str
    endpoint: str
    mode: str | None = None
    route: str | None = None
    gateway: str | None = None
    gateway_version: str | None = None
    served_by: tuple[str, ...] = ()
    upstream: str | None = None

    def of_each(self) -> tuple[Question, ...]:
        """The same question of each deployment behind the model; of the model as such where none is known."""
        served = dict.fromkeys(filter(None, map(served_from, self.served_by)))
        asked = replace(self, served_by=())
        return tuple(replace(asked, route=each.route, upstream=each.upstream or None) for each in served) or (self,)


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


_SILENCE = Support({}, None)


def _in_common(supports: Sequence[Support]) -> Support:
    """What can be sent to each of several deployments."""
    values = dict.fromkeys(value for each in supports for value in each.values)
    said = {value: not any(each.refuses(value) for each in supports) for value in values}
    others = [each.others for each in supports]
    return Support(said, False if False in others else None if None in others else True)


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
        """The statement that decides, or None where no rule knows the parameter (send it).

        Of several deployments behind one name, what one of them refuses is refused.
        """
        names = names_of(parameter)
        found = [_first(rules, names) for rules in self._rules_for(question)]
        refused = (each for each in found if each is not None and not each.supported)
        return next(refused, None if None in found else found[0])

    def _rules_for(self, question: Question) -> Sequence[Sequence[Rule]]:
        """For each deployment behind the model the rules that speak for it: found once, and kept."""
        kept = self._found.get(question)
        if kept is None:
            kept = tuple(tuple(self.matching(each)) for each in question.of_each())
            if len(question.model) <= _MAX_ID:
                if len(self._found) >= _MAX_FOUND:
                    self._found.clear()
                self._found[question] = kept
        return kept

    @functools.cached_property
    def _found(self) -> dict[Question, Sequence[Sequence[Rule]]]:
        return {}

    def parameters(self, question: Question) -> dict[str, Support]:
        """Every parameter that the rules for a request speak of: what `lookup` says of all its values."""
        each = [_parameters(rules) for rules in self._rules_for(question)]
        if len(each) == 1:
            return each[0]
        paths = dict.fromkeys(path for one in each for path in one)
        return {path: _in_common([one.get(path, _SILENCE) for one in each]) for path in paths}


def _first(rules: Iterable[Rule], names: Sequence[str]) -> Statement | None:
    """The first statement under one of these names."""
    for rule in rules:
        for name in names:
            if name in rule.statements:
                return rule.statements[name]
    return None


def _parameters(rules: Iterable[Rule]) -> dict[str, Support]:
    values: dict[str, dict[str, bool]] = {}
    others: dict[str, bool] = {}
    for rule in rules:
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
    """True where a dotted version fits every bound, each `>=X`, `<=X`, `>X`, `<X` or `==X`."""
    return version is not None and version_fits(_release(version), bounds)


def version_fits(version: tuple[int, ...], bounds: Sequence[str]) -> bool:
    """True where a version fits every bound, each `>=X`, `<=X`, `>X`, `<X` or `==X`; 4.0 is 4."""
    have = _without_zeros(version)
    return all(_CHECKS[sign](have, wanted) for sign, wanted in map(_bound, bounds))


_BOUND = re.compile(r"(>=|<=|>|<|==)\s*(\d{1,9}(?:\.\d{1,9})*)")
_CHECKS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}


@functools.lru_cache(maxsize=4096)
def _bound(text: str) -> tuple[str, tuple[int, ...]]:
    found = _BOUND.fullmatch(text)
    return (found[1], _release(found[2])) if found else (">=", ())


def _release(version: str) -> tuple[int, ...]:
    found = re.match(r"\d{1,9}(?!\d)(?:\.\d{1,9}(?!\d))*", version)
    return _without_zeros(tuple(int(part) for part in found[0].split(".")) if found else ())


def _without_zeros(numbers: tuple[int, ...]) -> tuple[int, ...]:
    while numbers and numbers[-1] == 0:  # 1.80.0 and 1.80 are one release
        numbers = numbers[:-1]
    return numbers


def shipped_table_path() -> Path:
    """Where the table that came with this package lies."""
    return Path(str(resources.files("conformance.provider") / "parameter_support.json"))


def load_table(path: str | Path | None = None) -> SupportTable:
    """Load a support table, the shipped one by default. All who load a file get the same table; do not change it.

    Raises `TableError` for a file that cannot be read, is not JSON, does not have the table's
    shape, or was written by a newer version of this package.
    """
    file = shipped_table_path() if path is None else Path(path)
    try:
        state = file.stat()
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from None
    table = _loaded(file, state.st_ino, state.st_mtime_ns, state.st_size)
    return table if path is None else replace(table, own=len(table.rules) - 1)


@functools.lru_cache(maxsize=4)
def _loaded(file: Path, *_state: int) -> SupportTable:
    """The table in a file, read once for each state of it: every client of a process asks for the shipped one."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unreadable(file, error) from None
    except (ValueError, RecursionError) as error:
        raise TableError(f"the support table {file} is not JSON ({error}); restore it, or make it again") from None
    return parse_table(data, str(file))


def _unreadable(file: Path, error: OSError | ValueError) -> TableError:
    return TableError(f"cannot read the support table {file}: {getattr(error, 'strerror', None) or error}")


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
    unknown = fields.keys() - _RULE_KEYS
    if unknown:
        raise TableError(f"{where} has an unknown key {sorted(unknown)[0]!r}")
    selectors = {name: _strings(fields[name], where, name) for name in SELECTORS if name in fields}
    if not selectors.get("models"):
        raise TableError(f"{where} names no models")
    for name in ("family_versions", "gateway_versions"):
        for bound in selectors.get(name, ()):
            if not _BOUND.fullmatch(bound):
                raise TableError(
                    f"{where}.{name}: {bound!r} is not a version bound; write one such as '>=1.80' or '<1.100'"
                )
    statements = _typed(fields.get("statements"), dict, where, "statements")
    return Rule(
        statements={name: _statement(value, where, name) for name, value in statements.items()},
        cassettes=_strings(fields.get("cassettes", []), where, "cassettes"),
        **selectors,
    )


def _statement(value: object, where: str, name: str) -> Statement:
    if isinstance(value, dict) and len(value) == 2:  # nearly always: `supported` and `source`
        supported, source = value.get("supported"), value.get("source")
        if isinstance(supported, bool) and isinstance(source, str):
            return _plain(supported, source)
    where = f"{where}.statements[{name!r}]"
    fields = _typed(value, dict, where)
    if not isinstance(fields.get("supported"), bool) or not isinstance(fields.get("source"), str):
        raise TableError(f"{where} needs 'supported' (true or false) and 'source' (a name)")
    return Statement(
        supported=fields["supported"],
        source=fields["source"],
        rejected_by=_strings(fields.get("rejected_by", []), where, "rejected_by"),
        note=_typed(fields.get("note", ""), str, where, "note"),
    )


@functools.lru_cache(maxsize=4096)  # a table says the same of many parameters
def _plain(supported: bool, source: str) -> Statement:
    return Statement(supported, source)


def _strings(value: object, where: str, name: str) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):  # nearly always
        return tuple(value)
    items: Iterable[object] = _typed(value, list, where, name)
    return tuple(_typed(item, str, where, name) for item in items)


def _typed(value: object, kind: type[Any], where: str, name: str = "") -> Any:
    if not isinstance(value, kind):
        place = f"{where}.{name}" if name else where
        raise TableError(f"{place} must be a JSON {_JSON_NAMES[kind]}, not {type(value).__name__}")
    return value


#: What a row of a table's rules may have.
_RULE_KEYS = frozenset({*SELECTORS, "statements", "cassettes"})

_JSON_NAMES: Mapping[object, str] = {dict: "object", list: "array", str: "string"}
