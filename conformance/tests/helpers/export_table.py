"""The table of `docs/export.md`, made of `clients.toml`: `python -m conformance.tests.helpers.export_table`."""

from __future__ import annotations

import re
from pathlib import Path

from conformance.export.clients import Client, load_clients
from conformance.tests.helpers.running import CHECKOUT

PAGE = CHECKOUT / "conformance" / "docs" / "export.md"
BEGIN, END = "<!-- made of clients.toml -->", "<!-- the end of it -->"


def table() -> str:
    """The table as Markdown."""
    rows = ["| `--for` | what it can be told | what it cannot | how that is proven |", "|---|---|---|---|"]
    rows += [f"| {' | '.join(_cells(client))} |" for client in load_clients().values()]
    return "\n".join(rows)


def _cells(client: Client) -> tuple[str, ...]:
    links = ", ".join(f"[{number}]({url})" for number, url in enumerate(client.docs, 1))
    file = f"`{client.file}`"
    name = f"`{client.id}`: {client.title} {client.version}, {file} ({links})"
    told = dict.fromkeys(parameter for lever in client.levers for parameter in lever.parameters)
    wires = [f"`{way.endpoint}`" for way in client.ways]
    can = ["which endpoint to use: " + ", ".join(wires)] if len(wires) > 1 and client.captured else []
    can += [_WHOLE[client.id]] if client.id in _WHOLE else []
    can += [", ".join(f"`{each}`" for each in told) or "its address"] if told or client.id not in _WHOLE else []
    cannot = [f"{_named(each.parameters)}: {each.why}" for each in client.cannot]
    return name, "; ".join(can), " ".join(cannot), client.proof


#: Clients whose export is made of all that is refused.
_WHOLE = {
    "litellm": "every field that is refused wherever it was asked; in `model_info`, abilities",
    "litellm-sdk": "every field that is refused, by endpoint",
    "vercel-ai": "every field at the top of a request that is refused, and levels of `reasoning_effort`",
}


def _named(parameters: tuple[str, ...]) -> str:
    return ", ".join(f"`{each}`" if re.fullmatch(r"[\w.:+]+", each) else each for each in parameters)


def renewed(text: str) -> str:
    """A page with the table in it."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    Path(PAGE).write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
