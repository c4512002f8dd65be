"""Tests of the atlas page as text: what it holds, how much evidence fits, and where it comes from."""

from __future__ import annotations

import base64
import json
import re
import zipfile
import zlib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from conformance.__main__ import commands
from conformance.atlas.archives import Archives
from conformance.atlas.files import CELLS as CELLS_FILE
from conformance.atlas.files import AtlasFolder
from conformance.atlas.history import Place, empty, histories
from conformance.atlas.packing import ANSWER, axes_of, data_of, letters_of
from conformance.atlas.rendering import SHARED, render_page
from conformance.cassettes.folder import Folder
from conformance.errors import AtlasError
from conformance.tests.atlas.building import RELEASES, TRUST, Shown, atlas_of, history_of, request_of
from conformance.tests.helpers.shipped import RECORDING, shipped_replay

CHAT, STREAM = "chat_completions/whole", "chat_completions/stream"
CELLS = {
    ("openai/gpt-5.2", CHAT, "store"): "giigg",
    ("openai/gpt-5.2", CHAT, "user"): "aaaah",
    ("openai/gpt-5.2", STREAM, "store"): ".?aaa",
}


def unpacked(packet: str) -> dict[str, Any]:
    """A packet as the page's script reads it."""
    document: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packet)))
    return document


def packets_of(cells: dict[tuple[str, str, str], str], allowance: int = 10**9, noise: int = 0) -> list[dict[str, Any]]:
    """The packets of an atlas with evidence."""
    atlas = atlas_of(cells)
    return [unpacked(each) for each in data_of(atlas, axes_of(atlas), Shown(atlas, noise), allowance)["packets"]]


@pytest.mark.parametrize(
    ("states", "letters"), [("giigb", "giigb"), ("?n.rh", "qn.rh"), ("..aaa", "..aaa"), (".....", ".....")]
)
def test_letters(states: str, letters: str) -> None:
    """Given a history, when it is packed, then each release has the letter of its state."""
    assert letters_of(history_of(states), RELEASES) == letters


def test_same_histories_are_written_once() -> None:
    """Given cells with the same history, when they are packed, then they share a number."""
    atlas = atlas_of({("openai/a", CHAT, "store"): "aaaag", ("openai/b", CHAT, "store"): "aaaag"})
    data = data_of(atlas, axes_of(atlas), Shown(atlas))
    assert data["histories"] == ["aaaag"]
    assert data["cells"] == [[[0]], [[0]]]


def test_evidence_of_changes_only() -> None:
    """Given cells that changed and cells that did not, then all have reasons, and only sides of changes evidence."""
    [packet] = packets_of(CELLS)
    whole, stream = packet["rows"]
    store, user = whole
    assert [line[0] for line in store] == [0, 1, 3]
    assert [len(line) for line in store] == [5, 5, 5]
    assert [len(line) for line in user] == [2, 2]  # accepted, then honoured: taken all the time
    assert [len(line) for line in stream[0]] == [2, 2]  # not known before
    release, reason, digest, asked, answer = store[1]
    assert packet["reasons"][reason] == "the reason of ignored <b>."
    assert packet["digests"][digest] == request_of("openai/gpt-5.2", CHAT, "store").digest
    assert packet["asked"][asked] == ['{"model":"openai/gpt-5.2","asked":"store"}', 0]
    status, body, left, error = packet["answers"][answer]
    assert (status, len(body), error) == (400, ANSWER, "")
    assert body.startswith(f'{{"from": "{RELEASES[release]} of store"')
    assert left > 0


def test_evidence_that_does_not_fit() -> None:
    """Given an allowance that is too small, when the page is packed, then hurtful changes keep evidence, or none."""
    cells = {("openai/a", CHAT, f"p{number}"): "aaaag" if number < 4 else "ggaaa" for number in range(40)}
    [everything] = packets_of(cells, noise=100)
    [some] = packets_of(cells, 2_500, noise=100)
    [none] = packets_of(cells, 0, noise=100)
    assert (len(everything["answers"]), len(some["answers"]), len(none["answers"])) == (80, 8, 0)
    assert all(len(line) == 3 for lines in none["rows"][0] for line in lines)
    assert len(none["digests"]) == 40


def test_no_evidence() -> None:
    """Given an atlas without archives, when its page is made, then there is one, without reasons."""
    atlas = atlas_of(CELLS)
    assert data_of(atlas, axes_of(atlas), Archives(Path("nowhere")))["packets"] != []
    assert "Simulated upstreams" in render_page(atlas)


def test_empty_atlas() -> None:
    """Given an atlas without releases, when its page is made, then one line says what to do."""
    with pytest.raises(AtlasError, match="no releases; measure some with"):
        render_page(empty())


def test_how_far_it_can_be_trusted() -> None:
    """Given what was counted of an atlas, when its page is made, then it says how each statement is known, and how
    often predictions are right; without, it says nothing of that."""
    text = re.sub(r"<[^>]*>", " ", render_page(atlas_of(CELLS), trust=dict(TRUST)).partition("<dialog")[0])
    assert re.search(r"family\s+a family’s versions on a route\s+1,234\s+2\s+5\s", text)
    assert re.search(
        r"undeclared\s+models for which LiteLLM does not declare the parameter\s+3\s+1 to 8\s+1 to 30", text
    )
    assert len(re.findall(r"each model\s+1,234\s+5\s+678\s+9,012\s+0\.06 %\s+64\.54 %", text)) == 2
    assert 'id="trust"' not in render_page(atlas_of(CELLS))


def test_page_loads_nothing() -> None:
    """Given the page, when its text is read, then it names no address to load, and foreign text is escaped."""
    atlas = atlas_of({("open</script>ai/<b>", CHAT, "</script><b>"): "aaaag"})
    text = render_page(atlas, Shown(atlas))
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text)
    assert "default-src 'none'" in text
    assert text.count("</script>") == 2
    assert "open</script>" not in text


def test_the_page_has_all_its_modules() -> None:
    """Given the page's modules, when it is made, then each is in its script, and those of the other page are named."""
    folder = resources.files("conformance.atlas") / "page"
    own = {each.name for each in folder.iterdir() if each.name.endswith(".js")}
    names = re.findall(r"^const \$(\w+) = \(\(\) => \{$", render_page(atlas_of(CELLS)), re.MULTILINE)
    assert sorted([*names, "main"]) == sorted(name.removesuffix(".js") for name in own | SHARED)
    assert not own & SHARED


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> AtlasFolder:
    """An atlas on disk, from the shipped recording: the second release refuses what the first one honoured."""
    made = AtlasFolder(tmp_path_factory.mktemp("atlas"))
    matrix = shipped_replay().matrix()
    made.add("1.81.16", matrix, RECORDING, 1, "1.90.7")
    for cell in matrix["cells"]:
        if cell["verdict"] == "honoured":
            cell["verdict"], cell["rejected_by"] = "rejected", "gateway"
    made.add("1.90.7", matrix, RECORDING, 1, "1.90.7")
    return made


def test_archives_hold_what_changed(folder: AtlasFolder) -> None:
    """Given archives, when what changed is looked up, then its exchanges are there, and of nothing else."""
    archives = Archives(folder.path)
    changed = [place for place, history in histories(folder.read()) if len(history) > 1]
    assert len(changed) > 100
    for place in changed[:3]:
        row = archives.row("1.90.7", *place)
        assert row is not None
        assert set(row["evidence"]) <= set(archives.exchanges("1.90.7", place.model))
    assert archives.row("1.90.7", *Place("nobody", CHAT, "store")) is None
    assert archives.exchanges("1.90.7", "nobody") == {}


def test_command_makes_the_page(folder: AtlasFolder, tmp_path: Path) -> None:
    """Given an atlas on disk, when the command is run, then the page is there with the evidence of all changes."""
    out = tmp_path / "atlas.html"
    result = CliRunner().invoke(commands, ["atlas-page", "--out", str(out), "--atlas", str(folder.path)])
    assert result.exit_code == 0, result.output
    assert str(out) in result.stdout
    text = out.read_text(encoding="utf-8")
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    packets = [unpacked(each) for each in data["packets"]]
    assert sum(len(each["answers"]) for each in packets) > 100
    assert all(len(row) in (2, 5) for each in packets for lines in each["rows"] for rows in lines for row in rows)
    assert len(text) < 3_000_000


def test_damaged_archive(folder: AtlasFolder, tmp_path: Path) -> None:
    """Given an archive that is none, or holds a damaged cassette, when it is read, then one line names it."""
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    evidence.joinpath("1.90.7.zip").write_bytes(b"no archive")
    with pytest.raises(AtlasError, match=r"cannot read .*1\.90\.7\.zip"):
        Archives(tmp_path).exchanges("1.90.7", "a")
    with zipfile.ZipFile(evidence / "1.90.7.zip", "w") as archive:
        archive.writestr(Folder(tmp_path).cassette_path("a").name, "{}")
        archive.writestr(CELLS_FILE, "{")
    with pytest.raises(AtlasError, match=r"evidence of a at 1\.90\.7 is damaged"):
        Archives(tmp_path).exchanges("1.90.7", "a")
    with pytest.raises(AtlasError, match=r"cells\.json of 1\.90\.7 is not JSON"):
        Archives(tmp_path).row("1.90.7", "a", CHAT, "store")
