"""Prompt caches: of vendors that cache unasked, as OpenAI does, and of those that are asked to, as Anthropic is."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase

from conformance.embedded.simulators.completion import Ask, Cached, Stretch, digest
from conformance.embedded.simulators.schemas import fields

_MINIMUM, _STEP = 1024, 128  # https://platform.openai.com/docs/guides/prompt-caching


class PromptCache:
    """Which prompts a vendor has seen, so that a repeated one reports cached tokens as a real one does."""

    def __init__(self) -> None:
        """No prompt has been seen."""
        self._seen: dict[tuple[str, str, str, str], tuple[str, ...]] = {}
        self._kept: set[str] = set()

    def use(self, ask: Ask) -> Cached:
        """What the cache does for a prompt; remembers the prompt."""
        return Cached(self._unasked(ask)) if ask.stretches is None else self._asked(ask, ask.stretches)

    def _unasked(self, ask: Ask) -> int:
        pieces = tuple(ask.prompt[start : start + 4] for start in range(0, len(ask.prompt), 4))
        if len(pieces) < _MINIMUM:
            return 0
        key = (ask.vendor, ask.model, ask.cache_key, digest(pieces[:_MINIMUM]))
        before = self._seen.get(key, ())
        self._seen[key] = pieces
        shared = next((at for at, (old, new) in enumerate(zip(before, pieces, strict=False)) if old != new), None)
        common = min(len(before), len(pieces)) if shared is None else shared
        return common - common % _STEP if common >= _MINIMUM else 0

    def _asked(self, ask: Ask, stretches: tuple[Stretch, ...]) -> Cached:
        """Reads the longest prefix that was kept, and keeps the prefix up to each breakpoint.

        https://platform.claude.com/docs/en/build-with-claude/prompt-caching#how-prompt-caching-works
        """
        prefixes = _prefixes(ask, stretches)
        read = max((size for name, size, _ttl in prefixes if name in self._kept), default=0)
        counted, written = read, Counter[str]()
        for name, size, ttl in prefixes:
            if ttl is not None and size > counted and size >= _least(ask.model):
                written[ttl] += size - counted
                counted = size
                self._kept.add(name)
        return Cached(read, dict(written))


def _prefixes(ask: Ask, stretches: tuple[Stretch, ...]) -> list[tuple[str, int, str | None]]:
    """Each beginning of the prompt that a cache could hold: its name, its tokens, and how long it shall be kept."""
    found, name, text = [], f"{ask.vendor} {ask.model}", 0
    for stretch in stretches:
        name, text = digest([name, stretch.text]), text + len(stretch.text) + 1
        found.append((name, -(-(text - 1) // 4), stretch.ttl))
    last = max((at for at, (_name, _size, ttl) in enumerate(found, 1) if ttl is not None), default=0)
    return found[:last]


def _least(model: str) -> int:
    rows = fields()["cached_from"]
    found = (row["tokens"] for row in rows if any(fnmatchcase(model, pattern) for pattern in row["models"]))
    return next(found, _MINIMUM)
