"""Every error a user can meet, each one line: what happened, to what, what to do next.

What can go wrong, in the order of a run (each ends it with exit code 4, `StoppedError` with 2):

=======================  ================================================================
`TargetError`            the gateway's address or key is missing or malformed
`EmbeddedGatewayError`   the embedded gateway cannot be installed or started
`DiscoveryError`         the gateway cannot be reached, refuses the key, or has no models
`RegistryError`          the parameter registry, or an option that names one, is wrong
`CassetteError`          a recording is missing, unreadable, or of another kind
`StoppedError`           a recording stopped before its end: the gateway is gone, or
                         the budget is used up (`BudgetError`)
`LeakError`              a file held the API key in spite of scrubbing, and was removed
`ReportError`            a report cannot be written, or its matrix is missing
`PiExtensionError`       the Pi extension cannot be installed or removed
`ShimError`              the shim cannot be started
`ClientError`            a client cannot be installed, run or captured
`ExportError`            a configuration cannot be made, read or written
`TableError`             a support table, a matrix or the overrides do not fit their schema
=======================  ================================================================

The pytest plugin turns each into `pytest.UsageError`, the command line into one line on
stderr. None of them ever carries an API key.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from conformance.provider.errors import ConformanceError, NewerTableError, TableError, TargetError

__all__ = [
    "AtlasError",
    "BudgetError",
    "CassetteError",
    "ClientError",
    "ConformanceError",
    "DiscoveryError",
    "EmbeddedGatewayError",
    "ExportError",
    "LeakError",
    "NewerTableError",
    "PiExtensionError",
    "RegistryError",
    "ReportError",
    "ShimError",
    "StoppedError",
    "TableError",
    "TargetError",
    "first_of",
    "meant",
    "quoted",
]


#: How alike a name has to be for a suggestion, from 0 to 1; difflib's own 0.6 takes `nope` for `opencode`.
_NEAR = 0.7


def meant(name: str, known: Iterable[str]) -> str:
    """Ask whether one of these names was meant, as the end of an error's line; empty where none is near."""
    spelt = {str(each).casefold(): str(each) for each in known}
    near = difflib.get_close_matches(name[:100].casefold(), list(spelt), n=1, cutoff=_NEAR)
    return f"; did you mean {spelt[near[0]]!r}?" if near else ""


def quoted(name: str, most: int = 100) -> str:
    """A name that a user gave, for a line: in quotes, and no longer than a line should be."""
    return repr(name if len(name) <= most else f"{name[:most]}…")


def first_of(names: Sequence[str], most: int = 5) -> str:
    """Names for a line: the first of them, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


class EmbeddedGatewayError(ConformanceError):
    """The embedded gateway cannot be installed or started."""


class DiscoveryError(ConformanceError):
    """The gateway cannot be reached, refuses the key, or lists no usable models."""


class RegistryError(ConformanceError):
    """The parameter registry is malformed, or an option names a parameter it does not hold."""


class CassetteError(ConformanceError):
    """A recording is missing, unreadable, or not of the kind expected."""


class LeakError(ConformanceError):
    """A file of a run held the API key; it was removed."""


class ReportError(ConformanceError):
    """A report cannot be written, or its matrix cannot be read."""


class NothingShownError(ConformanceError):
    """A run decided no cell of any model, and what was recorded before stays."""


class StoppedError(ConformanceError):
    """A recording stopped early, for example because the gateway went away. What was measured is kept.

    `way_on` says how to continue.
    """

    exit_code = 2  # as pytest's own for an interrupted run
    way_on = "continue with --resume"


class BudgetError(StoppedError):
    """A recording stopped early, because its budget is used up, or too small for one more request."""


class PiExtensionError(ConformanceError):
    """The Pi extension cannot be installed or removed."""


class ShimError(ConformanceError):
    """The shim cannot be started: a package is missing, no gateway is named, or its port is taken."""


class CacheError(ConformanceError):
    """The user's cache folder, which holds what is installed, cannot be written to."""


class AtlasError(ConformanceError):
    """The atlas, or what it needs, cannot be read or written."""


class ExportError(ConformanceError):
    """A configuration cannot be made of what is known, read, or written."""


class ClientError(ConformanceError):
    """A client cannot be installed, run or captured, or no client has that name."""
