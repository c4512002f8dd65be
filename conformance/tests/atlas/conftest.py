"""The browser that the pages' tests have."""

from __future__ import annotations

from conformance.tests.report.browser.conftest import chromium, opened

__all__ = ["chromium", "opened"]
