"""A hook for LiteLLM's proxy: sends each deployment what it takes, for every client, and mends what it refuses.

One line of `config.yaml` switches it on (`conformance/docs/hook.md`). LiteLLM calls it when it has chosen a deployment
and before it calls it, and again when that has failed. What a refusal names is then left out, and LiteLLM's own
retry sends the request again. Whatever goes wrong in here, a request goes on as it came.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from conformance.provider.errors import ConformanceError
from conformance.provider.headers import DROPPED_HEADER
from conformance.provider.integrations.litellm_calls import (
    CALLS,
    RETRIES,
    BadRequest,
    Call,
    changed,
    failed_before,
    read_call,
)
from conformance.provider.repair import Repair
from conformance.provider.repair.account import Account
from conformance.provider.repair.learned import Memory
from conformance.provider.table.layers import by_deployment, layered_table
from conformance.provider.transport.request_filter import repair_mode

_Base: Any = object
if not TYPE_CHECKING:
    try:
        from litellm.integrations.custom_logger import CustomLogger as _Base
    except ImportError:  # what is pure in here is tested where LiteLLM is not installed
        _Base = object


class _Named(logging.LoggerAdapter[logging.Logger]):
    """Says who speaks: LiteLLM's log has lines of many."""

    def process(self, msg: object, kwargs: MutableMapping[str, Any]) -> tuple[str, MutableMapping[str, Any]]:
        return f"litellm-conformance: {msg}", kwargs


logger = _Named(logging.getLogger("conformance.provider"), {})

#: How often LiteLLM may send a request again that was mended. It waits each time, and longer the second time.
RETRIES_OF_ONE = 2

#: What LiteLLM has declared, by what serves a deployment, with the time until which that is used; for how many seconds
#: that is, and of how many.
_KEPT: dict[str, tuple[float, tuple[str, ...] | None]] = {}
_KEPT_FOR, _MAX_KEPT = 60.0, 1024

#: Characters of the header's value, and what a name in it may be: it holds values that clients sent.
_MAX_HEADER = 2000
_NAME = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,200}")


@dataclass(slots=True, weakref_slot=True, eq=False)
class _Attempt:
    """One call of a deployment, and what is known of it."""

    call: Call
    dropped: tuple[str, ...]
    tried_again: tuple[str, ...]
    repair: Repair | None
    #: It was refused, and this is what to send instead.
    again: dict[str, Any] | None = None
    #: It has come to its end.
    settled: bool = False


class _Retries(dict[str, Any]):
    """A router's retries by model group, with which a request that was mended is sent again, and no other.

    The router asks it after a failure. The retries that the operator has set hold wherever nothing was mended.
    """

    def __init__(self, set_by_others: Mapping[str, Any], mended: Callable[[], bool]) -> None:
        super().__init__(set_by_others)
        self._mended = mended

    def __contains__(self, group: object) -> bool:
        return self._mended() or super().__contains__(group)

    def __getitem__(self, group: str) -> Any:
        kinds = ("BadRequestErrorRetries", "InternalServerErrorRetries", "DefaultRetries")
        return dict.fromkeys(kinds, RETRIES_OF_ONE) if self._mended() else super().__getitem__(group)

    def get(self, group: str, default: Any = None) -> Any:
        return self[group] if group in self else default  # noqa: SIM401 - which is what this is

    def __deepcopy__(self, _seen: Any) -> _Retries:
        return self


class ConformanceHook(_Base):  # type: ignore[misc]  # LiteLLM's class, where LiteLLM is
    """LiteLLM calls its methods, with names of arguments that are its own.

    `account` is what is known; without one nothing is done.
    """

    def __init__(self, account: Account | None, version: str | None = None) -> None:
        """Take what is known; `version` is LiteLLM's, by default that of the one that is installed."""
        super().__init__()
        self._account = account
        self._version = version or _installed()
        # An attempt lives as long as what LiteLLM logs of its request; failures are told by the request's id alone.
        self._of: WeakKeyDictionary[Any, _Attempt] = WeakKeyDictionary()
        self._by_id: WeakValueDictionary[str, _Attempt] = WeakValueDictionary()
        #: Whether this router was seen to send again what was mended.
        self._is_sent_again = False

    @classmethod
    def from_env(cls, cache_folder: Path | None = None) -> ConformanceHook:
        """The hook as the environment has it. Whatever is wrong there, one line tells, and it does nothing."""
        try:
            return cls(Account(by_deployment(layered_table()), repair_mode(None), Memory(cache_folder)))
        except ConformanceError as error:
            logger.error("the hook is off, requests go on as they come: %s", error)
        except Exception as error:  # LiteLLM would not start
            logger.error(
                "the hook is off, requests go on as they come: it failed (%s); please report this", type(error).__name__
            )
            logger.debug("the hook failed", exc_info=error)
        return cls(None)

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> Any:
        """Have the router send a request again that was mended."""
        if self._account is not None and self._account.repair != "off" and call_type in CALLS:
            try:
                others = data.get(RETRIES)
                others = others if isinstance(others, Mapping) else _set_by_operator()
                data[RETRIES] = _Retries(others, functools.partial(self._was_mended, data.get("litellm_call_id")))
            except Exception as error:
                _untouched("repairs of a request are off", error)
        return data

    async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> dict[str, Any] | None:
        """Leave out what the deployment refuses that LiteLLM has chosen."""
        if isinstance(kwargs.get(RETRIES), _Retries):  # a router that does not know it would send it
            kwargs = {name: value for name, value in kwargs.items() if name != RETRIES}
        try:
            return self._ready(kwargs, str(getattr(call_type, "value", call_type)))
        except Exception as error:
            _untouched("a request goes on as it came", error)
            return kwargs

    async def async_post_call_failure_deployment_hook(
        self, request_data: Mapping[str, Any], exception: Exception, call_type: Any, **more: Any
    ) -> None:
        """Learn from a refusal, in releases that tell it for each deployment."""
        self._failed(self._found(request_data.get("litellm_logging_obj"), None), exception)

    async def async_log_failure_event(
        self, kwargs: Mapping[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Learn from a refusal, in all releases, also from one in the middle of a stream."""
        self._failed(self._logged(kwargs), kwargs.get("exception"))

    async def async_log_success_event(
        self, kwargs: Mapping[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Remember what has helped. A stream has come to its end."""
        await self._answered(self._logged(kwargs))

    async def async_post_call_response_headers_hook(
        self,
        data: Mapping[str, Any],
        user_api_key_dict: Any,
        response: Any,
        request_headers: Any = None,
        litellm_call_info: Any = None,
    ) -> dict[str, str] | None:
        """Tell in a header of the answer what was left out of its request."""
        attempt = self._found(data.get("litellm_logging_obj"), data.get("litellm_call_id"))
        if attempt is None:
            return None
        if response is not None and attempt.call.kind.mode == "whole":
            await self._answered(attempt)
        told = header_value(attempt.dropped)
        return {DROPPED_HEADER: told} if told else None

    def _ready(self, kwargs: dict[str, Any], call_type: str) -> dict[str, Any]:
        if self._account is None:
            return kwargs
        call = read_call(kwargs, call_type, self._version, _declared)
        if call is None:
            return kwargs
        owner = kwargs.get("litellm_logging_obj")
        before = self._found(owner, None)
        if before is not None and not before.settled and (words := failed_before(kwargs)):
            self._failed(before, BadRequest(words))  # older releases tell of the first failure only
        if before is not None and before.again is not None and before.call.is_repeated_by(call):
            attempt, made = _mended(before, call), before.again
            self._is_sent_again = True
        else:
            # Without a retry it would be a client that pays for a look whether something is taken again.
            begun = self._account.begin(
                call.kind, call.body, call.question, call.key, call.allowed, may_try_again=self._is_sent_again
            )
            attempt, made = _Attempt(call, begun.found.dropped, begun.tried_again, begun.repair), begun.found.body
            self._tell(call, begun.found.dropped, begun.found.instead)
        if owner is not None:
            self._of[owner] = attempt
            if isinstance(kwargs.get("litellm_call_id"), str):
                self._by_id[kwargs["litellm_call_id"]] = attempt
        return changed(kwargs, call, made) if attempt.dropped else kwargs

    def _tell(self, call: Call, dropped: Iterable[str], instead: Mapping[str, str]) -> None:
        """Log what is left out, once for each deployment and parameter."""
        for name in dropped:
            if self._account is not None and self._account.is_news(call.kind.model, name):
                done = f"sent {instead[name]} instead" if name in instead else "left out"
                logger.info("%s does not take %s on %s: %s", call.kind.model, name, call.kind.endpoint, done)

    def _failed(self, attempt: _Attempt | None, exception: Any) -> None:
        """Work out what to send instead after a refusal, for the router's retry or else for the next request."""
        try:
            status = getattr(exception, "status_code", None)
            if attempt is None or attempt.settled or attempt.repair is None or self._account is None:
                return
            attempt.settled = True
            if not isinstance(status, int):
                return
            text = str(getattr(exception, "message", "") or exception)
            attempt.again = attempt.repair.next_body(max(status, 400), text)
            if attempt.again is not None:
                logger.info("%s", attempt.repair.event)
            elif attempt.repair.explanation:
                logger.info("not mended: %s", attempt.repair.explanation)
            if attempt.repair.said:
                # What is only searched for is nothing that the next request could build on.
                left = dict(attempt.repair.refused) if attempt.again is not None else attempt.repair.unfinished
                self._account.unfinished(attempt.call.kind, left)
        except Exception as error:
            _untouched("nothing is learnt from a refusal", error)

    async def _answered(self, attempt: _Attempt | None) -> None:
        """Keep what the answer to a request has taught."""
        try:
            if attempt is None or attempt.settled or attempt.repair is None or self._account is None:
                return
            attempt.settled = True
            call, repair, account = attempt.call, attempt.repair, self._account
            told = account.memory.version(call.kind)
            if repair.said or attempt.tried_again or (told and told != self._version):
                # It writes a file, and may have to wait for another process: not in the loop of all requests.
                await asyncio.to_thread(account.answered, call.kind, repair, attempt.tried_again, self._version)
                account.unfinished(call.kind, {})  # afterwards: a request that comes meanwhile still needs it
        except Exception as error:
            _untouched("nothing is learnt from an answer", error)

    def _found(self, owner: Any, request: Any) -> _Attempt | None:
        """The last attempt of a request, by what LiteLLM logs of it or by its id."""
        try:
            found = self._of.get(owner) if owner is not None else None
            return found or (self._by_id.get(request) if isinstance(request, str) else None)
        except TypeError:  # no weak references to it
            return None

    def _logged(self, kwargs: Mapping[str, Any]) -> _Attempt | None:
        """The attempt whose end is logged; another request may have the same id, but not of the same deployment."""
        attempt, model = self._found(None, kwargs.get("litellm_call_id")), kwargs.get("model")
        return attempt if attempt is not None and isinstance(model, str) and attempt.call.is_named(model) else None

    def _was_mended(self, request: Any) -> bool:
        attempt = self._found(None, request)
        return attempt is not None and attempt.again is not None


def _mended(before: _Attempt, call: Call) -> _Attempt:
    """The attempt with what was mended of the one before."""
    event = before.repair.event if before.repair is not None else None
    refused = event.parameters if event is not None else ()
    return _Attempt(call, tuple(dict.fromkeys((*before.dropped, *refused))), before.tried_again, before.repair)


def header_value(dropped: Iterable[str]) -> str:
    """The names of what was left out, as a header can carry them: of a value that it cannot, only its field."""
    told: dict[str, None] = {}
    for name in dropped:
        short = name if _NAME.fullmatch(name) else name.partition(":")[0]
        if _NAME.fullmatch(short):
            told[short] = None
    text = ", ".join(told)
    return text if len(text) <= _MAX_HEADER else f"{text[:_MAX_HEADER].rpartition(', ')[0]}, ..."


def _declared(served: str) -> tuple[str, ...] | None:
    """The chat parameters that LiteLLM declares for what serves a deployment, as `/model_group/info` does.

    None where it declares none: then it does not know. An answer is used for a minute, for LiteLLM may learn of models
    while it runs.
    """
    kept = _KEPT.get(served)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    told = _asked(served)
    if len(_KEPT) >= _MAX_KEPT:
        _KEPT.clear()
    _KEPT[served] = time.monotonic() + _KEPT_FOR, told
    return told


def _asked(served: str) -> tuple[str, ...] | None:
    route, slash, _ = served.partition("/")
    try:
        from litellm import get_supported_openai_params

        told = get_supported_openai_params(model=served, custom_llm_provider=route) if slash else None
    except Exception as error:
        logger.debug("what LiteLLM declares for %s is not known: %s", served, type(error).__name__)
        return None
    names = sorted({each for each in told if isinstance(each, str)}) if isinstance(told, list) else []
    return tuple(names) or None


def _set_by_operator() -> Mapping[str, Any]:
    """The retries by model group of the proxy's router, which a request's own would hide."""
    try:
        from litellm.proxy.proxy_server import llm_router
    except Exception:
        return {}
    found = getattr(llm_router, RETRIES, None)
    return found if isinstance(found, Mapping) else {}


def _untouched(what: str, error: Exception) -> None:
    """Log in one line that the hook has failed; the error's own words may hold what a client sent."""
    logger.warning("the hook failed, %s: %s", what, type(error).__name__)
    logger.debug("the hook failed", exc_info=error)


def _installed() -> str | None:
    """The version of LiteLLM in this environment."""
    try:
        return metadata.version("litellm")
    except metadata.PackageNotFoundError:
        return None


#: What `callbacks` in `config.yaml` names.
hook = ConformanceHook.from_env()
