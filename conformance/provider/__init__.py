"""The bundled provider module: know what each model supports, and send only that.

Needs nothing but the standard library: no part of the test stack. What is named here is loaded
when it is first used, so importing the package costs next to nothing; what talks to a gateway
needs httpx or httpx2, and `conformance.provider.stream` the OpenAI SDK.

>>> from conformance.provider import filter_request, load_table
>>> request = {"model": "claude-haiku-4-5", "input": "hi", "prompt_cache_key": "k"}
>>> filter_request(request, request["model"], "responses", table=load_table()).dropped
('prompt_cache_key',)
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.provider.errors import ConformanceError, GatewayError, KeyRefusedError, TableError, TargetError
    from conformance.provider.filter import Filtered, filter_request
    from conformance.provider.gateway import LiteLLMProvider, StaleModelsWarning
    from conformance.provider.models import Cost, Model
    from conformance.provider.models.capabilities import Capabilities, capabilities_of
    from conformance.provider.models.compat import compat_of
    from conformance.provider.rate_limits import RateLimit, format_rate_limit_error, parse_rate_limit_error
    from conformance.provider.repair import RepairEvent
    from conformance.provider.table import Question, Rule, Statement, SupportTable, load_table, shipped_table_path
    from conformance.provider.table.layers import layered_table
    from conformance.provider.target import Target, gateway_name, make_target, target_from_env
    from conformance.provider.transport import (
        AsyncFilteringTransport,
        FilteringTransport,
        async_http_client,
        http_client,
    )
    from conformance.provider.transport.request_filter import RequestFilter

#: The module that each public name lives in.
_HOMES = {
    "AsyncFilteringTransport": "transport",
    "Capabilities": "models.capabilities",
    "ConformanceError": "errors",
    "Cost": "models",
    "Filtered": "filter",
    "FilteringTransport": "transport",
    "GatewayError": "errors",
    "KeyRefusedError": "errors",
    "LiteLLMProvider": "gateway",
    "Model": "models",
    "Question": "table",
    "RateLimit": "rate_limits",
    "RepairEvent": "repair",
    "RequestFilter": "transport.request_filter",
    "Rule": "table",
    "StaleModelsWarning": "gateway",
    "Statement": "table",
    "SupportTable": "table",
    "TableError": "errors",
    "Target": "target",
    "TargetError": "errors",
    "async_http_client": "transport",
    "capabilities_of": "models.capabilities",
    "compat_of": "models.compat",
    "filter_request": "filter",
    "format_rate_limit_error": "rate_limits",
    "gateway_name": "target",
    "http_client": "transport",
    "layered_table": "table.layers",
    "load_table": "table",
    "make_target": "target",
    "parse_rate_limit_error": "rate_limits",
    "shipped_table_path": "table",
    "target_from_env": "target",
}

__all__ = [
    "AsyncFilteringTransport",
    "Capabilities",
    "ConformanceError",
    "Cost",
    "Filtered",
    "FilteringTransport",
    "GatewayError",
    "KeyRefusedError",
    "LiteLLMProvider",
    "Model",
    "Question",
    "RateLimit",
    "RepairEvent",
    "RequestFilter",
    "Rule",
    "StaleModelsWarning",
    "Statement",
    "SupportTable",
    "TableError",
    "Target",
    "TargetError",
    "async_http_client",
    "capabilities_of",
    "compat_of",
    "filter_request",
    "format_rate_limit_error",
    "gateway_name",
    "http_client",
    "layered_table",
    "load_table",
    "make_target",
    "parse_rate_limit_error",
    "shipped_table_path",
    "target_from_env",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
