"""Dialogues: generators that yield requests and are sent the exchanges that answer them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from conformance.judge.verdicts import answer_of, is_refusal, is_vague, says_no
from conformance.types import Exchange, Request

T = TypeVar("T")

#: Yields requests to send at once; is sent their exchanges, None for each that was never made.
Ask = Generator[tuple[Request, ...], tuple[Exchange | None, ...], T]

#: How often a request is made that gets neither a yes nor a no.
PATIENCE = 3


def one(request: Request) -> Ask[Exchange | None]:
    """Ask once."""
    [exchange] = yield (request,)
    return exchange


def patiently(make: Callable[[int], Request], *, vague: int = 1, patience: int = PATIENCE) -> Ask[Exchange | None]:
    """Ask until somebody says yes or no, a few times: rate limits, broken connections and cut streams may pass.

    `vague` is how many server errors that name nothing it takes for a no; where one is enough, the caller asks again.
    """
    exchange: Exchange | None = None
    for again in range(patience):
        exchange = yield from one(make(again))
        if exchange is None:
            break
        answer = answer_of(exchange)
        if answer.ok or is_refusal(answer):
            break
        vague -= is_vague(answer)
        if says_no(answer) and (vague <= 0 or not is_vague(answer)):
            break
    return exchange


def together(dialogues: Iterable[Ask[None]]) -> Ask[None]:
    """Hold several dialogues at once: each round asks what all of them ask next."""
    waiting: list[tuple[Ask[None], tuple[Request, ...]]] = []
    for dialogue in dialogues:
        try:
            waiting.append((dialogue, next(dialogue)))
        except StopIteration:
            continue
    while waiting:
        exchanges = iter((yield tuple(request for _, requests in waiting for request in requests)))
        going = []
        for dialogue, requests in waiting:
            try:
                going.append((dialogue, dialogue.send(tuple(next(exchanges) for _ in requests))))
            except StopIteration:
                continue
        waiting = going
