"""Tests of the provider's model list: what is read from a gateway, what is kept, and what when it is down."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from conformance.provider import fetching
from conformance.provider.cache import Cached, cache_file, cache_folder, read_models, write_models
from conformance.provider.catalogue import Listed, catalogue, data_rows, listed_rows
from conformance.provider.errors import GatewayError, KeyRefusedError, TargetError
from conformance.provider.models import Cost, LiteLLMProvider, Model, StaleModelsWarning
from conformance.provider.target import Target
from conformance.tests.gateways import KEY, closed_port, http, raw_server, serving

#: Both ways to ask for the models.
ASKING: dict[str, Callable[..., tuple[Model, ...]]] = {
    "sync": lambda provider, **how: provider.models(**how),
    "async": lambda provider, **how: asyncio.run(provider.amodels(**how)),
}
each_way = pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING)

GROUP = {
    "model_group": "claude-haiku-4-5",
    "providers": ["databricks"],
    "max_input_tokens": 200000.0,
    "max_output_tokens": 64000.0,
    "input_cost_per_token": 1e-7,
    "output_cost_per_token": 5e-06,
    "supports_vision": True,
    "supports_reasoning": True,
    "mode": "chat",
}


@contextmanager
def listing(
    rows: Any = ({"id": "m"},), groups: Any = None, infos: Any = None, seen: list[Request] | None = None
) -> Iterator[str]:
    """A gateway that lists and declares this; a route without an answer is 404, a `Response` is given as it is."""

    def route(answer: Any) -> Callable[[Request], Response]:
        def respond(request: Request) -> Response:
            if seen is not None:
                seen.append(request)
            if answer is None:
                return PlainTextResponse("no such route", 404)
            return answer if isinstance(answer, Response) else JSONResponse({"data": list(answer)})

        return respond

    paths = {"/v1/models": rows, "/model_group/info": groups, "/model/info": infos}
    with serving(Starlette(routes=[Route(path, route(answer)) for path, answer in paths.items()])) as url:
        yield url


def provider(url: str, folder: Path, key: str = KEY) -> LiteLLMProvider:
    """A provider for this address that keeps its lists here."""
    return LiteLLMProvider(url, key, cache_folder=folder)


@each_way
def test_declared_beside_known_by_rule(tmp_path: Path, ask: Any) -> None:
    """Given a gateway that declares one model of two, when asked, then declarations win and rules fill in."""
    with listing([{"id": "claude-haiku-4-5"}, {"id": "gpt-5.9"}], [GROUP]) as url:
        haiku, gpt = ask(provider(url, tmp_path))

    assert (haiku.id, haiku.name, haiku.reasoning, haiku.input) == (*["claude-haiku-4-5"] * 2, True, ("text", "image"))
    assert haiku.cost == Cost(0.1, 5.0)
    assert (haiku.context_window, haiku.max_tokens, haiku.route) == (200_000, 4096, "databricks")
    assert haiku.compat["wire"] == "chat_completions"
    assert (gpt.reasoning, gpt.cost, gpt.max_tokens, gpt.route) == (True, None, 8192, None)
    assert gpt.compat["wire"] == "responses"


@each_way
def test_the_key_goes_to_the_gateway_alone(tmp_path: Path, ask: Any) -> None:
    """Given a gateway, when asked, then each route once, with the key in a header and nowhere else."""
    seen: list[Request] = []
    with listing(seen=seen) as url:
        ask(provider(url, tmp_path))

    assert [request.url.path for request in seen] == ["/v1/models", "/model_group/info", "/model/info"]
    assert {request.headers["authorization"] for request in seen} == {f"Bearer {KEY}"}
    assert not any(KEY in str(request.url) for request in seen)


def _info(name: str, served_by: str, **info: Any) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": served_by}, "model_info": info}


def test_several_deployments_behind_one_name() -> None:
    """Given a name with two deployments, when read, then what is declared holds for both."""
    infos = [
        _info("m", "databricks/a", max_input_tokens=100, input_cost_per_token=1e-6, supports_vision=True),
        _info("m", "openai/b", max_input_tokens=200, input_cost_per_token="2e-6", supports_vision=False),
        _info("one", "azure/a", cache_read_input_token_cost=1e-8),
        _info("one", "azure/b"),
    ]

    [model, one] = catalogue([{"id": "m"}, {"id": "one"}], [{"model_group": "m", "supports_vision": True}], infos)

    assert model == Listed("m", {"max_input_tokens": 100, "input_cost_per_token": 2e-6, "supports_vision": False}, None)
    assert one == Listed("one", {"cache_read_input_token_cost": 1e-8}, "azure")


def test_rows_that_are_no_models() -> None:
    """Given ids that are no names, twice there, or of models that do not chat, when read, then they are left out."""
    rows: list[dict[str, Any]] = [
        {"id": "b"},
        {"id": "b", "mode": "embedding"},
        {"id": ""},
        {"id": None},
        {"id": 7},
        {"id": ["a"]},
        {"id": "line\nbreak"},
        {"id": "\ud800"},
        {"id": "x" * 600},
        {"id": "openai/*"},
        {"id": "pictures", "mode": "image_generation"},
        {"id": "by-info"},
        {"id": "a", "mode": 3},
        {},
    ]

    found = catalogue(rows, (), [_info("by-info", "openai/e", mode="embedding"), {"model_name": []}, {"model_info": 1}])

    assert [listed.id for listed in found] == ["b", "a"]


@pytest.mark.parametrize("value", [None, True, "many", "", [], {}, -1, float("nan"), float("inf"), "1e400", 10**400])
def test_declared_nonsense_counts_for_nothing(value: Any) -> None:
    """Given a number that is none, when it is declared, then the rules hold as if it were not."""
    group = {
        "model_group": "m",
        **dict.fromkeys(("max_input_tokens", "input_cost_per_token", "supports_vision"), value),
    }

    [listed] = catalogue([{"id": "m"}], [group, {"model_group": None}], [{"model_name": "m", "litellm_params": "x"}])

    assert {key: fact for key, fact in listed.declared.items() if fact is not True} == {}


_ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | st.sampled_from(["m", "chat"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "mode", "model_group", "model_name", "model_info", "litellm_params", "model", "providers"]
            )
            | st.sampled_from(["max_input_tokens", "input_cost_per_token", "supports_vision", "data"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(_ANY, _ANY, _ANY)
def test_any_answer(rows: Any, groups: Any, infos: Any) -> None:
    """Given any JSON in the three answers, when read, then models or one line come of it, never another error."""

    def body(value: Any) -> bytes:
        return json.dumps({"data": value}).encode()

    try:
        listed = listed_rows(200, body(rows), "http://h")
    except GatewayError:
        return
    found = catalogue(listed, data_rows(body(groups)), data_rows(body(infos)))
    assert len({each.id for each in found}) == len(found)
    ours = LiteLLMProvider("http://h", KEY, cache_folder=Path("/nonexistent"))
    ours._cached = Cached(found, time.time())
    assert all(model.max_tokens > 0 and model.context_window > 0 for model in ours.models())


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


DOWN: dict[str, tuple[bytes, str]] = {
    "an error": (http(b"oops", "500 Internal Server Error"), "answers 500"),
    "a web page": (http(b"<html>login</html>"), "answers with HTML"),
    "no JSON": (http(b"\xff\x00"), "answers with no JSON"),
    "no list": (http(b'{"data": {}}'), "without a `data` list"),
    "nothing": (b"", "cannot be read"),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n", "cannot be read"),
    "too many requests": (http(b"", "429 Too Many Requests"), "limits the rate of requests"),
    "an endless list of nothing": (http(b'{"data": [' + b"1," * 10_000 + b"1]}"), "none with a text `id`"),
    "no model that chats": (http(b'{"data": [{"id": "e", "mode": "embedding"}]}'), "none that chats"),
}


@each_way
@pytest.mark.parametrize("case", DOWN)
def test_down_with_a_list_and_without(tmp_path: Path, ask: Any, case: str, caplog: pytest.LogCaptureFixture) -> None:
    """Given a gateway that fails, when asked, then the last list with a warning, or one line where there is none."""
    answer, words = DOWN[case]
    with raw_server(answer) as url:
        with pytest.raises(GatewayError, match=words) as caught:
            ask(provider(url, tmp_path))
        assert "\n" not in str(caught.value)
        assert KEY not in str(caught.value)
        write_models(Target(url, KEY), [Listed("last-known")], tmp_path)
        with pytest.warns(StaleModelsWarning, match="using the 1 models that it listed just now"):
            models = ask(provider(url, tmp_path), max_age=0)

    assert [model.id for model in models] == ["last-known"]
    assert any("using the 1 models" in message for message in caplog.messages)


@each_way
def test_nobody_there(tmp_path: Path, ask: Any) -> None:
    """Given an address where nobody listens, when asked, then one line says so."""
    with pytest.raises(GatewayError, match="connection refused; is the gateway running"):
        ask(provider(f"http://127.0.0.1:{closed_port()}", tmp_path))


@each_way
@pytest.mark.parametrize(
    "answer",
    [
        http(b"", "401 Unauthorized"),
        http(b"", "403 Forbidden"),
        http(b'{"error": {"message": "No connected db."}}', "400 Bad Request"),
    ],
)
def test_a_refused_key_is_not_papered_over(tmp_path: Path, ask: Any, answer: bytes) -> None:
    """Given a last list and a key that is now refused, when asked, then that is said."""
    with raw_server(answer) as url:
        write_models(Target(url, KEY), [Listed("last-known")], tmp_path)
        with pytest.raises(KeyRefusedError):
            ask(provider(url, tmp_path), max_age=0)


@each_way
def test_redirects_do_not_take_the_key_along(tmp_path: Path, ask: Any) -> None:
    """Given a gateway that redirects to a stranger, when asked, then the stranger is not."""
    seen: list[Request] = []
    with (
        listing(seen=seen) as stranger,
        listing(RedirectResponse(f"{stranger}/v1/models")) as url,
        pytest.raises(GatewayError, match="redirects"),
    ):
        ask(provider(url, tmp_path))

    assert seen == []


@each_way
def test_answers_without_end(tmp_path: Path, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an answer beyond all bounds, when it comes, then no more of it is read than the bound."""
    monkeypatch.setattr(fetching, "MAX_BODY", 12 * 2**20)
    read: list[int] = []

    class Counting(fetching._Reading):
        def add(self, chunk: bytes) -> None:
            read.append(len(chunk))
            super().add(chunk)

    monkeypatch.setattr(fetching, "_Reading", Counting)

    async def flood() -> Any:
        for _ in range(100):
            yield b"x" * 2**20

    with listing(StreamingResponse(flood())) as url, pytest.raises(GatewayError, match="more than 12 MiB"):
        ask(provider(url, tmp_path))

    assert 12 * 2**20 < sum(read) < 14 * 2**20


@each_way
def test_answers_that_drip(tmp_path: Path, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an answer that comes byte by byte, when it takes too long, then it is not waited for."""
    monkeypatch.setattr(fetching, "ANSWER_SECONDS", 0.3)

    async def drip() -> Any:
        for _ in range(100):
            yield b" "
            await asyncio.sleep(0.05)

    with listing(StreamingResponse(drip())) as url, pytest.raises(GatewayError, match="takes longer than"):
        ask(provider(url, tmp_path))


@each_way
def test_answers_that_do_not_come(tmp_path: Path, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a gateway that says nothing, when asked, then not for ever; what is only welcome is done without."""
    monkeypatch.setattr(fetching, "READ_SECONDS", 0.3)

    async def silence() -> Any:
        await asyncio.sleep(3)
        yield b""

    with listing(StreamingResponse(silence())) as url, pytest.raises(GatewayError, match="did not answer in time"):
        ask(provider(url, tmp_path))
    with listing([{"id": "m"}], StreamingResponse(silence()), StreamingResponse(silence())) as url:
        assert [model.id for model in ask(provider(url, tmp_path))] == ["m"]


@each_way
@pytest.mark.parametrize("answer", [http(b"", "500 No"), http(b"<html>"), http(b"[]"), http(b'{"data": [1]}'), b""])
def test_declarations_are_welcome_and_not_needed(tmp_path: Path, ask: Any, answer: bytes) -> None:
    """Given a list, and nonsense where declarations should be, when asked, then the rules fill in."""

    class Raw(Response):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            head, _, body = answer.partition(b"\r\n\r\n")
            await Response(body, int(head.split()[1]) if head else 204)(scope, receive, send)

    with listing([{"id": "m"}], Raw(), Raw()) as url:
        [model] = ask(provider(url, tmp_path))

    assert (model.id, model.max_tokens) == ("m", 4096)


def test_ten_thousand_models(tmp_path: Path) -> None:
    """Given 10,000 models with all they declare (20 MB), when asked, then it is a matter of seconds."""
    rows = [{"id": f"m-{number}"} for number in range(10_000)]
    groups = [{**GROUP, "model_group": row["id"], "supported_openai_params": ["x" * 100] * 20} for row in rows]
    with listing(rows, groups) as url:
        started = time.perf_counter()
        models = provider(url, tmp_path).models()
        again = provider(url, tmp_path).models()

    assert len(models) == 10_000
    assert again == models
    assert models[0].cost == Cost(0.1, 5.0)
    assert time.perf_counter() - started < 20


class TestProvider:
    """What needs no gateway."""

    def test_from_the_environment(self) -> None:
        """Given an environment, when a provider is made of it, then it is for the gateway named there."""
        ours = LiteLLMProvider.from_env({"LITELLM_BASE_URL": "http://h:1/team/v1/", "LITELLM_API_KEY": KEY})

        assert ours.target == Target("http://h:1/team", KEY)
        assert KEY not in repr(ours)

    @pytest.mark.parametrize(
        ("environ", "words"),
        [
            ({}, "no gateway is named; set LITELLM_BASE_URL and LITELLM_API_KEY"),
            ({"LITELLM_BASE_URL": "http://h"}, "LITELLM_API_KEY is not set"),
            ({"LITELLM_BASE_URL": f"http://u:{KEY}@h", "LITELLM_API_KEY": KEY}, "holds credentials"),
            ({"LITELLM_BASE_URL": f"http://h?key={KEY}", "LITELLM_API_KEY": KEY}, "holds a query"),
        ],
    )
    def test_an_environment_that_names_none(self, environ: dict[str, str], words: str) -> None:
        """Given an environment that names no gateway, when a provider is made of it, then one line says so."""
        with pytest.raises(TargetError, match=words) as caught:
            LiteLLMProvider.from_env(environ)
        assert KEY not in str(caught.value)

    def test_a_model_that_nobody_listed(self, tmp_path: Path) -> None:
        """Given no list, when a model is asked for, then the rules tell of it, and nobody is asked."""
        model = provider("http://127.0.0.1:1", tmp_path).model("claude-opus-4-6")

        assert (model.reasoning, model.context_window, model.max_tokens) == (True, 200_000, 8192)
        assert model.compat["wire"] == "chat_completions"

    def test_a_model_that_was_listed(self, tmp_path: Path) -> None:
        """Given a kept list, when a model is asked for, then what was declared of it is known."""
        write_models(Target("http://a", KEY), [Listed("m", {"max_input_tokens": 5000})], tmp_path)

        assert provider("http://a", tmp_path).model("m").context_window == 5000

    @pytest.mark.parametrize("model_id", ["", " ", None, 7])
    def test_ids_that_are_none(self, tmp_path: Path, model_id: Any) -> None:
        """Given an id that is none, when its model is asked for, then that is a `ValueError`."""
        with pytest.raises(ValueError, match="must be a text that is not empty"):
            provider("http://a", tmp_path).model(model_id)

    def test_a_list_from_the_future_is_old(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Given a list dated in the future, when asked, then the gateway is asked again."""
        caplog.set_level(logging.CRITICAL)
        target = Target(f"http://127.0.0.1:{closed_port()}", KEY)
        file = cache_file(target, tmp_path)
        write_models(target, [Listed("m")], tmp_path)
        file.write_text(json.dumps({**json.loads(file.read_text()), "fetched_at": time.time() + 1e6}))

        with pytest.warns(StaleModelsWarning, match="at an unknown time"):
            assert provider(target.base_url, tmp_path).models()[0].id == "m"
