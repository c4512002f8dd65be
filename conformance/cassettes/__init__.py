"""Recordings on disk. The only room that knows vcrpy."""
