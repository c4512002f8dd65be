"""Writes what was measured as the configuration of LiteLLM, and of clients: each model with what it takes."""
