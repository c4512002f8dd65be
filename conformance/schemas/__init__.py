"""The JSON contracts, as JSON Schemas, and the one place that validates against them."""

from __future__ import annotations

import functools
import json
import re
import tomllib
from importlib import resources
from typing import Any

import jsonschema_rs


@functools.cache
def _validator(name: str) -> Any:
    text = (resources.files(__name__) / f"{name}.schema.json").read_text(encoding="utf-8")
    return jsonschema_rs.validator_for(json.loads(text))


def first_error(name: str, data: object) -> str | None:
    """What is wrong with `data` by the schema called `name`, in one line, or None where nothing is.

    `name` is that of a file in this folder, without `.schema.json`.
    """
    try:
        error = _first_error(_validator(name), data)
    except (ValueError, RecursionError) as problem:  # what JSON does not have, such as TOML's dates, or too deep
        return f"the document: {problem}"
    if error is None:
        return None
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
    message = error.message if len(error.message) <= 200 else f"{error.message[:200]}…"
    return f"{place.lstrip('.') or 'the document'}: {message}"


def toml_document(name: str, text: str, where: str, error: type[Exception]) -> dict[str, Any]:
    """The document in a TOML text, which fits the schema called `name`.

    Raises `error` where it does not; `where` names the text in it.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise error(f"{where} is not TOML: {problem}") from None
    if wrong := first_error(name, data):
        raise error(f"{where}: {wrong}")
    return data


def _first_error(validator: Any, data: object) -> Any:
    try:
        return next(iter(validator.iter_errors(data)), None)
    except UnicodeEncodeError:  # a lone surrogate: JSON can escape one, the validator cannot hold it
        return next(iter(validator.iter_errors(_without_surrogates(data))), None)


def _without_surrogates(data: object) -> object:
    return json.loads(re.sub(r"\\ud[89a-f][0-9a-f]{2}", r"\\ufffd", json.dumps(data)))
