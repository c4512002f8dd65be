"""The page's script: its ES modules put into one, in the order of their imports.

The page has to work from a disk, in one file, where a browser loads no modules. So each module becomes a
function that returns what it exports; its other names stay its own. The bundler reads only the plain forms
of `import` and `export`, and refuses every other form in one line. An exported name means one thing in all
modules: a module that uses it imports it, and no module gives it another meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from conformance.errors import ReportError
from conformance.report.scanning import Piece, PieceKind, ScanError, scan

#: The module that imports the others.
ENTRY = "main.js"

_IMPORT = re.compile(r'import \{\s*([\w$]+(?:,\s*[\w$]+)*),?\s*\} from "\./([a-z_]+\.js)";\n')
_EXPORT = re.compile(r"export (?=(?:(?:async )?function|const) ([A-Za-z_$][\w$]*)\b)")
_DECLARED = re.compile(r"^(?:export )?(?:(?:async )?function\*?|const|let|var|class) ([A-Za-z_$][\w$]*)", re.MULTILINE)
#: A name that is no property: not after a single dot. `...` is no dot.
_NAME = re.compile(r"(?:(?<=\.\.\.)|(?<![\w$.]))[A-Za-z_$][\w$]*")
_WORD = re.compile(r"(?<![\w$.])(?:import|export)(?![\w$])")
_LINE_ENDS = re.compile(r"\s*\n\s*")
#: Stands for a line end inside a literal while empty lines and indents are taken out of the code.
_LINE_END = "\0"
_READ = 'the bundler reads `import { a, b } from "./name.js";`, `export const a =` and `export function a` alone'


def bundle(read: Callable[[str], str], entry: str = ENTRY) -> str:
    """One script of a module and all that it imports; `read` returns a module's text by its name.

    Raises `ReportError` for what it cannot put together.
    """
    modules: dict[str, _Module] = {}
    _collect(entry, read, modules, ())
    owners = _owners(modules)
    for module in modules.values():
        _check(module, modules, owners)
    script = f'(() => {{\n"use strict";\n{"".join(map(_wrapped, modules.values()))}}})();\n'
    if found := re.search(r"</script|<!--", script, re.IGNORECASE):
        raise ReportError(f"the page's script holds {found[0]!r}, which HTML reads as markup; write it in two pieces")
    return script


class _Import(NamedTuple):
    source: str
    names: tuple[str, ...]
    start: int


class _Module(NamedTuple):
    """A module taken apart."""

    name: str
    masked: str  # the text with blanks for comments and strings, character by character
    imports: tuple[_Import, ...] = ()
    exports: tuple[str, ...] = ()
    code: str = ""  # without comments, imports and the word `export`

    def trouble(self, start: int, message: str) -> ReportError:
        """An error at a place in this module."""
        return ReportError(f"{self.name}:{_line(self.masked, start)}: {message}")


def _line(text: str, start: int) -> int:
    return text.count("\n", 0, start) + 1


def _collect(name: str, read: Callable[[str], str], modules: dict[str, _Module], above: tuple[str, ...]) -> None:
    """Take apart a module, after those that it imports. `above` are the modules that lead to it."""
    module = _taken_apart(name, read(name))
    way = (*above, name)
    for each in module.imports:
        if each.source in way:
            circle = " -> ".join((*way[way.index(each.source) :], each.source))
            raise module.trouble(each.start, f"a circle of imports, {circle}; move what both need to a third module")
        if each.source in modules:
            continue
        try:
            _collect(each.source, read, modules, way)
        except FileNotFoundError:
            raise module.trouble(each.start, f"there is no {each.source}; correct the import") from None
    modules[name] = module


def _taken_apart(name: str, text: str) -> _Module:
    if _LINE_END in text:
        raise ReportError(f"{name}:{_line(text, text.index(_LINE_END))}: a NUL character; write it as an escape")
    try:
        pieces = list(scan(text))
    except ScanError as error:
        raise ReportError(f"{name}:{_line(text, error.start)}: {error}; correct it") from None
    module = _Module(name, "".join(p.text if p.kind is PieceKind.CODE else _blank(p.text) for p in pieces))
    bare = "".join(_blank(p.text) if p.kind is PieceKind.COMMENT else _marked(p) for p in pieces)
    imports, exports, kept, end = [], [], [], 0
    for word in _WORD.finditer(module.masked):
        at = word.start()
        match = (_IMPORT if word[0] == "import" else _EXPORT).match(text, at)
        if match is None or text[at - 1 : at] not in ("", "\n"):
            raise module.trouble(at, f"an {word[0]} of another form; {_READ}")
        if word[0] == "import":
            imports.append(_Import(match[2], tuple(re.findall(r"[\w$]+", match[1])), at))
        else:
            exports.append(match[1])
        kept.append(bare[end:at])
        end = match.end()
    code = _LINE_ENDS.sub("\n", "".join((*kept, bare[end:]))).strip().replace(_LINE_END, "\n")
    return module._replace(imports=tuple(imports), exports=tuple(exports), code=code)


def _blank(text: str) -> str:
    """Spaces in the place of a text; its lines stay lines."""
    return re.sub(r"[^\n]", " ", text)


def _marked(piece: Piece) -> str:
    """A piece with a mark for each line end that belongs to a literal."""
    return piece.text.replace("\n", _LINE_END) if piece.kind is PieceKind.LITERAL else piece.text


def _owners(modules: dict[str, _Module]) -> dict[str, str]:
    """The module that exports each name."""
    owners: dict[str, str] = {}
    for module in modules.values():
        for name in module.exports:
            if name in owners:
                raise ReportError(f"{module.name}: {name} is exported by {owners[name]} too; rename one of them")
            owners[name] = module.name
    return owners


def _check(module: _Module, modules: dict[str, _Module], owners: dict[str, str]) -> None:
    """Hold a module's names against the other modules' exports."""
    known = set(module.exports)
    for each in module.imports:
        for name in each.names:
            if name not in modules[each.source].exports:
                raise module.trouble(each.start, f"{each.source} exports no {name}; export it there")
            if name in known:
                raise module.trouble(each.start, f"{name} is there already; import it once, and rename what is here")
            known.add(name)
    declared = set(known - set(module.exports))
    for match in _DECLARED.finditer(module.masked):
        if match[1] in declared:
            raise module.trouble(match.start(), f"{match[1]} is there already; rename one of them")
        declared.add(match[1])
    for match in _NAME.finditer(module.masked):
        name = match[0]
        if name in owners and name not in known and not _is_key(module.masked, match):
            raise module.trouble(match.start(), f"{name} of {owners[name]} is not imported; import it, or rename it")


def _is_key(masked: str, name: re.Match[str]) -> bool:
    """Whether a name is a key of an object: after a brace or comma, and before a colon."""
    return masked[name.end() :].lstrip()[:1] == ":" and masked[: name.start()].rstrip()[-1:] in ("{", ",")


def _wrapped(module: _Module) -> str:
    """A module as a function; its imports and exports go through constants that are named after the modules."""
    lines = [f"const {{ {', '.join(each.names)} }} = {_constant(each.source)};" for each in module.imports]
    lines.append(module.code)
    if not module.exports:
        return "(() => {\n" + "\n".join(lines) + "\n})();\n"
    lines.append(f"return {{ {', '.join(module.exports)} }};")
    return f"const {_constant(module.name)} = (() => {{\n" + "\n".join(lines) + "\n})();\n"


def _constant(name: str) -> str:
    return f"${name.removesuffix('.js')}"
