"""Bring the documents that lie outside `conformance/docs` into the site, and turn links to them into links inside it.

On GitHub every link is relative to the file that holds it. On the site the same links have to lead to pages. A line
that only links to an example becomes the example's code there.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
DOCS = "conformance/docs"

#: Files elsewhere in the repository, and their names on the site.
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    ".github/SECURITY.md": "security.md",
    "conformance/provider/pi/README.md": "pi.md",
    "conformance/report/screenshot.png": "screenshot.png",
}

#: A line that only links to an example.
_EXAMPLE = re.compile(r"^\[\w+\.py\]\((examples/\w+\.py)\)$", re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add the files that lie elsewhere."""
    for place, name in ELSEWHERE.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / place)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Show the examples, and turn each relative link, which is written for GitHub, into one that holds on the site."""
    names = {name: place for place, name in ELSEWHERE.items()}
    name = page.file.src_uri
    folder = PurePosixPath(names.get(name, f"{DOCS}/{name}")).parent

    def on_the_site(link: re.Match[str]) -> str:
        place = os.path.normpath(folder / link[1])
        if place in ELSEWHERE:
            return ELSEWHERE[place]
        return place.removeprefix(f"{DOCS}/") if place.startswith(f"{DOCS}/") else link[1]

    def shown(example: re.Match[str]) -> str:
        return f"```python\n{(ROOT / DOCS / example[1]).read_text(encoding='utf-8')}```"

    return _EXAMPLE.sub(shown, _LINK.sub(on_the_site, markdown))
