"""Installing the Pi extension: what is copied, what is left alone, and what is said."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.__main__ import commands
from conformance.errors import PiExtensionError
from conformance.pi_extension import FOLDER, extensions_dir, install, sources, uninstall


def test_pi_looks_where_its_variable_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given `PI_CODING_AGENT_DIR`, or none, or a tilde, then the folder is the one that Pi reads."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert extensions_dir({"PI_CODING_AGENT_DIR": "/agent"}) == Path("/agent/extensions")
    assert extensions_dir({"PI_CODING_AGENT_DIR": "~/agent"}) == tmp_path / "agent" / "extensions"
    assert extensions_dir({}) == tmp_path / ".pi" / "agent" / "extensions"


@pytest.mark.parametrize(("configured", "words"), [("~no-such-user/agent", "write the path in full"), ("", "set HOME")])
def test_a_home_that_nobody_knows(configured: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no such user, or one without a home, when Pi's folder is asked for, then one line says what to do."""
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as where there is none
    with pytest.raises(PiExtensionError, match=f"^nobody knows the home folder in ~.*; {words}$"):
        extensions_dir({"PI_CODING_AGENT_DIR": configured})


def test_copies_what_the_extension_reads_and_no_tests(tmp_path: Path) -> None:
    """Given an empty place, when installed, then code, guide and data are there, and no test or vector."""
    said = install(tmp_path)
    made = tmp_path / FOLDER
    names = {str(path.relative_to(made)).replace("\\", "/") for path in made.rglob("*") if path.is_file()}
    assert said == f"installed {made} ({len(names)} files)"
    assert names == set(sources())
    assert {"index.ts", "package.json", "README.md", "data/parameter_support.json", "data/rate_limits.json"} <= names
    assert not any("test" in name or "vectors" in name for name in names)
    assert json.loads((made / "package.json").read_text(encoding="utf-8"))["pi"] == {"extensions": ["./index.ts"]}


def test_an_earlier_copy_is_replaced_whole(tmp_path: Path) -> None:
    """Given an older copy with a file that is no more, when installed again, then that file is gone."""
    install(tmp_path)
    (tmp_path / FOLDER / "stale.ts").write_text("", encoding="utf-8")
    assert install(tmp_path).startswith("replaced ")
    assert not (tmp_path / FOLDER / "stale.ts").exists()
    assert [path.name for path in tmp_path.iterdir()] == [FOLDER]


@pytest.mark.parametrize("act", [install, uninstall])
@pytest.mark.parametrize("package", [None, "", "{", "[]", '{"name": "theirs"}', "[" * 100_000])
def test_what_is_not_ours_is_left_alone(tmp_path: Path, act: object, package: str | None) -> None:
    """Given somebody else's folder of that name, then neither command touches it."""
    place = tmp_path / FOLDER
    place.mkdir()
    (place / "mine.ts").write_text("mine", encoding="utf-8")
    if package is not None:
        (place / "package.json").write_text(package, encoding="utf-8")
    with pytest.raises(PiExtensionError, match="is left alone"):
        act(tmp_path)  # type: ignore[operator]
    assert (place / "mine.ts").read_text(encoding="utf-8") == "mine"


def test_a_link_is_not_ours_even_to_a_copy(tmp_path: Path) -> None:
    """Given a link to a checkout in the place of the copy, then it is not followed to be overwritten."""
    install(tmp_path / "real")
    (tmp_path / FOLDER).symlink_to(tmp_path / "real" / FOLDER, target_is_directory=True)
    with pytest.raises(PiExtensionError, match="is left alone"):
        uninstall(tmp_path)
    assert (tmp_path / "real" / FOLDER / "index.ts").exists()


def test_a_dry_run_only_says(tmp_path: Path) -> None:
    """Given a dry run of each command, then nothing changes."""
    assert install(tmp_path, dry_run=True).startswith("would write ")
    assert list(tmp_path.iterdir()) == []
    assert uninstall(tmp_path, dry_run=True).startswith("nothing to remove")
    install(tmp_path)
    assert install(tmp_path, dry_run=True).startswith("would replace ")
    assert uninstall(tmp_path, dry_run=True) == f"would remove {tmp_path / FOLDER}"
    assert (tmp_path / FOLDER / "index.ts").exists()
    assert uninstall(tmp_path) == f"removed {tmp_path / FOLDER}"
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a file where the folder should be, when the command is run, then one line says so, with no traceback."""
    from conformance.__main__ import main

    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["conformance", "pi", "install", "--dir", str(blocked / "extensions")])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 4
    assert said.startswith("ERROR: ")
    assert said.count("\n") == 1
    assert "cannot be written" in said


def test_the_command_says_what_it_did_and_how_to_check(tmp_path: Path) -> None:
    """Given the command line, when it installs, then it says where, and what to do next."""
    done = CliRunner().invoke(commands, ["pi", "install", "--dir", str(tmp_path)])
    first, second = done.output.splitlines()
    assert first.startswith(f"installed {tmp_path / FOLDER}")
    assert second.endswith("check it with: pi --list-models litellm")
    assert (
        CliRunner().invoke(commands, ["pi", "install", "--uninstall", "--dir", str(tmp_path)]).output.count("\n") == 1
    )
