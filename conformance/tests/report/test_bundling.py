"""Tests of the bundler: modules become one script that does what they do, and what it cannot read is refused."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.errors import ReportError
from conformance.report.bundling import ENTRY, bundle
from conformance.report.scanning import PieceKind, scan

PAGE = resources.files("conformance.report") / "templates" / "page"


def read_from(modules: Mapping[str, str]) -> Callable[[str], str]:
    """A reader of modules that are held in a mapping."""

    def read(name: str) -> str:
        if name not in modules:
            raise FileNotFoundError(name)
        return modules[name]

    return read


def bundled(main: str, **modules: str) -> str:
    """The script of a main module and others, which are named without their endings."""
    return bundle(read_from({ENTRY: main, **{f"{name}.js": text for name, text in modules.items()}}))


def run(script: str) -> str:
    """What a script prints."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node is installed, which runs the script")
    ended = subprocess.run([node, "-e", script], capture_output=True, text=True, timeout=60, check=True)
    return ended.stdout


def test_modules_run_in_the_order_of_their_imports() -> None:
    """Given modules with names of their own, when they are bundled, then each runs once, and sees what it imports."""
    script = bundled(
        'import { b } from "./b.js";\nimport {\n  a,\n  each,\n} from "./a.js";\nconst own = "main";\n'
        "for (const one of each([a, b, own])) console.log(one);\n",
        b='import { a } from "./a.js";\nconst own = "b";\nexport const b = `${a} then ${own}`;\n',
        a='console.log("once");\nconst own = "a";\nexport const a = own;\n'
        "export function each(list) {\n  return list;\n}\n",
    )
    assert run(script) == "once\na\na then b\nmain\n"


def test_literals_are_kept_and_comments_are_not() -> None:
    """Given quotes, templates and patterns that look like comments or imports, then they are what they were."""
    main = r"""// a comment with `quotes' and "braces {
/** Another,
 * over lines. */
const texts = [
  "// no comment", 'it\'s /* none */', /["'`/]\/\/[/*]/.source,  // one
  `
import { x } from "./x.js";

  // kept ${`inner ${{ a: "}" }.a} /* kept */`} \` ${1 / 2 / 4} $`,
  12 / 3 /* gone */ / 2,
];
const object = { import: 1, from: 2 };
const f = (a) => a
/* a line ends here */
;[1].forEach(f)
console.log(JSON.stringify([...texts, object["import"], (4) / 2 / 1]))
"""
    main = main.replace("{ import: 1, from: 2 }", '{ "import": 1, from: 2 }')
    script = bundled(main)
    assert "comment with" not in script
    assert "gone" not in script
    assert json.loads(run(script)) == json.loads(run(main))


@pytest.mark.parametrize(
    ("main", "other", "message"),
    [
        ('import { a } from "./b.js";\n', "", r"main\.js:1: there is no b\.js; correct the import"),
        ('\nimport { a } from "./other.js";\n', "const a = 1;\n", r"main\.js:2: other\.js exports no a; export it"),
        ('import { b } from "./other.js";\nb(\n  a);\n', "export const a = 1, b = 2;\n", "other.js exports no b"),
        ('import { b } from "./other.js";\nb(\n  a);\n', A_AND_B := "export const a = 1;\nexport const b = 2;\n",
         r"main\.js:3: a of other\.js is not imported; import it, or rename it"),
        ('import { b } from "./other.js";\nb(...a);\n', A_AND_B, "a of other.js is not imported"),
        ('import { b } from "./other.js";\n`${`${a}`}`;\n', A_AND_B, "a of other.js is not imported"),
        ('import { b } from "./other.js";\nb((a) => 1);\n', A_AND_B, "a of other.js is not imported"),
        ('import { a } from "./other.js";\nconst a = 1;\n', A_AND_B, r"main\.js:2: a is there already; rename one"),
        ('import { a, a } from "./other.js";\n', A_AND_B, "a is there already"),
        ('import { a } from "./other.js";\nfunction f() {}\nfunction f() {}\n', A_AND_B, "js:3: f is there already"),
        ('import { a } from "./other.js";\nexport const b = 1;\n', A_AND_B, r"js: b is exported by other\.js too"),
        ('import { a } from "./other.js";\n', 'import { b } from "./main.js";\nexport const a = 1;\n',
         r"other\.js:1: a circle of imports, main\.js -> other\.js -> main\.js; move what both need to a third module"),
    ],
)  # fmt: skip
def test_names_that_do_not_fit_are_refused(main: str, other: str, message: str) -> None:
    """Given a missing module, export or import, a clash or a circle, then one line says where, and what to do."""
    with pytest.raises(ReportError, match=message) as caught:
        bundled(main, other=other)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        'import { a as b } from "./other.js";',
        'import a from "./other.js";',
        'import * as a from "./other.js";',
        'import "./other.js";',
        'import { a } from "other";',
        'import { a } from "./other.js"',
        'if (1) { import { a } from "./other.js";\n}',
        'const a = await import("./other.js");',
        "console.log(import.meta.url);",
        "export default 1;",
        "export { a };",
        'export { a } from "./other.js";',
        'export * from "./other.js";',
        "export let a = 1;",
        "export const { a } = {};",
        "export class A {}",
        "export function* a() {}",
    ],
)
def test_other_forms_are_refused(line: str) -> None:
    """Given an import or export that the bundler does not read, then one line says so, and what it reads."""
    with pytest.raises(
        ReportError, match=r"main\.js:2: an (import|export) of another form; the bundler reads"
    ) as caught:
        bundled(f"// first\n{line}\n", other="export const a = 1;\n")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["'a", '"a\n"', "`a", "`${a`", "/* a", "{ a", "a }", "x = /a\n", "`${`}`"])
def test_what_does_not_end_is_refused(text: str) -> None:
    """Given a quote or brace without its other half, then one line names the place."""
    with pytest.raises(ReportError, match=r"main\.js:2: .*(nothing|closes).*; correct it"):
        bundled(f"\n{text}")


def test_a_nul_is_refused() -> None:
    """Given the character that marks line ends inside literals, then one line says so."""
    with pytest.raises(ReportError, match=r"main\.js:2: a NUL character; write it as an escape"):
        bundled("\n'\0'")


@pytest.mark.parametrize("text", ["'</script>'", "`<!-- `", "/<\\/script|<\\/SCRIPT/, '</SCRIPT'"])
def test_what_ends_a_script_in_html_is_refused(text: str) -> None:
    """Given a text that HTML reads as markup, then the script is refused."""
    with pytest.raises(ReportError, match="write it in two pieces"):
        bundled(f"console.log({text});\n")


@given(st.text(alphabet="ab1 \n\"'`/*{}$\\[]();.", max_size=30))
def test_pieces_are_the_whole_text(text: str) -> None:
    """Given any text, when it is cut, then its pieces are the text again, or it is refused."""
    try:
        pieces = list(scan(text))
    except ValueError:
        return
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text.startswith(("//", "/*")) == (piece.kind is PieceKind.COMMENT) for piece in pieces)


def test_the_page_has_all_its_modules() -> None:
    """Given the page's modules, when they are bundled, then each of them is in the script, once, and none is large."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in PAGE.iterdir()}
    script = bundle(read_from(texts))
    names = re.findall(r"^const \$(\w+) = \(\(\) => \{$", script, re.MULTILINE)
    assert sorted([*names, "main"]) == sorted(name.removesuffix(".js") for name in texts)
    assert not {name for name, text in texts.items() if text.count("\n") > 400}
