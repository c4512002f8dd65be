"""Tests of the provider's model list on disk."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path

import pytest
from starlette.requests import Request

from conformance.provider.errors import HomeError
from conformance.provider.files import cache_folder
from conformance.provider.models import Cost
from conformance.provider.models.cache import KEPT_FOR, cache_file, read_models, write_models
from conformance.provider.models.catalogue import Listed
from conformance.provider.target import Target
from conformance.tests.helpers.gateways import KEY
from conformance.tests.helpers.listings import GROUP, listing, provider


class TestCache:
    """What is kept on disk."""

    def test_a_young_list_is_used_as_it_is(self, tmp_path: Path) -> None:
        """Given a list just fetched, when another program asks, then the gateway is not asked again."""
        seen: list[Request] = []
        with listing([{"id": "m"}], [{**GROUP, "model_group": "m"}], seen=seen) as url:
            first = provider(url, tmp_path).models()
            again = provider(url, tmp_path).models()
            assert len(seen) == 3
            provider(url, tmp_path).models(max_age=0)
            assert len(seen) == 6

        assert again == first
        assert first[0].cost == Cost(0.1, 5.0)

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
    def test_nobody_else_can_read_it_and_the_key_is_not_in_it(self, tmp_path: Path) -> None:
        """Given a list that is kept, when its file is looked at, then it is the user's own and holds no key."""
        with listing() as url:
            provider(url, tmp_path / "new" / "folder").models()
            [file] = (tmp_path / "new" / "folder").iterdir()

        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert KEY not in file.read_text()
        assert KEY not in file.name

    def test_another_key_or_gateway_has_a_list_of_its_own(self, tmp_path: Path) -> None:
        """Given a kept list, when another key or address is used, then it is not theirs."""
        write_models(Target("http://a", KEY), [Listed("m")], tmp_path)

        assert read_models(Target("http://a", KEY), tmp_path) is not None
        assert read_models(Target("http://a", "sk-other"), tmp_path) is None
        assert read_models(Target("http://b", KEY), tmp_path) is None

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"\xff\xfe",
            b"[]",
            b"null",
            b"[" * 100_000,
            b'{"schema_version":1}',
            b'{"schema_version":99,"base_url":"http://a","fetched_at":0,"models":[]}',
            b'{"schema_version":1,"base_url":"http://b","fetched_at":0,"models":[{"id":"m","declared":{},"route":null}]}',
            b'{"schema_version":1,"base_url":"http://a","fetched_at":"x","models":[{"id":"m","declared":{},"route":null}]}',
            b'{"schema_version":1,"base_url":"http://a","fetched_at":0,"models":[{"id":1,"declared":{},"route":null}]}',
            b'{"schema_version":1,"base_url":"http://a","fetched_at":0,"models":[]}',
            b'{"schema_version":1,"base_url":"http://a","fetched_at":0,"models":[7]}',
        ],
    )
    def test_a_file_that_cannot_be_read_is_as_good_as_none(self, tmp_path: Path, content: bytes) -> None:
        """Given a kept file that is broken, when it is read, then it is ignored, and written anew when it can be."""
        target = Target("http://a", KEY)
        cache_file(target, tmp_path).write_bytes(content)

        assert read_models(target, tmp_path) is None
        write_models(target, [Listed("m")], tmp_path)
        assert read_models(target, tmp_path) is not None

    def test_declarations_from_disk_are_checked_too(self, tmp_path: Path) -> None:
        """Given a kept file that somebody has edited, when it is read, then nonsense in it counts for nothing."""
        target = Target("http://a", KEY)
        write_models(target, [Listed("m", {"max_input_tokens": "many", "x": [1]}, "r")], tmp_path)

        cached = read_models(target, tmp_path)

        assert cached is not None
        assert cached.models == (Listed("m", {}, "r"),)

    def test_what_is_declared_is_not_kept_with_the_list(self, tmp_path: Path) -> None:
        """Given a list with what is declared, when it is read again, then it has not that: it grows old sooner."""
        target = Target("http://a", KEY)
        write_models(target, [Listed("m", parameters=("seed",))], tmp_path)

        cached = read_models(target, tmp_path)

        assert cached is not None
        assert cached.models == (Listed("m"),)

    def test_a_folder_that_cannot_be_written_is_no_error(self, tmp_path: Path) -> None:
        """Given a folder that is a file, when a list is fetched, then it is used all the same."""
        (tmp_path / "file").write_text("")
        with listing() as url:
            assert [model.id for model in provider(url, tmp_path / "file").models()] == ["m"]

    def test_a_write_cut_short_leaves_the_old_list(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given a kept list, when writing the next one fails midway, then the old one stays, and no other file."""
        target = Target("http://a", KEY)
        write_models(target, [Listed("old")], tmp_path)

        def fail(*_: object) -> None:
            raise OSError("disk full")

        monkeypatch.setattr(Path, "replace", fail)
        write_models(target, [Listed("new")], tmp_path)

        assert [file.name for file in tmp_path.iterdir()] == [cache_file(target, tmp_path).name]
        cached = read_models(target, tmp_path)
        assert cached is not None
        assert cached.models[0].id == "old"

    def test_a_test_leaves_nothing_with_the_user(self) -> None:
        """Given no folder, when a test keeps a list, then it is not in the cache of the user who runs the tests."""
        target = Target("http://127.0.0.1:1", "sk-of-a-test")
        write_models(target, [Listed("m")])

        assert read_models(target) is not None
        assert not cache_file(target, cache_folder()).exists()

    def test_old_lists_are_removed(self, tmp_path: Path) -> None:
        """Given lists of other keys, when one is written, then those are gone that nobody has renewed for long."""
        old, young, ours = (cache_file(Target("http://a", key), tmp_path) for key in ("sk-old", "sk-young", KEY))
        others = [tmp_path / "models-mine.json", tmp_path / "learned.json", tmp_path / f"{old.name}.txt"]
        (tmp_path / f"models-{'0' * 24}.json").mkdir()
        for file in (old, young, *others, tmp_path / f"models-{'0' * 24}.json"):
            if not file.is_dir():
                file.write_text("{}")
            age = KEPT_FOR + 60 if file != young else KEPT_FOR - 60
            os.utime(file, (time.time() - age,) * 2)

        write_models(Target("http://a", KEY), [Listed("m")], tmp_path)

        assert set(tmp_path.iterdir()) == {young, ours, *others, tmp_path / f"models-{'0' * 24}.json"}

    def test_an_old_list_that_cannot_be_removed_is_no_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Given an old list that cannot be removed, when one is written, then it is kept all the same."""
        old, target = cache_file(Target("http://a", "sk-old"), tmp_path), Target("http://a", KEY)
        old.write_text("{}")
        os.utime(old, (0, 0))

        def fail(*_: object, **__: object) -> None:
            raise PermissionError("read-only")

        monkeypatch.setattr(Path, "unlink", fail)
        write_models(target, [Listed("m")], tmp_path)

        assert old.exists()
        assert read_models(target, tmp_path) is not None

    def test_a_user_without_a_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given a user without a home, when a list is kept or read, then there is none; who needs one gets one line."""
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as where there is none
        monkeypatch.setattr("conformance.provider.models.cache.cache_folder", cache_folder)
        target = Target("http://a", KEY)

        assert write_models(target, [Listed("m")]).models == (Listed("m"),)
        assert read_models(target) is None
        with pytest.raises(HomeError, match=r"^nobody knows the home folder in ~/.cache; set HOME$"):
            cache_folder()

    @pytest.mark.parametrize(
        ("platform", "environ", "end"),
        [
            ("linux", {"XDG_CACHE_HOME": "/c"}, "/c/litellm-conformance"),
            ("linux", {"HOME": "/h"}, "/h/.cache/litellm-conformance"),
            ("darwin", {"HOME": "/h"}, "/h/Library/Caches/litellm-conformance"),
            ("win32", {"LOCALAPPDATA": "/l"}, "/l/litellm-conformance"),
        ],
    )
    def test_where_it_lies(
        self, monkeypatch: pytest.MonkeyPatch, platform: str, environ: dict[str, str], end: str
    ) -> None:
        """Given a platform, when the folder is asked for, then it is the one where users expect caches."""
        for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "platform", platform)

        assert cache_folder().as_posix() == end
