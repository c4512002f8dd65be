"""Which answers the sender asks for again, and when. Pure.

That is what a moment's wait may change whatever was asked: a push-back, an answer that names a
wait, and a connection that was not there or broke. Every other answer says something about the
request, and goes to the dialogue, which asks again beside a baseline.
"""

from __future__ import annotations

import re

from conformance.answers.reading import Answer
from conformance.judge.verdicts import answer_of, is_refusal
from conformance.provider.rate_limits import named_wait
from conformance.types import Exchange, Request, Response

#: Seconds to wait where an answer names none, times the attempts so far; and the longest wait that is obeyed.
DEFAULT_WAIT = 2.0
MAX_WAIT = 60.0

#: The statuses of a server that has too much to do just now.
PUSH_BACK = frozenset({429, 503, 529})

#: Refusals of what was asked: nothing becomes right by waiting.
_ABOUT_THE_REQUEST = frozenset({400, 404, 405, 413, 422})
#: Refusals that are about the key, its rights and its budget, and not about what was asked.
_ABOUT_THE_KEY = frozenset({401, 402, 403, 407})
_BUDGET = re.compile(r"budget_?\s?(has been )?exceeded|exceeded_?\s?budget", re.IGNORECASE)
#: What another day may bring another answer to.
_PASSING = PUSH_BACK | {408, 500, 502, 504}


def is_nobody(response: Response) -> bool:
    """True where no gateway answered: nothing came, or a load balancer's page says that nobody is there."""
    if response.status is None:
        return True
    return response.status in (502, 503, 504) and not response.body.lstrip().startswith((b"{", b"["))


def wait_before_again(request: Request, response: Response, answer: Answer, attempt: int) -> float | None:
    """Seconds to wait before another attempt at what failed so often; None where it is not asked again."""
    if answer.ok or (request.fetch and answer.status != 429):  # gateways without stored answers say so with a 500
        return None
    named = None
    if answer.refusal is not None and answer.status not in _ABOUT_THE_REQUEST:
        named = _named(response, answer)
    if named is None and not (answer.status in PUSH_BACK or response.error is not None or is_nobody(response)):
        return None
    return min(MAX_WAIT, DEFAULT_WAIT * attempt if named is None else named)


def _named(response: Response, answer: Answer) -> float | None:
    """The wait that a failure names; only of a push-back are the text and the budgets in its headers about that."""
    told = answer.status in PUSH_BACK
    return named_wait(response.body if told else b"", headers=response.headers, budgets=told)


def is_settled(exchange: Exchange) -> bool:
    """True where asking again is likely to bring the same: a success, or a refusal that is about the request.

    A key that has expired or has spent its budget is not: `--resume` comes with another.
    """
    answer = answer_of(exchange)
    if answer.ok:
        return True
    if answer.refusal is None or answer.status in _ABOUT_THE_KEY or _BUDGET.search(answer.refusal):
        return False
    if exchange.request.fetch:
        return answer.status != 429
    return answer.status not in _PASSING and is_refusal(answer)
