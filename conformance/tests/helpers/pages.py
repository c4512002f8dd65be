"""Matrices for the page's tests: large ones, and hostile ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, cast

from conformance.matrix.document import Matrix
from conformance.parameters import load_registry
from conformance.text.names import cassette_name

GATEWAY = {
    "name": "embedded",
    "url": "http://127.0.0.1",
    "software": "litellm",
    "version": "1.109.1",
    "simulated": True,
}
RUN = {
    "mode": "replay",
    "started_at": "2026-11-22T12:00:00Z",
    "finished_at": "2026-11-22T12:03:00Z",
    "complete": True,
    "requests": 4,
    "selection": None,
}
PLANES = tuple((endpoint, mode) for endpoint in ("chat_completions", "responses") for mode in ("whole", "stream"))

#: The characters that a page is attacked with: markup, quotes, direction marks, what HTML and UTF-8 cannot hold.
HOSTILE = (
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "\"'`' onmouseover=\"window.hacked=1",
    "{{ 7*7 }}{% raw %}<!--",
    "\u202egnp.txt\u2066\u200f",
    "nul\x00 bell\x07 escape\x1b lone \ud800 \udfff separators \u2028\u2029 bom \ufeff \uffff",
    "$(touch hacked) `id` 'quoted' \\ %41 &amp; &lt; #cell=a/b/c/d",
    "__proto__",
    "constructor",
    "]]>--></style></title></noscript></template>",
    "سلام שלום",
    "a" * 10_000,
)


def matrix_with(cells: Sequence[dict[str, Any]], models: Sequence[dict[str, Any]] = (), **gateway: Any) -> Matrix:
    """A matrix of these cells; models that are not given have no route."""
    matrix: Any = {
        "schema_version": 1,
        "gateway": {**GATEWAY, **gateway},
        "run": dict(RUN),
        "models": list(models)
        or [{"id": name, "route": None, "served_by": []} for name in dict.fromkeys(c["model"] for c in cells)],
        "cells": list(cells),
    }
    return cast("Matrix", matrix)


def cell(
    model: str = "claude-x", parameter: str = "store:true", verdict: str = "accepted", **parts: Any
) -> dict[str, Any]:
    """A matrix cell, on `chat_completions`, whole, without evidence, unless told otherwise."""
    return {
        "model": model,
        "endpoint": "chat_completions",
        "mode": "whole",
        "parameter": parameter,
        "fields": [parameter.partition(":")[0] or "field"],
        "verdict": verdict,
        "rejected_by": "gateway" if verdict == "rejected" else None,
        "reason": "because.",
        "declared": None,
        "evidence": [],
        **parts,
    }


def large_matrix(models: int = 500, parameters: int = 60) -> Matrix:
    """A matrix in which every parameter was asked on each endpoint and in each mode; the same each time."""
    chance = random.Random(7)  # noqa: S311  for variety, not for secrets
    ids = [parameter.id for parameter in load_registry().parameters][:parameters]
    ids += [f"parameter_{number}" for number in range(len(ids), parameters)]
    rows = [
        {"id": f"vendor-{n % 9}-model-{n:03}", "route": f"route-{n % 9}", "served_by": [f"route-{n % 9}/model-{n:03}"]}
        for n in range(models)
    ]
    cells = [found for row in rows for plane in PLANES for found in _large_plane(str(row["id"]), plane, ids, chance)]
    return matrix_with(cells, rows)


def _large_plane(model: str, plane: tuple[str, str], ids: Sequence[str], chance: random.Random) -> list[dict[str, Any]]:
    """One model on one plane: about 36 exchanges for 60 cells, as a real run has."""
    file = cassette_name(model)
    digests = [f"{file}#{chance.getrandbits(64):016x}" for _ in range(36)]
    verdicts = chance.choices(
        ("honoured", "accepted", "ignored", "rejected", "inconclusive"), (29, 42, 1, 26, 2), k=len(ids)
    )
    found = []
    for number, (parameter, verdict) in enumerate(zip(ids, verdicts, strict=True)):
        rejected = verdict == "rejected"
        refusal = f"litellm.UnsupportedParamsError: route does not support parameters: ['{parameter}'], for {model=}."
        reason = f"refused with 400: {refusal}"
        shown = [digests[3 + number % 33], digests[0]] if rejected else [digests[3 + number % 9], *digests[:3]]
        found.append(
            cell(
                model,
                parameter,
                verdict,
                endpoint=plane[0],
                mode=plane[1],
                reason=reason if rejected else f"the answer shows {parameter.partition(':')[0]}.",
                declared=(plane[0] == "chat_completions" and number % 3 > 0) or None,
                evidence=shown,
            )
        )
    return found
