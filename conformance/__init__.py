"""Caniuse for LLM gateways: measure which request parameters each model really supports."""

__version__ = "0.1.0"
