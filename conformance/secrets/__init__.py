"""Keeping keys out of files: taking them out before writing, and a search afterwards."""
