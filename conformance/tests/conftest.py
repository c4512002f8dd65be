"""Hypothesis for the tests: what takes too long is tested by itself, not by a busy machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("conformance", deadline=None)
settings.load_profile("conformance")
