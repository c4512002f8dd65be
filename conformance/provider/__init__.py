"""The bundled provider module: know what each model supports, and send only that.

Needs nothing but the standard library: no part of the test stack.

>>> from conformance.provider import filter_request, load_table
>>> request = {"model": "claude-haiku-4-5", "input": "hi", "prompt_cache_key": "k"}
>>> filter_request(request, request["model"], "responses", table=load_table()).dropped
('prompt_cache_key',)
"""

from conformance.provider.errors import ConformanceError, TableError, TargetError
from conformance.provider.filtering import Filtered, filter_request
from conformance.provider.table import Question, Rule, Statement, SupportTable, load_table, shipped_table_path
from conformance.provider.target import Target, gateway_name, make_target, target_from_env

__all__ = [
    "ConformanceError",
    "Filtered",
    "Question",
    "Rule",
    "Statement",
    "SupportTable",
    "TableError",
    "Target",
    "TargetError",
    "filter_request",
    "gateway_name",
    "load_table",
    "make_target",
    "shipped_table_path",
    "target_from_env",
]
