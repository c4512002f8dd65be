"""Rules and the statements they make, and the table that asks them: which rule speaks for a request. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.provider.table.declaration import declaration
from conformance.provider.table.families import UNKNOWN, family_of, served_from
from conformance.provider.table.versions import gateway_version_fits, version_fits

#: Questions whose rules are kept with each table, and the longest model id of one.
_MAX_FOUND, _MAX_ID = 512, 256

#: Gateways and kinds of requests whose rules are kept with each table.
_MAX_FITTING = 64

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
    "declared",
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
    declared: tuple[str, ...] = ()
    cassettes: tuple[str, ...] = ()

    def fits(self, question: Question) -> bool:
        """True where every selector that the rule states fits what the question knows.

        Its models are not looked at, nor `declared`, which is about each statement: `about`.
        """
        return self.fits_all_models(question) and self.fits_model(question)

    def fits_all_models(self, question: Question) -> bool:
        """True where the selectors fit that tell nothing of one model: the answer is the same for all of a gateway."""
        return (
            (not self.endpoints or question.endpoint in self.endpoints)
            and (not self.modes or question.mode in self.modes)
            and (not self.routes or (question.route or UNKNOWN) in self.routes)
            and (not self.gateways or question.gateway in self.gateways)
            and (not self.gateway_versions or gateway_version_fits(question.gateway_version, self.gateway_versions))
        )

    def fits_model(self, question: Question) -> bool:
        """True where the selectors fit that tell one model from others, apart from its names."""
        return (not self.upstreams or question.upstream in self.upstreams) and (
            not self.families or self._has_family(question)
        )

    def about(self, question: Question) -> Rule | None:
        """The rule with what it says where a gateway declares what it does; None where that is nothing."""
        if not self.declared:
            return self
        said = {
            name: statement
            for name, statement in self.statements.items()
            if declaration(question.declared, question.endpoint, name) in self.declared
        }
        return replace(self, statements=said) if said else None

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
    `declared` are the chat parameters that the gateway declares for the model, sorted; None where that is not known.
    """

    model: str
    endpoint: str
    mode: str | None = None
    route: str | None = None
    gateway: str | None = None
    gateway_version: str | None = None
    served_by: tuple[str, ...] = ()
    upstream: str | None = None
    declared: tuple[str, ...] | None = None

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
        found = [place for place in about if self.rules[place].fits(question)]
        found += [place for place in self._for_everyone(question) if self.rules[place].fits_model(question)]
        return filter(None, (self.rules[place].about(question) for place in sorted(found)))

    @functools.cached_property
    def _naming(self) -> tuple[Mapping[str, Sequence[int]], Sequence[tuple[str, int]]]:
        """Where in the table each model is named outright, and each pattern with its place: fleets are large."""
        outright: dict[str, list[int]] = {}
        patterns: list[tuple[str, int]] = []
        for place, rule in enumerate(self.rules):
            if "*" in rule.models:
                continue
            for pattern in rule.models:
                if "*" in pattern:
                    patterns.append((pattern, place))
                else:
                    outright.setdefault(pattern, []).append(place)
        return outright, patterns

    def _for_everyone(self, question: Question) -> Sequence[int]:
        """The places of the rules that name no model and fit a gateway: found once for all of its models, and kept."""
        asked = (question.endpoint, question.mode, question.route, question.gateway, question.gateway_version)
        kept = self._fitting.get(asked)
        if kept is None:
            places = (place for place, rule in enumerate(self.rules) if "*" in rule.models)
            kept = [place for place in places if self.rules[place].fits_all_models(question)]
            if len(self._fitting) >= _MAX_FITTING:
                self._fitting.clear()
            self._fitting[asked] = kept
        return kept

    @functools.cached_property
    def _fitting(self) -> dict[Sequence[str | None], Sequence[int]]:
        return {}

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
