"""Tests of the feed: what a release note says, and the command that prints it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.__main__ import commands
from conformance.atlas.feed import SHOWN, as_markdown, caveat
from conformance.atlas.files import dumped
from conformance.atlas.history import empty
from conformance.errors import AtlasError
from conformance.tests.atlas.building import atlas_of

CHAT, STREAM = "chat_completions/whole", "chat_completions/stream"

CELLS = {
    ("databricks/a", CHAT, "store"): "agiig",
    ("databricks/a", STREAM, "store"): "agiig",
    ("databricks/b", CHAT, "store"): "agiig",
    ("databricks/b", STREAM, "store"): "agiig",
    ("openai/a", CHAT, "store"): "aaaag",
    ("openai/b", CHAT, "store"): "aaaaa",
    ("openai/a", STREAM, "user"): "ggggh",
    ("openai/a", CHAT, "tools"): "aaai?",
}


def headings(text: str) -> list[str]:
    """The headings of releases."""
    return [line[3:] for line in text.splitlines() if line.startswith("## ")]


def test_sections() -> None:
    """Given five releases, when the feed is made, then each but the oldest has a section, the newest first."""
    assert headings(as_markdown(atlas_of(CELLS))) == [
        "LiteLLM 1.100.5, compared with 1.99.4: 5 cells broke, 1 was mended",
        "LiteLLM 1.99.4, compared with 1.90.7: 1 cell became a silent drop",
        "LiteLLM 1.90.7, compared with 1.82.6: 4 cells became silent drops",
        "LiteLLM 1.82.6, compared with 1.81.16: 4 cells broke",
    ]


def test_rows() -> None:
    """Given one release, when its feed is made, then rows say where, how many, and what changed, and by whom."""
    atlas = atlas_of(CELLS)
    text = as_markdown(atlas, "1.100.5")
    assert headings(text) == ["LiteLLM 1.100.5, compared with 1.99.4: 5 cells broke, 1 was mended"]
    assert [line for line in text.splitlines() if line.startswith("| `")] == [
        "| `databricks` | chat completions | `store` | all 2 | 4 | dropped silently → refused by the gateway |",
        "| `openai` | chat completions, whole answers only | `store` | 1 of 2: `openai/a` | 1 "
        "| taken → refused by the gateway |",
        "| `openai` | chat completions, streams only | `user` | 1 of 1 | 1 | refused by the gateway → taken |",
    ]
    assert text.endswith(f"{caveat(atlas)}\n")
    assert "simulators" in caveat(atlas)


def test_only_ten() -> None:
    """Given twelve groups, when the feed is made, then ten are listed, and the rest is counted."""
    text = as_markdown(atlas_of({(f"r{number:02}/a", CHAT, "store"): "aaaag" for number in range(12)}), "1.100.5")
    assert sum(line.startswith("| `r") for line in text.splitlines()) == SHOWN
    assert "… and 2 more groups with 2 cells." in text


def test_nothing_changed() -> None:
    """Given releases that agree, when the feed is made, then it says that nothing changed."""
    text = as_markdown(atlas_of({("openai/a", CHAT, "store"): "aaaah"}), "1.100.5")
    assert headings(text) == ["LiteLLM 1.100.5, compared with 1.99.4: nothing changed"]


def test_foreign_names() -> None:
    """Given names with markup, when the feed is made, then they stand in code, and end no table's cell."""
    text = as_markdown(atlas_of({("open|ai/<b>", CHAT, "st|ore`"): "aaaag", ("open|ai/c", CHAT, "st|ore`"): "aaaaa"}))
    assert r"`open\|ai`" in text
    assert r"``st\|ore` ``" in text or r"`` st\|ore` ``" in text


def test_one_release_is_not_enough() -> None:
    """Given an atlas without releases, when the feed is made, then one line says what to do."""
    with pytest.raises(AtlasError, match="a feed needs two; measure them with"):
        as_markdown(empty())


def test_command(tmp_path: Path) -> None:
    """Given an atlas in a folder, when the command is run, then it prints the feed; and measuring kept its command."""
    tmp_path.joinpath("atlas.json").write_text(dumped(atlas_of(CELLS)), encoding="utf-8")
    result = CliRunner().invoke(commands, ["atlas-feed", "--release", "1.82.6", "--atlas", str(tmp_path)])
    assert result.exit_code == 0
    assert result.stdout == as_markdown(atlas_of(CELLS), "1.82.6")
    assert "--versions" in CliRunner().invoke(commands, ["atlas", "--help"]).stdout


def test_command_without_that_release(tmp_path: Path) -> None:
    """Given a release that the atlas lacks, when the command is run, then it names those that are there."""
    tmp_path.joinpath("atlas.json").write_text(dumped(atlas_of(CELLS)), encoding="utf-8")
    result = CliRunner().invoke(commands, ["atlas-feed", "--release", "2.0", "--atlas", str(tmp_path)])
    assert isinstance(result.exception, AtlasError)
    assert "it has 1.81.16, 1.82.6" in str(result.exception)
