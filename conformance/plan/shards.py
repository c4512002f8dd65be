"""Which models one of several machines measures: `--shard 2/3`, by digest of the model's id. Pure.

A model belongs to one shard whole, so that its cassette does too, and to the same one on every machine
whatever else the gateway lists.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from conformance.errors import ConformanceError, DiscoveryError, quoted
from conformance.text.counting import counted
from conformance.types import Model

_WRITTEN = re.compile(r"(\d{1,6})/(\d{1,6})", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """The `index`-th of `total` parts, counted from 1."""

    index: int
    total: int

    def __str__(self) -> str:
        """As the option writes it."""
        return f"{self.index}/{self.total}"

    def holds(self, model: str) -> bool:
        """True where a model, by its id, belongs to this part."""
        digest = hashlib.sha256(model.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % self.total == self.index - 1

    def of(self, models: Iterable[Model]) -> tuple[Model, ...]:
        """The models of this part. Raises `DiscoveryError` where there is none."""
        models = tuple(models)
        chosen = tuple(model for model in models if self.holds(model.id))
        if not chosen:
            raise DiscoveryError(
                f"--shard {self} holds none of the {counted(len(models), 'model')}; split them into fewer parts"
            )
        return chosen


def shard_from(text: str | None) -> Shard | None:
    """Read `--shard`, None where it is not given. Raises `ConformanceError` for what is no part of a whole."""
    if text is None:
        return None
    written = _WRITTEN.fullmatch(text)
    if written and 1 <= int(written[1]) <= int(written[2]):
        return Shard(int(written[1]), int(written[2]))
    raise ConformanceError(f"--shard {quoted(text)} is not a part; write I/N with I from 1 to N, such as 2/3")
