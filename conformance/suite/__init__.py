"""The generated conformance tests: one per cell. Run with `pytest --pyargs conformance.suite`."""
