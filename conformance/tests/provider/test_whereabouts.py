"""Tests of `conformance.provider.whereabouts`: what serves a model is learnt from lists and answers, and forgotten."""

from __future__ import annotations

import json
import stat
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.provider import FilteringTransport, RequestFilter
from conformance.provider.table import parse_table
from conformance.provider.whereabouts import FILE, MAX_AGE, MAX_FILE, MAX_MODELS, MAX_SERVED, Whereabouts

GATEWAY = "http://proxy.example"
HEADERS = {"x-litellm-model-name": "azure/gpt-5.2", "x-litellm-version": "1.109.1"}
TABLE = parse_table(
    {
        "schema_version": 1,
        "sources": {"s": {"kind": "default", "reason": "made for this test"}},
        "rules": [
            {
                "models": ["*"],
                "routes": ["azure"],
                "families": ["gpt"],
                "family_versions": [">=5"],
                "gateway_versions": [">=1.100"],
                "statements": {"temperature": {"supported": False, "source": "s"}},
            },
            {"models": ["*"], "statements": {}},
        ],
    }
)


@pytest.mark.parametrize("repair", ["off", "named"])
def test_the_second_request_knows_what_the_first_answer_told(tmp_path: Path, repair: Any) -> None:
    """Given a model under a name that says nothing, when it has answered once, then what its route refuses is left
    out, also by the next process; with repairs and without."""
    seen: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content))
        return httpx.Response(200, json={"choices": []}, headers=HEADERS)

    def ask() -> None:
        rules = RequestFilter(table=TABLE, cache_folder=tmp_path, repair=repair)
        with httpx.Client(transport=FilteringTransport(httpx.MockTransport(answer), rules)) as client:
            body = {"model": "team-default", "temperature": 0.5}
            for _ in range(2):
                assert client.post(f"{GATEWAY}/v1/chat/completions", json=body).status_code == 200

    ask()
    ask()

    assert ["temperature" in body for body in seen] == [True, False, False, False]


def test_words_tell_where_nobody_has_told_more(tmp_path: Path) -> None:
    """Given a refusal without headers, when its words name the provider, then that is known until more is told."""
    known = Whereabouts(tmp_path)
    known.said(GATEWAY, "m", "azure/")
    assert known.served_by(GATEWAY, "m") == ("azure/",)
    assert Whereabouts(tmp_path).served_by(GATEWAY, "m") == ("azure/",)

    known.told(GATEWAY, "m", HEADERS)
    known.said(GATEWAY, "m", "databricks/")
    assert known.served_by(GATEWAY, "m") == ("azure/gpt-5.2",)
    known.said(GATEWAY, "o", "vertex_ai/")
    known.told(GATEWAY, "o", {"x-litellm-model-name": "gemini/gemini-2.5-flash"})
    assert known.served_by(GATEWAY, "o") == ("gemini/gemini-2.5-flash",)
    known.said(GATEWAY, "n", "no name")
    assert known.served_by(GATEWAY, "n") == ()


def test_the_second_request_knows_what_a_refusal_told(tmp_path: Path) -> None:
    """Given a model under a name that says nothing, when a refusal names its provider, then the next request knows."""
    seen: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content))
        words = "litellm.BadRequestError: AzureException - the deployment is gone"
        return httpx.Response(400, json={"error": {"message": words}}, headers={"x-litellm-version": "1.109.1"})

    rules = RequestFilter(table=TABLE, cache_folder=tmp_path)
    with httpx.Client(transport=FilteringTransport(httpx.MockTransport(answer), rules)) as client:
        for _ in range(2):
            client.post(f"{GATEWAY}/v1/chat/completions", json={"model": "gpt-5.2", "temperature": 0.5})
    assert ["temperature" in body for body in seen] == [True, False]


def test_a_list_takes_the_place_of_what_answers_told(tmp_path: Path) -> None:
    """Given routes that answers have told, when the gateway lists its models, then its list holds."""
    known = Whereabouts(tmp_path)
    for name in ("azure/a", "openai/b"):
        known.told(GATEWAY, "m", {"x-litellm-model-name": name})
    assert known.served_by(GATEWAY, "m") == ("azure/a", "openai/b")

    known.listed(GATEWAY, {"m": ["databricks/c"], "n": ["azure/"]}, "1.90.0")

    for each in (known, Whereabouts(tmp_path)):
        assert each.served_by(GATEWAY, "m") == ("databricks/c",)
        assert each.served_by(GATEWAY, "n") == ("azure/",)
        assert each.version(GATEWAY) == "1.90.0"
        assert (each.version("http://other"), each.served_by("http://other", "m")) == (None, ())


BOTH = ("seed", "tools")


def declared_of(known: Whereabouts, names: str) -> list[tuple[str, ...] | None]:
    """What is known to be declared for each of these models."""
    return [known.declared(GATEWAY, name) for name in names]


def test_what_a_list_declares_is_known_to_the_next_process(tmp_path: Path) -> None:
    """Given a list that declares parameters, when one asks for them, then they are known, and kept once for all models
    that have the same."""
    known = Whereabouts(tmp_path)
    known.listed(GATEWAY, {name: ["azure/a"] for name in "mno"}, "1.90.0", {"m": BOTH, "n": BOTH, "o": None})

    for each in (known, Whereabouts(tmp_path)):
        assert declared_of(each, "mnox") == [BOTH, BOTH, None, None]
    assert json.loads((tmp_path / FILE).read_text())["lists"] == [list(BOTH)]


@pytest.mark.parametrize(
    ("headers", "holds"),
    [
        ({"x-litellm-model-name": "azure/a", "x-litellm-version": "1.90.0"}, True),
        ({}, True),
        ({"x-litellm-model-name": "azure/b"}, False),
        ({"x-litellm-version": "1.91.0"}, False),
    ],
)
def test_what_was_declared_holds_for_one_release_and_what_serves_the_model(
    tmp_path: Path, headers: dict[str, str], holds: bool
) -> None:
    """Given a list, when an answer comes from another release, or from something else, then what was declared holds no
    more, also for the next process."""
    known = Whereabouts(tmp_path)
    known.listed(GATEWAY, {"m": ["azure/a"]}, "1.90.0", {"m": BOTH})
    known.told(GATEWAY, "m", headers)

    for each in (known, Whereabouts(tmp_path)):
        assert declared_of(each, "m") == [BOTH if holds else None]


@pytest.mark.parametrize("served", [["azure/a"], ["gpt-4o"]])
def test_a_newer_list_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: list[str]) -> None:
    """Given two processes, when one has a newer list than the other, then it holds, whichever of them writes last, and
    also where it declares nothing any more."""
    one, other = Whereabouts(tmp_path), Whereabouts(tmp_path)
    one.listed(GATEWAY, {"m": served, "n": served}, None, {"m": BOTH, "n": BOTH})
    assert declared_of(other, "mn") == [BOTH, BOTH]
    later = time.time() + 5
    monkeypatch.setattr(time, "time", lambda: later)
    other.listed(GATEWAY, {"m": served, "n": served}, None, {"m": ("seed",), "n": None})
    one.told("http://another", "x", HEADERS)

    for each in (one, other, Whereabouts(tmp_path)):
        assert declared_of(each, "mn") == [("seed",), None]


def test_a_release_that_is_told_later_does_not_undo_the_list(tmp_path: Path) -> None:
    """Given a list of a gateway that did not tell its version, when an answer does, then what was declared holds."""
    known = Whereabouts(tmp_path)
    known.listed(GATEWAY, {"m": ["azure/a"]}, None, {"m": BOTH})
    known.told(GATEWAY, "m", {"x-litellm-model-name": "azure/a", "x-litellm-version": "1.90.0"})
    assert declared_of(known, "m") == [BOTH]


def test_a_list_of_bare_routes_does_not_hide_what_answers_told(tmp_path: Path) -> None:
    """Given an answer that told what serves a model, when a list knows its route alone, then the answer's word stays; a
    list of another route takes its place."""
    known = Whereabouts(tmp_path)
    known.told(GATEWAY, "m", HEADERS)
    known.listed(GATEWAY, {"m": ["azure/"]}, "1.109.1")
    assert known.served_by(GATEWAY, "m") == ("azure/gpt-5.2",)
    known.listed(GATEWAY, {"m": ["openai/"]}, "1.109.1")
    assert known.served_by(GATEWAY, "m") == ("openai/",)


def test_many_models_and_many_parameters_are_bounded(tmp_path: Path) -> None:
    """Given more models than are kept, or more parameters than a model has, when a list declares them, then what is
    kept stays small, and one change does not undo the others."""
    known = Whereabouts(tmp_path)
    names = [f"m{number}" for number in range(MAX_MODELS)]
    served = {name: ["azure/a"] for name in names}
    known.listed(GATEWAY, served, "1.90.0", dict.fromkeys(names, BOTH))
    known.listed(GATEWAY, served, "1.90.0", {**dict.fromkeys(names, BOTH), "m7": ("seed",)})
    assert sum(known.declared(GATEWAY, name) is not None for name in names) == MAX_MODELS
    for number in range(3):
        more = {f"{number}-{name}": ["azure/a"] for name in names}
        Whereabouts(tmp_path).listed(GATEWAY, more, "1.90.0", dict.fromkeys(more, BOTH))
    kept = json.loads((tmp_path / FILE).read_text())["gateways"][GATEWAY]
    assert max(len(kept["declared"]), len(kept["models"])) <= MAX_MODELS

    known.listed(GATEWAY, {"n": ["azure/a"]}, "1.90.0", {"n": tuple(map(str, range(100_000)))})
    assert declared_of(known, "n") == [None]
    assert (tmp_path / FILE).stat().st_size < MAX_FILE


def test_what_a_list_declared_is_forgotten_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a list, when a day has gone by, then nobody knows any more what it declared."""
    known = Whereabouts(tmp_path)
    known.listed(GATEWAY, {"m": ["azure/a"]}, "1.90.0", {"m": ("seed",)})
    later = time.time() + MAX_AGE + 60
    monkeypatch.setattr(time, "time", lambda: later)

    assert known.declared(GATEWAY, "m") is None
    assert Whereabouts(tmp_path).declared(GATEWAY, "m") is None


def test_what_is_not_declared_is_left_out(tmp_path: Path) -> None:
    """Given a table that knows what is refused if it is not declared, when a list has told what is, then requests go
    without the rest, and a forced route says that the list is of something else."""
    refused = {"seed": {"supported": False, "source": "s"}, "user": {"supported": False, "source": "s"}}
    rules = [{"models": ["*"], "declared": ["no"], "statements": refused}, {"models": ["*"], "statements": {}}]
    table = parse_table({"schema_version": 1, "sources": {"s": {"kind": "default", "reason": "r"}}, "rules": rules})
    body = json.dumps({"model": "m", "seed": 1, "user": "u"}).encode()
    url = f"{GATEWAY}/v1/chat/completions"
    sent = RequestFilter(table=table, cache_folder=tmp_path)
    assert sent.filtered(body, "chat_completions", url) is None

    sent.whereabouts.listed(GATEWAY, {"m": ["azure/a"]}, "1.90.0", {"m": ("user",)})

    made = sent.filtered(body, "chat_completions", url)
    assert made is not None
    assert json.loads(made) == {"model": "m", "user": "u"}
    forced = RequestFilter(table=table, cache_folder=tmp_path, route="openai")
    assert forced.filtered(body, "chat_completions", url) is None


def test_what_was_told_is_forgotten_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a name that was given to another model, when a day has gone by, then the old one is forgotten."""
    known = Whereabouts(tmp_path)
    known.told(GATEWAY, "m", {"x-litellm-model-name": "azure/old"})
    later = time.time() + MAX_AGE + 60
    monkeypatch.setattr(time, "time", lambda: later)
    known.told(GATEWAY, "m", {"x-litellm-model-name": "azure/new"})

    assert known.served_by(GATEWAY, "m") == ("azure/new",)


def test_the_file_is_this_users_alone_and_holds_no_key(tmp_path: Path) -> None:
    """Given answers, when they are kept, then only this user can read the file."""
    Whereabouts(tmp_path).told(GATEWAY, "m", HEADERS)

    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    document = json.loads((tmp_path / FILE).read_text())
    assert list(document["gateways"]) == [GATEWAY]
    assert document["gateways"][GATEWAY]["version"] == "1.109.1"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"schema_version": 9}',
        '{"schema_version": 1, "gateways": {"g": 3}}',
        '{"schema_version": 1, "gateways": {"g": {"version": "1", "models": {}, "declared": {"m": [0, 7]}}}}',
        '{"schema_version": 1, "gateways": {"g": {"version": "1", "models": {"m": {"azure/a": 1e999}}}}}',
        '{"schema_version": 1, "gateways": {}, "lists": 3}',
        "\x00",
    ],
)
def test_a_damaged_file_is_as_none(tmp_path: Path, content: str) -> None:
    """Given a file that cannot be read, when something is asked and told, then it is made anew."""
    (tmp_path / FILE).write_text(content)
    known = Whereabouts(tmp_path)

    assert known.served_by(GATEWAY, "m") == ()
    known.told(GATEWAY, "m", HEADERS)
    assert Whereabouts(tmp_path).served_by(GATEWAY, "m") == ("azure/gpt-5.2",)


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """Given a cache folder that is a file, when something is told, then this process remembers it."""
    (tmp_path / "file").write_text("")
    known = Whereabouts(tmp_path / "file")
    known.told(GATEWAY, "m", HEADERS)

    assert known.served_by(GATEWAY, "m") == ("azure/gpt-5.2",)


@given(st.text(max_size=500), st.text(max_size=60))
def test_headers_may_hold_anything(name: str, version: str) -> None:
    """Given any headers, when they are taken note of, then nothing breaks, and only names of routes are believed."""
    known = Whereabouts(Path("/nonexistent"))
    known.told(GATEWAY, "m", {"x-litellm-model-name": name, "x-litellm-version": version})

    assert all("/" in each and each.isprintable() for each in known.served_by(GATEWAY, "m"))
    assert (known.version(GATEWAY) or "0")[0].isdigit()


def test_it_stays_small() -> None:
    """Given a gateway that tells a new name with each answer, when it has told many, then few are kept."""
    known = Whereabouts(Path("/nonexistent"))
    for number in range(3 * MAX_SERVED):
        known.told(GATEWAY, "m", {"x-litellm-model-name": f"azure/{number}"})
    assert len(known.served_by(GATEWAY, "m")) <= MAX_SERVED
    known.listed(GATEWAY, {str(number): ["azure/x"] for number in range(2 * MAX_MODELS)}, None)
    assert sum(bool(known.served_by(GATEWAY, str(number))) for number in range(2 * MAX_MODELS)) <= MAX_MODELS


def test_many_threads_may_tell(tmp_path: Path) -> None:
    """Given threads that tell at the same time, when all are done, then all is known."""
    known = Whereabouts(tmp_path)

    def tell(number: int) -> None:
        known.told(GATEWAY, f"m{number}", {"x-litellm-model-name": f"azure/{number}"})

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(known.served_by(GATEWAY, f"m{number}") == (f"azure/{number}",) for number in range(20))


def test_two_processes_forget_nothing_of_each_other(tmp_path: Path) -> None:
    """Given two processes that have both read the file, when each is told something, then a third knows both."""
    one, two = Whereabouts(tmp_path), Whereabouts(tmp_path)
    assert one.served_by(GATEWAY, "a") == two.served_by(GATEWAY, "a") == ()

    one.told(GATEWAY, "a", HEADERS)
    two.told(GATEWAY, "b", {"x-litellm-model-name": "openai/gpt-5.2"})
    two.told("http://other.example", "c", {"x-litellm-model-name": "openai/o3", "x-litellm-version": "1.90.7"})
    one.told(GATEWAY, "d", {**HEADERS, "x-litellm-version": "1.109.3"})

    third = Whereabouts(tmp_path)
    assert third.served_by(GATEWAY, "a") == ("azure/gpt-5.2",)
    assert third.served_by(GATEWAY, "b") == ("openai/gpt-5.2",)
    assert third.served_by("http://other.example", "c") == ("openai/o3",)
    assert (third.version(GATEWAY), third.version("http://other.example")) == ("1.109.3", "1.90.7")


def test_a_file_is_never_too_large_to_be_read(tmp_path: Path) -> None:
    """Given gateways with so many long names that a file of all would not be read, when another is told, then the file
    can be read, and knows the last one."""
    whereabouts = Whereabouts(tmp_path)
    for number in range(8):
        models = {f"model-{each}-{'x' * 100}": [f"azure/{'y' * 100}"] for each in range(1000)}
        whereabouts.listed(f"http://proxy-{number}.example", models, "1.109.1")
    whereabouts.told(GATEWAY, "a", HEADERS)

    assert Whereabouts(tmp_path).served_by(GATEWAY, "a") == ("azure/gpt-5.2",)


@given(st.lists(st.sampled_from([0, -1, 7, True, None, "x", 1e999, []]), min_size=4, max_size=4), st.booleans())
def test_a_declaration_from_disk_may_be_anything(row: list[Any], lists: bool) -> None:
    """Given a file with nonsense in a declaration, when it is read, then nothing breaks, and nothing false is known."""
    entry = {"version": None, "models": {}, "declared": {"m": row}}
    document = {"schema_version": 1, "gateways": {GATEWAY: entry}, "lists": [["seed"]] if lists else ["abc"]}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / FILE).write_text(json.dumps(document))
        assert Whereabouts(Path(folder)).declared(GATEWAY, "m") is None
