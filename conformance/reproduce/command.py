"""`python -m conformance reproduce`: a cell as a bug report, from its recording or by asking the gateway again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from conformance.cassettes.folder import Folder
from conformance.errors import ReportError
from conformance.exchange.budget import Budget
from conformance.exchange.sender import Sender
from conformance.judge.dialogue import Ask
from conformance.matrix.document import Matrix
from conformance.parameters import Registry, load_registry
from conformance.provider.target import Target
from conformance.reproduce.finding import fault_of, find_cell
from conformance.reproduce.shrinking import MOST, Shrunk, shrink
from conformance.reproduce.writing import as_markdown
from conformance.secrets.scrubbing import Scrubber

#: What is sent to check a request that was reduced comes beside it.
_BESIDE = 8


def reproduce(
    name: str, matrix: Matrix, recording: Folder, *, ask: bool, target: Target | None, say: Callable[[str], None]
) -> str:
    """The report of a cell, as Markdown.

    With `ask` the smallest request is looked for by asking `target`, or the embedded gateway where that was measured
    and no other is named. Raises `ConformanceError` for whatever a user can cause.
    """
    registry = load_registry()
    cell = find_cell(matrix, name)
    fault = fault_of(cell, recording.read_model(cell["model"]), registry)
    if not ask:
        return as_markdown(fault, matrix, registry, None, Scrubber())
    with _asked(matrix, target, say) as gateway:
        shrunk = asyncio.run(_hold(shrink(fault), gateway, registry))
        elsewhere = target is not None and matrix["gateway"]["simulated"]
        scrub = Scrubber(gateway.secrets, [gateway.base_url])
        return as_markdown(fault, matrix, registry, shrunk, scrub, elsewhere=elsewhere)


@contextlib.contextmanager
def _asked(matrix: Matrix, target: Target | None, say: Callable[[str], None]) -> Iterator[Target]:
    """The gateway to ask."""
    if target is not None:
        yield target
    elif not matrix["gateway"]["simulated"]:
        raise ReportError(
            f"--ask asks the gateway {matrix['gateway']['name']} again, and none is named; set LITELLM_BASE_URL and "
            "LITELLM_API_KEY, or leave out --ask"
        )
    else:
        # Imported here: it needs the extra `embedded`.
        from conformance.embedded import embedded_gateway

        with embedded_gateway(version=matrix["gateway"]["version"], say=say) as gateway:
            yield Target(gateway.base_url, gateway.api_key)


async def _hold(dialogue: Ask[Shrunk], target: Target, registry: Registry) -> Shrunk:
    """Hold a dialogue with a gateway, one request after the other."""
    sender = Sender(target, registry.paths, 1, budget=Budget(MOST + _BESIDE))
    async with sender.open():
        try:
            requests = next(dialogue)
            while True:
                requests = dialogue.send(tuple([await sender.exchange(request) for request in requests]))
        except StopIteration as end:
            found: Shrunk = end.value
            return found
