"""The examples in the documents do what they say, each in a process of its own, as users start them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.responses import Response

from conformance.tests.helpers.gateways import complete, listed_by, message, refusal, scripted_gateway
from conformance.tests.helpers.running import CHECKOUT, clean_environment

DOCS = CHECKOUT / "conformance" / "docs"
EXAMPLES = sorted((DOCS / "examples").glob("*.py"))
#: The pages that show code of the provider.
PAGES = [CHECKOUT / "README.md", *DOCS.glob("*.md")]


class Shown(NamedTuple):
    """What an example needs beside the provider, each line that it prints, and how many requests it sends."""

    lines: tuple[str, ...]
    needs: tuple[str, ...] = ()
    requests: int = 0


#: By the example's name. A line is a pattern, and stands for as many lines as fit it in a row.
SHOWN = {
    "anthropic_client": Shown(("OK",), ("anthropic",), 2),
    "filter_by_hand": Shown(
        (
            "refused: reasoning.effort:minimal temperature",
            r"instead: {'reasoning.effort:minimal': 'low'}",
            r"send: {'model': 'gpt-5.2', 'input': 'hi', 'reasoning': {'effort': 'low'}}",
        )
    ),
    "list_models": Shown(
        (
            r"claude-haiku-4-5 200000 4096 Cost\(input=1.0, output=5.0, cache_read=0.0, cache_write=0.0\) \w+",
            r"house-model-7 \d+ \d+ None chat_completions",
        ),
        ("httpx2",),
    ),
    "openai_async_client": Shown(
        (r"house-model-7 refuses temperature on chat_completions: mended and sent again \(.+\)", "OK"), ("openai",), 2
    ),
    "openai_client": Shown(("OK",), ("openai",), 1),
    "pydantic_ai_agent": Shown(("OK",), ("pydantic_ai",), 1),
    "read_the_table": Shown(
        (
            r"[\w, .*-]+( \([\w .,;<>=*/:-]+\))?: (yes|no), says [\w.:-]+",
            r"\*: yes, says default",
        )
    ),
    "stream_events": Shown(("asked on chat_completions without prompt_cache_key", "OK", "ended: stop"), ("openai",), 1),
}

DECLARED = {
    "model_group": "claude-haiku-4-5",
    "providers": ["databricks"],
    "input_cost_per_token": 1e-06,
    "output_cost_per_token": 5e-06,
    "max_input_tokens": 200_000,
}


def strict(body: dict[str, Any]) -> Response:
    """The policy of a gateway that refuses what the examples show to be left out."""
    for field, model in (("prompt_cache_key", "claude-haiku-4-5"), ("temperature", "house-model-7")):
        if field in body and body["model"] == model:
            return refusal(f"{field}: Extra inputs are not permitted")
    kind = body.get("thinking", {}).get("type")
    if kind == "enabled":
        return refusal('"thinking.type.enabled" is not supported for this model.')
    return message(body) if kind else complete(body)


#: Examples that load large libraries, and show little more than the others.
HEAVY = {"anthropic_client", "list_models", "openai_async_client", "pydantic_ai_agent"}


def _parameter(example: Path) -> Any:
    marks = [pytest.mark.slow] if example.stem in HEAVY else []
    return pytest.param(example, id=example.stem, marks=marks)


@pytest.mark.parametrize("example", [*map(_parameter, EXAMPLES)])
def test_an_example(example: Path, tmp_path: Path) -> None:
    """Given a gateway that refuses fields, when an example runs, then it prints what it should, with few requests."""
    shown = SHOWN[example.stem]
    for name in shown.needs:
        pytest.importorskip(name, reason=f"{name} is not installed")
    with scripted_gateway(
        strict, listing=listed_by("1.109.3", "claude-haiku-4-5", "house-model-7"), declared=[DECLARED]
    ) as gateway:
        own = {"OPENAI_BASE_URL": f"{gateway.base_url}/v1", "OPENAI_API_KEY": gateway.key}
        own |= {"ANTHROPIC_BASE_URL": gateway.base_url, "ANTHROPIC_API_KEY": gateway.key}
        home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
        ran = subprocess.run(
            [sys.executable, example],
            env=clean_environment({**own, **home}),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.fullmatch("".join(f"(?:{line}\n)+" for line in shown.lines), ran.stdout), ran.stdout
    assert len(gateway.seen) == shown.requests


def test_the_page_shows_every_example() -> None:
    """Given the examples, when their page is read, then it links to each one once, and this file expects each."""
    page = (DOCS / "examples.md").read_text(encoding="utf-8")
    linked = re.findall(r"^\[(\w+)\.py\]\(examples/\1\.py\)$", page, re.MULTILINE)
    assert sorted(linked) == sorted(SHOWN) == [example.stem for example in EXAMPLES]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_code_on_pages_is_an_examples(page: Path) -> None:
    """Given a page's code after its first, which another test runs, when examples are read, then one has its lines."""
    programs = [_lines(example.read_text(encoding="utf-8")) for example in EXAMPLES]
    code = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    unknown = [block for block in code[1:] if not any(_in_order(_lines(block), program) for program in programs)]
    assert unknown == []


def _lines(code: str) -> list[str]:
    return [line for line in (re.sub("  # .*", "", line).strip() for line in code.splitlines()) if line]


def _in_order(lines: list[str], program: list[str]) -> bool:
    left = iter(program)
    return all(line in left for line in lines)
