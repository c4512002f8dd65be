"""LiteLLM's own `config.yaml`, and the arguments of those who call LiteLLM as a library. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from conformance.export.clients import Client
from conformance.export.dropping import TAKEN, UNSURE, Dropping, dropping
from conformance.export.facts import Facts
from conformance.export.merging import Rules, merge
from conformance.export.outputs import Output, ignored_by, models_of, origin, told_ignored

_DROP, _ALLOW = "additional_drop_params", "allowed_openai_params"

#: `model_list` gets no new rows in a file that has some: a row without its credentials would answer nobody.
RULES = Rules(keys={"model_list": "model_name"}, unions=frozenset({_DROP, _ALLOW}))
INTO_RULES = Rules(RULES.keys, frozenset({"model_list"}), RULES.unions)


def config(
    client: Client, facts: Facts, endpoints: Collection[str], there: Mapping[str, Any] | None, *, let_through: bool
) -> Output:
    """The configuration; `there` is the document that it is merged into, if there is one."""
    made = {name: dropping(model, endpoints, let_through=let_through) for name, model in facts.models.items()}
    rows_there = (there or {}).get("model_list")
    rows_there = rows_there if isinstance(rows_there, list) else []  # another kind is refused when it is merged into
    listed = [row.get("model_name") for row in rows_there if isinstance(row, Mapping)]
    absent = tuple(name for name in made if listed and name not in listed)
    made = {name: each for name, each in made.items() if name not in absent}
    rows = [{"model_name": name, **_settings(client, facts, name, each, endpoints)} for name, each in made.items()]
    defaults = (
        []
        if listed
        else [
            {"model_name": name, "litellm_params": {"model": served}}
            for name in made
            for served in facts.models[name].served_by[:1]
        ]
    )
    return Output(
        name=client.file,
        form=client.format,
        head=[*origin(client, facts), *_told(client, facts, made, endpoints, let_through=let_through)],
        defaults={"model_list": defaults} if defaults else {},
        settings={"model_list": [row for row in rows if len(row) > 1]},
        rules=INTO_RULES if listed else RULES,
        absent=absent,
    )


def _settings(client: Client, facts: Facts, name: str, made: Dropping, endpoints: Collection[str]) -> dict[str, Any]:
    """What is said of one model, apart from its name."""
    settings: dict[str, Any] = {}
    params = {key: value for key, value in ((_DROP, made.drop), (_ALLOW, made.allow)) if value}
    if params:
        settings["litellm_params"] = params
    model = facts.models[name]
    for said in model.refused(endpoints):
        for lever in client.levers_for(said.parameter, said.endpoint):
            if lever.helps(model, said.endpoint):
                merge(settings, lever.setting, Rules())
    return settings


def _told(
    client: Client, facts: Facts, made: Mapping[str, Dropping], endpoints: Collection[str], *, let_through: bool
) -> list[str]:
    lines = []
    if let_through:
        lines.append(f"{_ALLOW} lets through what LiteLLM itself refused. Nobody measured whether the vendor takes it.")
    left: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, each in made.items():
        for one in each.left:
            left[one.why][one.said.parameter, one.said.endpoint].append(name)
    if left:
        lines.append(f"No setting of LiteLLM mends what follows. {client.instead}")
    for why, fields in left.items():
        lines.append(
            f"{why} With --endpoint, only that one counts:" if why in (TAKEN, UNSURE) else why[:1].upper() + why[1:]
        )
        lines += [
            f"  {parameter} ({endpoint}): {models_of(models)}" for (parameter, endpoint), models in fields.items()
        ]
    said = ((name, facts.models[name].said.values()) for name in made)
    ignored = {key: models for key, models in ignored_by(said).items() if key[1] in endpoints}
    return [*lines, *told_ignored(ignored)]
