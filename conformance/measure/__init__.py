"""Drives it all: a live run, a replay, a merger."""
