"""Switches the plugin on for this checkout, installed or not."""

pytest_plugins = ["conformance.plugin"]
