"""Errors of the provider module; the rest of the package builds on the same base."""

from __future__ import annotations


class ConformanceError(Exception):
    """Base of all errors a user can cause: `str(error)` is the one line shown to them."""

    exit_code = 4


class TargetError(ConformanceError):
    """The gateway's address or key is missing or malformed."""


class HomeError(ConformanceError, RuntimeError):
    """A path begins in a home folder that is not known. It is a `RuntimeError` as Python's own: caches do without."""


class TableError(ConformanceError):
    """A matrix, a support table or an overrides file does not fit its schema."""


class NewerTableError(TableError):
    """A support table was written by a later release."""


class GatewayError(ConformanceError):
    """The gateway cannot be asked for its models, or answers with something else."""


class KeyRefusedError(GatewayError):
    """The gateway was reached and refuses the key."""
