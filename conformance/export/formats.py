"""Reads and writes the formats of configurations, so that what a user wrote stays as it is: comments, order, quotes."""

from __future__ import annotations

import difflib
import functools
import io
import itertools
import json
import tomllib
from collections.abc import Callable, MutableMapping, MutableSequence
from typing import Any, TypeAlias

from conformance.errors import ExportError
from conformance.export import jsonc

#: Changes a document in place.
Change: TypeAlias = Callable[[MutableMapping[str, Any]], None]

#: How comments begin in each format; a format without them has none.
COMMENTS = {"yaml": "#", "yaml list": "#", "toml": "#", "jsonc": "//", "json": "", "python": "#", "typescript": "//"}

_WIDEST = 10_000


def changed(form: str, text: str, change: Change, where: str) -> str:
    """The text with its document changed. Raises `ExportError` where it holds none; `where` names it there."""
    return _FORMATS[form](text, change, where)


def document_in(form: str, text: str, where: str) -> dict[str, Any]:
    """The document that a text holds. Raises `ExportError`."""
    found: dict[str, Any] = {}
    changed(form, text, lambda document: found.update(document), where)
    return found


def _json(text: str, change: Change, where: str) -> str:
    try:
        document = jsonc.parse(text) if text.strip() else {}
    except jsonc.JsonError as error:
        raise _unreadable(where, "JSON", error) from None
    _require_mapping(document, where)
    change(document)
    return jsonc.edited(text, document) if text.strip() else jsonc.plain(document)


def _strict_json(text: str, change: Change, where: str) -> str:
    try:
        json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise _unreadable(where, "JSON", error) from None
    return _json(text, change, where)


def _toml(text: str, change: Change, where: str) -> str:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
    except (TOMLKitError, ValueError, RecursionError) as error:
        raise _unreadable(where, "TOML", _toml_error(text) or error) from None
    change(document)
    return tomlkit.dumps(document)


def _toml_error(text: str) -> Exception | None:
    """What is wrong with a text, and where: tomlkit calls the end of a text a character, and counts lines otherwise."""
    try:
        tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        return error
    return None


def _yaml(text: str, change: Change, where: str, listed: str = "") -> str:
    """With `listed`, the document is a list, which the change finds under this name."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.error import YAMLError

    yaml = _laid_out_as(text, where, indented=not listed)
    try:
        document = yaml.load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise _unreadable(where, "YAML", error) from None
    if listed:
        document = CommentedSeq() if document is None else document
        if not isinstance(document, MutableSequence):
            raise ExportError(f"{where} holds no list of settings; name another file with --into")
        change({listed: document})
    else:
        document = CommentedMap() if document is None else document
        _require_mapping(document, where)
        change(document)
    return _dumped(yaml, document)


def _laid_out_as(text: str, where: str, *, indented: bool) -> Any:
    """A reader and writer that lays a document out as this text is, as nearly as it can."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    def made(mapping: int, sequence: int, offset: int) -> Any:
        yaml = YAML()
        yaml.preserve_quotes = True
        yaml.width = _WIDEST
        yaml.indent(mapping=mapping, sequence=sequence, offset=offset)
        return yaml

    layouts = [(2, 4, 2), (2, 2, 0), (4, 4, 2), (4, 4, 0), (4, 6, 4), (4, 6, 2), (2, 3, 1)]
    if not text.strip():
        return made(*layouts[0 if indented else 1])

    def noise(layout: tuple[int, int, int]) -> int:
        yaml = made(*layout)
        again = _dumped(yaml, yaml.load(text))
        if again == text:
            return 0
        lines = difflib.unified_diff(text.splitlines(), again.splitlines(), n=0, lineterm="")
        return sum(1 for _ in itertools.islice(lines, 3, None)) + 1

    try:
        return made(*min(layouts, key=noise))
    except (YAMLError, ValueError, RecursionError) as error:
        raise _unreadable(where, "YAML", error) from None


def _dumped(yaml: Any, document: Any) -> str:
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


_FORMATS: dict[str, Callable[[str, Change, str], str]] = {
    "json": _strict_json,
    "jsonc": _json,
    "toml": _toml,
    "yaml": _yaml,
    "yaml list": functools.partial(_yaml, listed="models"),
}


def _require_mapping(document: object, where: str) -> None:
    if not isinstance(document, MutableMapping):
        raise ExportError(f"{where} holds no settings by name; name another file with --into")


def _unreadable(where: str, kind: str, error: Exception) -> ExportError:
    why = " ".join(str(error).split())[:200]
    return ExportError(
        f"{where} is not {kind} ({why}); nothing was written: mend the file, or name another with --into"
    )
