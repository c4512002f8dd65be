"""The models behind a gateway, and the way to talk to them.

>>> provider = LiteLLMProvider("http://localhost:4000", "sk-key")
>>> provider.model("claude-haiku-4-5").max_tokens  # known by the rules, asked or not
4096
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.provider.errors import GatewayError, KeyRefusedError, TargetError
from conformance.provider.models import Cost, Model
from conformance.provider.models.cache import Cached, read_models, write_models
from conformance.provider.models.capabilities import capabilities_of
from conformance.provider.models.catalogue import Listed, number_of
from conformance.provider.models.compat import compat_of
from conformance.provider.models.fetching import Fetched, fetch, fetch_async
from conformance.provider.repair import RepairMode
from conformance.provider.repair.learned import address
from conformance.provider.table import SupportTable
from conformance.provider.table.layers import Table, layered_table
from conformance.provider.target import ENVIRONMENT, Target, gateway_name, make_target, target_from_env
from conformance.provider.transport.request_filter import OnRepair, RequestFilter

if TYPE_CHECKING:
    from conformance.provider.stream.events import Event

logger = logging.getLogger("conformance.provider")

#: Seconds for which a list on disk is as good as a fresh one.
MAX_AGE = 300.0


class StaleModelsWarning(UserWarning):
    """The gateway cannot be asked for its models; the last list that it gave is used."""


class LiteLLMProvider:
    """The models of one gateway, what each of them can do, and a stream from any of them.

    `headers` go with every request, for a gateway that wants more than a key, or another one:
    `authorization` takes the key's place. `table` is the user's support table over the shipped one;
    `cache_folder` is for model lists and what refusals teach, by default in the user's own cache.
    `repair` and `on_repair` say what is done about a refusal and who hears of it, as for `RequestFilter`.
    Raises `TargetError` for an address, a key or a header that cannot be used, `TableError` for such a
    table, and `ConformanceError` for such a `repair`; nothing is asked of the gateway yet.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        headers: Mapping[str, str] | None = None,
        table: Table | None = None,
        cache_folder: Path | None = None,
        repair: RepairMode | None = None,
        on_repair: OnRepair | None = None,
    ) -> None:
        """Check the address, the key and the headers, and load the table."""
        self.target: Target = make_target(base_url, api_key, headers=headers)
        self.table: SupportTable = layered_table(table)
        #: What every client of this provider sends its requests through.
        self.request_filter = RequestFilter(
            table=self.table,
            base_url=self.target.base_url,
            repair=repair,
            on_repair=on_repair,
            cache_folder=cache_folder,
        )
        self._gateway, self._address = gateway_name(self.target.base_url), address(self.target.base_url)
        self._folder = cache_folder
        self._cached: Cached | None = None
        self._built: tuple[Cached, tuple[Model, ...]] | None = None
        self._client: Any = None

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        table: Table | None = None,
        cache_folder: Path | None = None,
        repair: RepairMode | None = None,
        on_repair: OnRepair | None = None,
    ) -> LiteLLMProvider:
        """The gateway that `LITELLM_BASE_URL` and `LITELLM_API_KEY` name, else the `OPENAI_` pair.

        `LITELLM_HEADERS` holds further headers: a JSON object, or `Name: value` lines.

        Raises `TargetError` where neither is set, or where one cannot be used.
        """
        target = target_from_env(environ)
        if target is None:
            (url, key), (other, _) = ENVIRONMENT
            raise TargetError(f"no gateway is named; set {url} and {key} (or {other} and its key)")
        return cls(
            target.base_url,
            target.api_key,
            headers=target.headers,
            table=table,
            cache_folder=cache_folder,
            repair=repair,
            on_repair=on_repair,
        )

    def __repr__(self) -> str:
        """The address alone."""
        return f"{type(self).__name__}({self.target.base_url!r})"

    def models(self, *, max_age: float = MAX_AGE) -> tuple[Model, ...]:
        """The models that chat, in the gateway's order.

        A list younger than `max_age` seconds is used as it is, 0 asks anew. Where the gateway cannot
        be asked, the last list that it gave is used, with a `StaleModelsWarning`; raises `GatewayError`
        where there is none, and `KeyRefusedError` where the key is refused.
        """
        if not self._fresh(max_age):
            try:
                self._keep(fetch(self.target))
            except GatewayError as error:
                self._fall_back(error)
        return self._models()

    async def amodels(self, *, max_age: float = MAX_AGE) -> tuple[Model, ...]:
        """`models` for asyncio."""
        if not self._fresh(max_age):
            try:
                self._keep(await fetch_async(self.target))
            except GatewayError as error:
                self._fall_back(error)
        return self._models()

    def model(self, model_id: str) -> Model:
        """One model, known by the last list or else by the rules alone. Asks nobody.

        Raises `ValueError` for an id that is empty or no text.
        """
        if not isinstance(model_id, str) or not model_id.strip():
            raise ValueError("a model's id must be a string that is not empty")
        cached = self._known()
        listed = {each.id: each for each in cached.models} if cached else {}
        return self._model(listed.get(model_id, Listed(model_id)))

    def stream(
        self, model: Model | str, messages: Sequence[Mapping[str, Any]], **options: Any
    ) -> AsyncGenerator[Event, None]:
        """Ask a model, and get its answer as events; `conformance.provider.stream.stream` has the options.

        Needs the OpenAI SDK: `pip install litellm-conformance[provider]`.
        """
        from conformance.provider.stream import stream
        from conformance.provider.stream.client import client_of

        asked = model if isinstance(model, Model) else self.model(model)
        self._client = client_of(self.target, self.request_filter, self._client)
        place = self.request_filter.whereabouts
        known: dict[str, Any] = {
            "table": self.table,
            "gateway": self._gateway,
            "gateway_version": place.version(self._address),
            "served_by": place.served_by(self._address, asked.id),
            "declared": place.declared(self._address, asked.id),
            "secrets": self.target.secrets,
        }
        return stream(self._client.openai, asked, messages, **known, **options)

    async def aclose(self) -> None:
        """Close the connections that streams have left open for the next one."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def __aenter__(self) -> LiteLLMProvider:
        """Nothing to open."""
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close the connections."""
        await self.aclose()

    def _known(self) -> Cached | None:
        if self._cached is None:
            self._cached = read_models(self.target, self._folder)
        return self._cached

    def _fresh(self, max_age: float) -> bool:
        cached = self._known()
        return cached is not None and cached.age < max_age

    def _keep(self, fetched: Fetched) -> None:
        self._cached = write_models(self.target, fetched.models, self._folder)
        fetched.note(self.request_filter.whereabouts, self._address)

    def _fall_back(self, error: GatewayError) -> None:
        """Go on with the last list, unless there is none or it is the key that is at fault."""
        cached = self._known()
        if cached is None or isinstance(error, KeyRefusedError):
            raise error
        message = f"{error}; using the {len(cached.models)} models that it listed {_ago(cached.age)}"
        logger.warning("%s", message)
        warnings.warn(message, StaleModelsWarning, stacklevel=3)

    def _models(self) -> tuple[Model, ...]:
        cached = self._known()
        if cached is None:
            return ()
        if self._built is None or self._built[0] is not cached:
            self._built = cached, tuple(map(self._model, cached.models))
        return self._built[1]

    def _model(self, listed: Listed) -> Model:
        can, known = capabilities_of(listed.id, listed.declared), self.request_filter.whereabouts
        served = listed.served_by or known.served_by(self._address, listed.id)
        return Model(
            id=listed.id,
            name=listed.id,
            reasoning=can.reasoning,
            input=tuple(can.input),
            cost=_cost(listed.declared),
            context_window=can.context_window,
            max_tokens=can.max_tokens,
            compat=compat_of(
                listed.id,
                table=self.table,
                route=None if served else listed.route,
                gateway=self._gateway,
                gateway_version=known.version(self._address),
                served_by=served,
                declared=known.declared(self._address, listed.id),
            ),
            route=listed.route,
        )


def _cost(declared: Mapping[str, Any]) -> Cost | None:
    """Declared prices for a million tokens, without the dust that floats leave."""
    names = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")
    prices = [number_of(declared.get(name)) for name in (*names, "cache_creation_input_token_cost")]
    if prices[0] is None and prices[1] is None:
        return None
    return Cost(*(round((price or 0.0) * 1e6, 6) for price in prices))


def _ago(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit} ago" if seconds < float("inf") else "at an unknown time"
    return "just now"
