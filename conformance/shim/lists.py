"""Asks the gateway for its list of models, with a client's own key, so that the filter knows what serves each model."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass, replace

from conformance.provider.errors import GatewayError
from conformance.provider.models.fetching import fetch_async
from conformance.provider.repair.learned import address
from conformance.provider.target import Target
from conformance.provider.whereabouts import Whereabouts
from conformance.shim.headers import KEYS, Pairs, as_texts

logger = logging.getLogger("conformance.shim")

#: Seconds that the first request with a key waits for the list; after which it is asked for anew, and after which one
#: that did not come.
PATIENCE, ASKED_AGAIN_AFTER, TRIED_AGAIN_AFTER = 2.0, 3600.0, 60.0

#: So many keys are remembered, before that starts anew.
_MAX_KEYS = 256


@dataclass(frozen=True)
class _Asked:
    """When a list was asked for, in seconds of the monotonic clock, whether it came, and whether it had before."""

    since: float
    task: asyncio.Task[bool]
    again: bool

    def is_old(self, now: float) -> bool:
        """Whether it is time to ask again."""
        failed = self.task.done() and (self.task.cancelled() or not self.task.result())
        return now - self.since >= (TRIED_AGAIN_AFTER if failed else ASKED_AGAIN_AFTER)


class Lists:
    """The lists that a gateway gives to each key. Never raises: without a list, answers tell what serves a model."""

    def __init__(self, target: Target, whereabouts: Whereabouts) -> None:
        """Nothing is asked yet; `target` has no key, and the headers that every request gets."""
        self._target, self._whereabouts = target, whereabouts
        self._asked: dict[str, _Asked] = {}

    async def known_to(self, headers: Pairs) -> None:
        """Wait for the list that the key in these headers opens, where it was never asked for, but not for long."""
        opening = as_texts([(name, value) for name, value in headers if name in KEYS])
        whose = hashlib.sha256(repr(sorted(opening.items())).encode()).hexdigest()
        now, asked = time.monotonic(), self._asked.get(whose)
        if asked is None or asked.is_old(now):
            if len(self._asked) >= _MAX_KEYS:
                self._asked.clear()
            task = asyncio.ensure_future(self._ask(opening))
            asked = self._asked[whose] = _Asked(now, task, again=asked is not None)
        left = PATIENCE - (now - asked.since)
        if not asked.again and not asked.task.done() and left > 0:
            await asyncio.wait((asked.task,), timeout=left)

    async def _ask(self, opening: dict[str, str]) -> bool:
        """Ask for the list, and take note of it; True where it came."""
        target = replace(self._target, headers={**opening, **self._target.headers})
        try:
            fetched = await fetch_async(target)
            await asyncio.to_thread(fetched.note, self._whereabouts, address(target.base_url))
        except GatewayError as error:
            logger.debug("%s gives no list of models to this key: %s", target.base_url, error)
            return False
        except Exception as error:
            logger.debug("the list of models was not read: %s", type(error).__name__)
            return False
        return True
