"""Where `conformance.provider.integrations` was before; what the documents named is still found here."""
