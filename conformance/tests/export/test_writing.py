"""A user's file is changed only as it was shown, and what was there is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.errors import ExportError
from conformance.export.merging import Rules
from conformance.export.outputs import Output
from conformance.export.writing import Existing, difference, read, rendered, write


def output(form: str = "yaml", **parts: object) -> Output:
    """An export that sets `a` to 1, and `b` to 1 if the user has none."""
    made = {"settings": {"a": 1}, "defaults": {"b": 1}, "head": ["Made.", "  of things"], "rules": Rules(), **parts}
    return Output("f", form, **made)  # type: ignore[arg-type]


def put(path: Path, made: Output) -> Path | None:
    """Write an export into a file."""
    existing = read(path)
    return write(path, existing, rendered(made, existing))


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("yaml", "# mine\nb: 2 # two\n"),
        ("toml", "# mine\nb = 2 # two\n"),
        ("jsonc", '// mine\n{"b": 2}\n'),
        ("json", '{"b": 2}'),
        ("yaml", ""),
        ("toml", "\n"),
        ("jsonc", ""),
        ("json", "{}"),
    ],
)
def test_a_second_time_changes_nothing(form: str, text: str, tmp_path: Path) -> None:
    """Given a user's file, when an export is written twice, then the second time changes nothing, and comments stay."""
    path = tmp_path / "f"
    path.write_text(text, encoding="utf-8")
    put(path, output(form))
    once = path.read_text("utf-8")
    existing = read(path)
    assert rendered(output(form), existing) == once
    assert difference(existing, once, "f") == ""
    assert ("mine" in once) is ("mine" in text)


def test_the_comment_is_renewed(tmp_path: Path) -> None:
    """Given a file with an older export's comment, when a newer one is written, then there is one comment, the new."""
    path = tmp_path / "f"
    path.write_text("b: 2\n", encoding="utf-8")
    put(path, output())
    put(path, output(head=["Made anew."], settings={"a": 2}))
    assert path.read_text("utf-8") == (
        "# >>> litellm-conformance export\n# Made anew.\n# <<< litellm-conformance export\nb: 2\na: 2\n"
    )


def test_copies_are_never_overwritten(tmp_path: Path) -> None:
    """Given a copy that is there, when a file is written twice more, then each time there is one more copy."""
    path = tmp_path / "f"
    path.write_text("b: 2\n", encoding="utf-8")
    path.chmod(0o640)
    (tmp_path / "f.bak").write_text("older", encoding="utf-8")
    assert put(path, output()) == tmp_path / "f.bak.1"
    assert put(path, output(settings={"a": 3})) == tmp_path / "f.bak.2"
    assert (tmp_path / "f.bak").read_text("utf-8") == "older"
    assert (tmp_path / "f.bak.1").read_text("utf-8") == "b: 2\n"
    assert (tmp_path / "f.bak.1").stat().st_mode & 0o777 == path.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_one(tmp_path: Path) -> None:
    """Given a symbolic link, when it is written, then what it leads to changes, and the link stays."""
    real, path = tmp_path / "dotfiles" / "real", tmp_path / "f"
    real.parent.mkdir()
    real.write_text("b: 2\n", encoding="utf-8")
    path.symlink_to(real)
    put(path, output())
    assert path.is_symlink()
    assert "a: 1" in real.read_text("utf-8")


def test_ends_of_lines_and_bom_stay(tmp_path: Path) -> None:
    """Given a file from Windows, when it is written, then its lines end as they did."""
    path = tmp_path / "f"
    path.write_bytes(b"\xef\xbb\xbfb: 2\r\nc: 3\r\n")
    put(path, output())
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf#")
    assert raw.count(b"\n") == raw.count(b"\r\n")


@pytest.mark.parametrize(
    ("form", "raw", "told"),
    [
        ("yaml", b"a: [\n", "is not YAML"),
        ("yaml", b"a: 1\na: 2\n", "is not YAML"),
        ("yaml", b"- 1\n", "holds no settings by name"),
        ("yaml", b"a: 1\n---\nb: 2\n", "is not YAML"),
        ("toml", b"a = \n", "is not TOML"),
        ("jsonc", b'{"a": }', "is not JSON"),
        ("jsonc", b'{"a": 1, "a": 2}', "is not JSON"),
        ("jsonc", b"[" * 5000, "is not JSON"),
        ("json", b'{"a": 1 // one\n}', "is not JSON"),
        ("json", b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_refused(form: str, raw: bytes, told: str, tmp_path: Path) -> None:
    """Given a file that is not of its format, when an export would be merged, then one line says so, and it stays."""
    path = tmp_path / "f"
    path.write_bytes(raw)
    with pytest.raises(ExportError, match=told) as raised:
        put(path, output(form))
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == raw
    assert list(tmp_path.iterdir()) == [path]


def test_read_only_is_one_line(tmp_path: Path) -> None:
    """Given a file that its user may not write, when it would be written, then one line says so, and it stays."""
    path = tmp_path / "f"
    path.write_text("b: 2\n", encoding="utf-8")
    path.chmod(0o444)
    with pytest.raises(ExportError, match="read-only"):
        put(path, output())
    assert path.read_text("utf-8") == "b: 2\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_one_line(tmp_path: Path) -> None:
    """Given a folder in place of a file, when it would be read, then one line says so."""
    with pytest.raises(ExportError, match="cannot read"):
        read(tmp_path)


def test_a_new_file_is_for_its_user_alone(tmp_path: Path) -> None:
    """Given no file, when an export is written, then its folder is made, and only the user can read it."""
    path = tmp_path / "new" / "f"
    assert put(path, output("json")) is None
    assert json.loads(path.read_text("utf-8")) == {"a": 1, "b": 1}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_program_of_someone_else_is_refused(tmp_path: Path) -> None:
    """Given a program that export did not make, when one would be written there, then one line says so."""
    path = tmp_path / "f.py"
    path.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(ExportError, match="was not made by export"):
        put(path, output("python", program="y = 1\n"))
    path.unlink()
    put(path, output("python", program="y = 1\n"))
    put(path, output("python", program="y = 2\n"))
    assert path.read_text("utf-8").endswith("<<< litellm-conformance export\ny = 2\n")


@pytest.mark.parametrize(
    "line",
    ["api_key: sk-mine", 'api_key: "sk-mine"', '"apiKey": "sk-mine"', "  api_key = 'sk-mine'", 'TOKEN = "sk-mine" # x'],
)
def test_keys_stay_out_of_what_is_shown(line: str) -> None:
    """Given a file with a key in it, when what changes is shown, then the key is not."""
    existing = Existing(Path("f"), f"{line}\n", "\n", bom=False)
    shown = difference(existing, f"{line}\na: 1\n", "f")
    assert "sk-mine" not in shown
    assert "…" in shown


def test_names_of_variables_are_shown() -> None:
    """Given a file that names a variable for its key, when what changes is shown, then so is that name."""
    for line in (
        "api_key: os.environ/MINE",
        '"apiKey": "$MINE"',
        '"apiKey": "{env:MINE}"',
        'env_key = "MINE"',
        '"envKey": "MINE"',
    ):
        assert "MINE" in difference(None, f"{line}\n", "f")
