"""The names that other programs' settings hold: what they name is `conformance.provider.integrations`."""
