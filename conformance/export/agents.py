"""The files of coding agents. Pure.

A key is never written: each file names the environment variable that holds it, or leaves it to the user.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from conformance.errors import ExportError
from conformance.export.choosing import Choice
from conformance.export.clients import Client
from conformance.export.facts import Facts
from conformance.export.merging import Rules, merge
from conformance.export.outputs import Output, models_of, origin, told_of

#: Makes the files of one client: its own first. The last two are the gateway's name in them, and what a user has.
Builder: TypeAlias = Callable[[Client, Facts, Sequence[Choice], str, Mapping[str, Any]], list[Output]]

#: The variable that clients read the key from.
KEY = "LITELLM_API_KEY"

#: What stands for the gateway's address where nobody knows it.
PLACEHOLDER = "https://your-gateway.example"

_EFFORT = {"chat_completions": "reasoning_effort", "responses": "reasoning.effort", "messages": "thinking"}


#: What tells the user to replace it.
MISSING = f"The gateway's address is not known: put it in place of {PLACEHOLDER}, or export with --base-url."


def head_of(client: Client, facts: Facts, found: Sequence[Choice]) -> list[str]:
    """The comment of a client's own file."""
    return [*origin(client, facts), *([] if facts.url else [MISSING]), *told_of(client, found)]


def address_of(facts: Facts) -> str:
    """The gateway's address, without `/v1`; where nobody knows it, what the user has to replace."""
    return facts.url.rstrip("/").removesuffix("/v1") or PLACEHOLDER


def _reasons(choice: Choice) -> bool | None:
    """Whether the model was seen to take a level of reasoning; None where nobody knows."""
    endpoint = choice.way.endpoint
    path = _EFFORT[endpoint]
    if choice.model.takes(endpoint, path):
        return True
    return None if any(each.unknown for each in choice.model.on(endpoint) if each.path == path) else False


def _inside(document: object, *names: str) -> Any:
    """What lies in a user's document under these names, one in the other; None where there is no such thing."""
    for name in names:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def _provider_there(
    there: Mapping[str, Any], section: str, name: str, address: Sequence[str], facts: Facts
) -> tuple[str, dict[str, Any]]:
    """The name that a user's file has for this gateway already, or else the one that was chosen; and its new address.

    That is empty unless the user said the address, and an earlier export wrote another. Raises `ExportError` if the
    name is that of another gateway there.
    """
    url = address_of(facts)
    rows = there.get(section)
    known = {str(each): _inside(row, *address) for each, row in rows.items()} if isinstance(rows, Mapping) else {}
    for each, told in known.items():
        if isinstance(told, str) and told.rstrip("/").removesuffix("/v1") == url:
            return each, {}
    told = known.get(name)
    if not facts.url or not isinstance(told, str):
        return name, {}
    if facts.url_said and KEY in str(_inside(rows, name)):  # only an export reads the key from there
        return name, _under(address, url + ("/v1" if told.rstrip("/").endswith("/v1") else ""))
    how = "" if facts.url_said else ", or say its address with --base-url"
    raise ExportError(
        f"the file has another gateway under the name {name!r} ({told}, not {url}); name this one with --provider{how}"
    )


def _under(names: Sequence[str], value: Any) -> dict[str, Any]:
    """A value under these names, one in the other."""
    for name in reversed(names):
        value = {name: value}
    return dict(value)


def _pi(client: Client, facts: Facts, found: Sequence[Choice], provider: str, there: Mapping[str, Any]) -> list[Output]:
    root = address_of(facts)
    provider, moved = _provider_there(there, "providers", provider, ["baseUrl"], facts)
    own = _inside(there, "providers", provider)
    usual = _inside(own, "api") or Counter(choice.settings["api"] for choice in found).most_common(1)[0][0]
    base = f"{root}/v1" if usual != "anthropic-messages" else root
    rows, defaults = [], []
    for choice in found:
        settings = dict(choice.settings)
        if settings["api"] != usual:
            settings["baseUrl"] = root if settings["api"] == "anthropic-messages" else f"{root}/v1"
        else:
            del settings["api"]
        rows.append({"id": choice.model.id, **settings})
        limit = facts.limits.get(choice.model.id)
        sizes = {"contextWindow": limit.context, "maxTokens": limit.output} if limit else {}
        defaults.append({"id": choice.model.id, **({"reasoning": True} if _reasons(choice) else {}), **sizes})
    ours = {row["id"] for row in rows}
    listed = _inside(own, "models")
    others = [each for each in listed if _inside(each, "id") not in ours] if isinstance(listed, list) else []
    shared = {} if others or len(rows) == 1 else _shared([row.get("compat", {}) for row in rows])
    for row in rows:
        kept = {name: value for name, value in row.pop("compat", {}).items() if name not in shared}
        row |= {"compat": kept} if kept else {}
    settings = {**moved, "models": [row for row in rows if len(row) > 1], **({"compat": shared} if shared else {})}
    reached = {} if own else {"baseUrl": base, "api": usual, "apiKey": f"${KEY}"}  # a user's own way in stays
    return [
        Output(
            name=client.file,
            form=client.format,
            head=head_of(client, facts, found),
            defaults={"providers": {provider: {**reached, "models": defaults}}},
            settings={"providers": {provider: settings}},
            rules=Rules(keys={"models": "id"}),
        )
    ]


def _shared(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The settings that all of several models have alike; of a single one all."""
    first = rows[0]
    return {name: value for name, value in first.items() if all(row.get(name) == value for row in rows)}


def _opencode(
    client: Client, facts: Facts, found: Sequence[Choice], provider: str, there: Mapping[str, Any]
) -> list[Output]:
    root = address_of(facts)
    provider, moved = _provider_there(there, "provider", provider, ["options", "baseURL"], facts)
    models: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for choice in found:
        settings = dict(choice.settings)
        merge(options, settings.pop("options of the provider", {}), Rules())
        if settings:
            models[choice.model.id] = settings
        limit = facts.limits.get(choice.model.id)
        sizes = {"limit": {"context": limit.context, "output": limit.output}} if limit else {}
        reasons = _reasons(choice)
        told = {"name": choice.model.id, "tool_call": True}
        defaults[choice.model.id] = {**told, **({} if reasons is None else {"reasoning": reasons}), **sizes}
    reached: dict[str, Any] = {"npm": "@ai-sdk/openai-compatible", "name": facts.gateway}
    reached["options"] = {"baseURL": f"{root}/v1", "apiKey": f"{{env:{KEY}}}"}
    if _inside(there, "provider", provider):  # a user's own way in stays
        reached = {}
    merge(options, moved.get("options", {}), Rules())
    settings_of = {**({"options": options} if options else {}), **({"models": models} if models else {})}
    return [
        Output(
            name=client.file,
            form=client.format,
            head=head_of(client, facts, found),
            defaults={
                "$schema": "https://opencode.ai/config.json",
                "provider": {provider: {**reached, "models": defaults}},
            },
            settings={"provider": {provider: settings_of}} if settings_of else {},
        )
    ]


def _codex(
    client: Client, facts: Facts, found: Sequence[Choice], provider: str, there: Mapping[str, Any]
) -> list[Output]:
    root = address_of(facts)
    provider, moved = _provider_there(there, "model_providers", provider, ["base_url"], facts)
    made = {"name": facts.gateway, "base_url": f"{root}/v1", "env_key": KEY, "wire_api": "responses"}
    if _inside(there, "model_providers", provider):  # a user's own way in stays
        made = {}
    # What a user has chosen, or left to Codex, stays chosen.
    first = {} if there else {"model_provider": provider}
    note = [f"Choose the gateway with: codex -c model_provider={provider} -m MODEL"] if there else []
    shared = _shared([choice.settings for choice in found])
    outputs = [
        Output(
            name=client.file,
            form=client.format,
            head=[*head_of(client, facts, found), *note],
            defaults={**first, "model_providers": {provider: made}} if made else first,
            settings={**shared, "model_providers": {provider: moved}} if moved else shared,
        )
    ]
    stems = _file_stems([choice.model.id for choice in found])
    for choice in found:
        own = {name: value for name, value in choice.settings.items() if shared.get(name) != value}
        if own:
            outputs.append(
                Output(
                    name=f"{stems[choice.model.id]}.config.toml",
                    form=client.format,
                    head=[*origin(client, facts), f"Used by: codex --profile {stems[choice.model.id]}"],
                    defaults={"model": choice.model.id, "model_provider": provider},
                    settings=own,
                )
            )
    return outputs


def _file_stems(models: Sequence[str]) -> dict[str, str]:
    """A name for each model's file, no two alike: letters, digits, `-` and `_`, as Codex wants its profiles."""
    stems: dict[str, str] = {}
    for model in models:
        stem = "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "-" for char in model)[:60]
        used, number = set(stems.values()), 2
        stems[model] = stem
        while stems[model] in used:
            stems[model], number = f"{stem}-{number}", number + 1
    return stems


def _claude_code(
    client: Client, facts: Facts, found: Sequence[Choice], _provider: str, there: Mapping[str, Any]
) -> list[Output]:
    """Settings that all models need, and a file for each group of models that needs others besides."""
    rows = [choice.settings.get("env", {}) for choice in found]
    shared = _shared(rows)
    groups: dict[tuple[str, ...], list[str]] = {}
    for choice, row in zip(found, rows, strict=True):
        own = tuple(sorted(row.keys() - shared.keys()))
        if own:
            groups.setdefault(own, []).append(choice.model.id)
    note = "The key is not written here: set ANTHROPIC_AUTH_TOKEN, or apiKeyHelper to a command that prints it."
    # A placeholder would cut Claude Code off; an address that the user says goes before what is there.
    reached = {"ANTHROPIC_BASE_URL": address_of(facts)} if facts.url else {}
    always = {**(reached if facts.url_said else {}), **shared}
    missing = "The gateway's address is not known: set ANTHROPIC_BASE_URL, or export with --base-url."
    head = [*origin(client, facts), *([] if facts.url else [missing]), *told_of(client, found), note]
    made = [
        Output(
            name=client.file,
            form=client.format,
            head=head,
            defaults={"env": reached} if reached or "env" in there else {},
            settings={"env": always} if always else {},
        )
    ]
    values = {name: value for row in rows for name, value in row.items()}
    stems = _file_stems([choice.model.id for choice in found])
    for own, models in groups.items():
        name = f"settings.{stems[models[0]]}.json"
        use = f"For {models_of(models)}: start it with --settings and this file, {name}, in its folder."
        made.append(Output(name, client.format, [use], settings={"env": {each: values[each] for each in own}}))
    return made


def _aider(
    client: Client, facts: Facts, found: Sequence[Choice], _provider: str, _there: Mapping[str, Any]
) -> list[Output]:
    """Its file is a list, which stands here under the name `models`; and limits, where the gateway tells them."""
    note = f"Set OPENAI_API_BASE to {address_of(facts)}/v1, and OPENAI_API_KEY. Start it with --model openai/NAME."
    rows = [{"name": f"openai/{choice.model.id}", **choice.settings} for choice in found]
    outputs = [
        Output(
            name=client.file,
            form=client.format,
            head=[*head_of(client, facts, found), note],
            settings={"models": [row for row in rows if len(row) > 1]},
            rules=Rules(keys={"models": "name"}),
        )
    ]
    limits = {
        f"openai/{name}": {
            "litellm_provider": "openai",
            "mode": "chat",
            "max_input_tokens": limit.context,
            "max_output_tokens": limit.output,
        }
        for name, limit in facts.limits.items()
    }
    if limits:
        outputs.append(Output(".aider.model.metadata.json", "json", origin(client, facts), defaults=limits))
    return outputs


def _moved(
    there: Mapping[str, Any], section: Sequence[str], key: str, name: str, address: Mapping[str, Any], facts: Facts
) -> Mapping[str, Any]:
    """The address for a row that an earlier export wrote, if the user said one; a user's own row keeps its own."""
    rows = _inside(there, *section)
    own = [row for row in rows if _inside(row, key) == name] if isinstance(rows, list) else []
    return address if facts.url_said and own and all(KEY in str(row) for row in own) else {}


def _continue(
    client: Client, facts: Facts, found: Sequence[Choice], _provider: str, there: Mapping[str, Any]
) -> list[Output]:
    defaults, rows = [], []
    for choice in found:
        named = {"name": choice.model.id, "provider": "openai", "model": choice.model.id}
        where = {"apiBase": f"{address_of(facts)}/v1", "apiKey": f"${{{{ secrets.{KEY} }}}}"}
        limit = facts.limits.get(choice.model.id)
        length = {"defaultCompletionOptions": {"contextLength": limit.context}} if limit else {}
        defaults.append({**named, **where, "roles": ["chat", "edit", "apply"], "capabilities": ["tool_use"], **length})
        row = _moved(there, ["models"], "name", choice.model.id, {"apiBase": where["apiBase"]}, facts)
        if choice.settings or row:
            rows.append({"name": choice.model.id, **choice.settings, **row})
    return [
        Output(
            name=client.file,
            form=client.format,
            head=head_of(client, facts, found),
            defaults={"name": facts.gateway, "version": "1.0.0", "schema": "v1", "models": defaults},
            settings={"models": rows} if rows else {},
            rules=Rules(keys={"models": "name"}),
        )
    ]


def _qwen_code(
    client: Client, facts: Facts, found: Sequence[Choice], _provider: str, there: Mapping[str, Any]
) -> list[Output]:
    defaults, rows = [], []
    for choice in found:
        limit = facts.limits.get(choice.model.id)
        size = {"generationConfig": {"contextWindowSize": limit.context}} if limit else {}
        where = {"baseUrl": f"{address_of(facts)}/v1"}
        defaults.append({"id": choice.model.id, "envKey": KEY, **where, **size})
        row = _moved(there, ["modelProviders", "openai"], "id", choice.model.id, where, facts)
        if choice.settings or row:
            rows.append({"id": choice.model.id, **choice.settings, **row})
    return [
        Output(
            name=client.file,
            form=client.format,
            head=head_of(client, facts, found),
            defaults={"modelProviders": {"openai": defaults}},
            settings={"modelProviders": {"openai": rows}} if rows else {},
            rules=Rules(keys={"openai": "id"}),
        )
    ]


def _cline(
    client: Client, facts: Facts, found: Sequence[Choice], _provider: str, _there: Mapping[str, Any]
) -> list[Output]:
    where = {"baseUrl": f"{address_of(facts)}/v1"}
    settings = {"provider": "openai-compatible", **where, "model": found[0].model.id}
    entry = {"tokenSource": "manual", "updatedAt": "2026-01-01T00:00:00.000Z", "settings": settings}
    defaults = {"version": 1, "lastUsedProvider": "openai-compatible", "modes": {}}
    note = "The key is not written here: set it in Cline. Choose a model with -m NAME."
    return [
        Output(
            name=client.file,
            form=client.format,
            head=[*head_of(client, facts, found), note],
            defaults={**defaults, "providers": {"openai-compatible": entry}},
            # Its one entry for all gateways: an address that the user says goes before what is there.
            settings={"providers": {"openai-compatible": {"settings": where}}} if facts.url_said else {},
        )
    ]


BUILDERS: Mapping[str, Builder] = {
    "aider": _aider,
    "continue": _continue,
    "cline": _cline,
    "qwen-code": _qwen_code,
    "pi": _pi,
    "opencode": _opencode,
    "codex": _codex,
    "claude-code": _claude_code,
}
