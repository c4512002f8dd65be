"""Rows of JSON, kept packed in memory a block at a time: a million cells take 50 MB, and not 1.5 GB. Pure."""

from __future__ import annotations

import itertools
import marshal
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar, overload

#: A row: a dict that holds only what JSON holds.
Row = TypeVar("Row")


class Block(Generic[Row]):
    """Some rows, packed; `len` tells how many without unpacking them."""

    __slots__ = ("_length", "_packed")

    def __init__(self, rows: Sequence[Row]) -> None:
        """Pack rows, which hold only what JSON holds."""
        self._length = len(rows)
        self._packed = zlib.compress(marshal.dumps(list(rows)), 1)  # marshal: read back by this process alone

    def __len__(self) -> int:
        """How many rows there are."""
        return self._length

    def rows(self) -> list[Row]:
        """The rows, made anew each time."""
        rows: list[Row] = marshal.loads(zlib.decompress(self._packed))  # noqa: S302  our own bytes
        return rows


class Packed(Sequence[Row]):
    """The rows of some blocks, one after another, unpacked as they are gone through."""

    def __init__(self, blocks: Iterable[Block[Row]]) -> None:
        """Take the blocks in their order."""
        self._blocks = tuple(blocks)
        self._length = sum(map(len, self._blocks))

    def __len__(self) -> int:
        """How many rows there are in all."""
        return self._length

    def __iter__(self) -> Iterator[Row]:
        """The rows, in order."""
        return itertools.chain.from_iterable(block.rows() for block in self._blocks)

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        """A row, or some; only the blocks that are needed for one row are unpacked."""
        if isinstance(index, slice):
            return list(self)[index]
        left = index + self._length if index < 0 else index
        for block in self._blocks if left >= 0 else ():
            if left < len(block):
                return block.rows()[left]
            left -= len(block)
        raise IndexError(index)

    def __eq__(self, other: object) -> bool:
        """True for the same rows in the same order, packed or not."""
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(_same, self, other))

    __hash__ = None  # type: ignore[assignment]  # as a list has none


def _same(one: object, other: object) -> bool:
    return one == other
