"""What whoever installs says of a cache folder that cannot be written to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.atlas.command import add_releases
from conformance.clients.recipes import load_recipes
from conformance.clients.running import install
from conformance.embedded.environment import ensure_environment
from conformance.errors import CacheError
from conformance.files import installations

INSTALLERS: dict[str, Callable[[], object]] = {
    "LiteLLM": lambda: ensure_environment("1.106.2", lambda _line: None),
    "clients": lambda: install(load_recipes().clients["codex"], installations("clients"), lambda _line: None),
    "the atlas": lambda: add_releases("1.106.2", "groq/*", "core", None),
}


@pytest.mark.parametrize("who", INSTALLERS)
def test_a_cache_folder_that_is_none(who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a file where the cache folder would be, when something is installed, then one line says what to do."""
    (tmp_path / "cache").write_text("", encoding="utf-8")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_names, **_options: tmp_path / "cache" / "own")
    with pytest.raises(
        CacheError, match=r"cannot write to the cache folder .*Not a directory.*XDG_CACHE_HOME"
    ) as ended:
        INSTALLERS[who]()
    assert "\n" not in str(ended.value)
