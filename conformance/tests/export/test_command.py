"""The command `export`, as a user gives it."""

from __future__ import annotations

import ast
import json
import os
import re
from pathlib import Path

import pytest
from starlette.responses import JSONResponse

from conformance.export.clients import load_clients
from conformance.matrix.document import dump_matrix
from conformance.tests.helpers.exports import HERE, export, told
from conformance.tests.helpers.gateways import KEY
from conformance.tests.helpers.listings import listing
from conformance.tests.helpers.pages import cell, matrix_with
from conformance.tests.helpers.running import CHECKOUT


@pytest.mark.parametrize("client", load_clients())
def test_every_client(client: str, place: Path) -> None:
    """Given a matrix, when the export for a client is shown, then it begins with where it comes from, without a key."""
    ended = export("--for", client, "--base-url", "https://proxy.example/v1")
    assert ended.exit_code == 0, ended.output
    assert "Made by litellm-conformance" in ended.output
    assert "The vendors were simulators" in ended.output
    assert "proxy.example/v1/v1" not in ended.output
    assert ("proxy.example" in ended.stdout) is (client != "litellm")
    assert list(place.iterdir()) == [place / "reports"]


def test_writing_twice(place: Path) -> None:
    """Given no file, when an export is written twice, then the second time says that nothing changes."""
    first, file = export("--for", "pi", "--write"), place / "home" / ".pi" / "agent" / "models.json"
    before = file.read_bytes()
    second = export("--for", "pi", "--write")
    assert "written:" in first.stderr
    assert "+++" in first.stderr
    assert first.stderr.rstrip().endswith("or export with --base-url.")  # nobody knows the gateway's address
    assert "nothing changes" in second.stderr
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_merging_is_shown_and_kept(place: Path) -> None:
    """Given a user's file, when it is merged into, then the difference is shown, and a copy kept."""
    file = place / "opencode.json"
    own = (
        '{\n  // mine\n  "theme": "dark",\n  "provider": {"mine": {"options": {"baseURL": "http://127.0.0.1/v1"}}}\n}\n'
    )
    file.write_text(own, encoding="utf-8")
    shown = export("--for", "opencode", *HERE, "--into", "opencode.json")
    assert file.read_text("utf-8") == own
    assert '+    "mine": {"options"' in shown.stderr or "+++ opencode.json" in shown.stderr
    assert export("--for", "opencode", *HERE, "--into", "opencode.json", "--write").exit_code == 0
    new = file.read_text("utf-8")
    assert "// mine" in new
    assert '"litellm"' not in new  # the gateway has a name there
    assert shown.stdout == new
    assert (place / "opencode.json.bak").read_text("utf-8") == own


def test_the_models_of_a_file_of_litellm(place: Path) -> None:
    """Given LiteLLM's file with some models, when it is merged into, then others are named, and not added."""
    file = place / "config.yaml"
    file.write_text(
        "model_list:\n  - model_name: nova-pro # ours\n    litellm_params:\n      model: bedrock/nova\n"
        "      additional_drop_params: [house_rule]\n",
        encoding="utf-8",
    )
    ended = export("--for", "litellm", "--write")
    new = file.read_text("utf-8")
    assert "nova-pro # ours" in new
    assert "[house_rule, safety_identifier" in new
    assert "not in this file, and not added: claude-haiku-4-5" in ended.stderr
    assert new.count("model_name") == 1


def test_all(place: Path) -> None:
    """Given a folder, when all exports are written, then each client has its own folder there, and twice is once."""
    assert export("--all", "out").exit_code == 0
    made = {path.name for path in (place / "out").iterdir()}
    assert made == set(load_clients())
    before = {path: path.read_bytes() for path in (place / "out").rglob("*") if path.is_file()}
    again = export("--all", "out")
    assert again.exit_code == 0
    assert "written" not in again.stderr
    assert "out/codex/config.toml: nothing changes" in again.stderr
    assert {path: path.read_bytes() for path in (place / "out").rglob("*") if path.is_file()} == before
    assert "The vendors were simulators" in (place / "out" / "claude-code" / "settings.json.txt").read_text("utf-8")


def test_what_an_earlier_export_of_all_left(place: Path) -> None:
    """Given a folder with exports of all, when one of them has nothing to say now, then its old files are spoken of."""
    assert export("--all", "out").exit_code == 0
    only_chat = matrix_with([cell(parameter="seed", verdict="rejected")])
    (place / "m.json").write_text("".join(dump_matrix(only_chat)), encoding="utf-8")
    ended = export("--all", "out", "--matrix", "m.json")
    assert ended.exit_code == 0
    left = [line for line in ended.stderr.splitlines() if "left out: " in line]
    assert any(line.startswith("claude-code: ") for line in left)
    assert all(line.endswith("is of an earlier export") for line in left)


def test_a_file_by_its_other_name(place: Path) -> None:
    """Given settings of opencode under their other name, when its export is written, then it is merged into those."""
    folder = place / "home" / ".config" / "opencode"
    folder.mkdir(parents=True)
    (folder / "opencode.jsonc").write_text('{\n  // ours\n  "theme": "dark"\n}\n', encoding="utf-8")
    assert export("--for", "opencode", *HERE, "--write").exit_code == 0
    new = (folder / "opencode.jsonc").read_text("utf-8")
    assert "// ours" in new
    assert '"provider"' in new
    assert not (folder / "opencode.json").exists()


def test_a_home_that_nobody_knows(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a client's folder in the home of no user, when its export is written, then one line says what to do."""
    monkeypatch.setenv("CODEX_HOME", "~no-such-user/codex")
    line = told(export("--for", "codex", *HERE, "--write"))
    assert line == "nobody knows the home folder in ~no-such-user/codex; write the path in full"


def test_several_files_are_told_of(place: Path) -> None:
    """Given a client with a file for each model, when its export is shown, then it says that these are several."""
    ended = export("--for", "claude-code", *HERE)
    assert re.search(r"has \d+ files, shown one after the other; --write puts each into its place", ended.stderr)


def test_only_some_models(place: Path) -> None:
    """Given patterns, when they are named, then only models that fit are exported."""
    ended = export("--for", "pi", "--models", "gpt-*", "--models", "o3")
    assert {row["id"] for row in json.loads(_without_comments(ended.stdout))["providers"]["litellm"]["models"]} == {
        "gpt-4.1",
        "gpt-4.1-azure",
        "gpt-5.2",
        "o3",
    }


def _without_comments(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("//"))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--for", "opencod"], "did you mean 'opencode'"),
        (["--for", "nobody"], "choose from litellm, pi"),
        ([], "name one client with --for, or a folder for all with --all"),
        (["--for", "pi", "--all", "out"], "name one client with --for, or a folder for all with --all"),
        (["--for", "pi", "--models", "nothing*"], "none of the 7 models fits --models 'nothing*'"),
        (["--for", "pi", "--all", "out", "--into", "f"], "name one client"),
        (["--all", "out", "--into", "f"], "--into names one client's file"),
        (["--for", "pi", "--let-through"], "--let-through is for LiteLLM's own"),
        (["--for", "pi", "--provider", ""], "--provider is empty"),
        (["--for", "pi", "--provider", " "], "--provider is empty"),
        (["--for", "codex", "--endpoint", "messages"], "Codex CLI speaks responses"),
        (["--for", "pi", "--base-url", "ftp://x"], "--base-url is not an HTTP address"),
        (["--for", "pi", "--matrix", "nowhere.json"], "cannot read the matrix nowhere.json"),
        (["--for", "pi", "--matrix", "a", "--table", "b"], "name one"),
        (["--for", "pi", "--table", "nowhere.json"], "cannot read the support table nowhere.json"),
        (["--for", "pi", "--into", "reports", "--write"], "cannot read reports"),
        (["--for", "pi", "--into", "reports/matrix.json/x", "--write"], "reports/matrix.json/x"),
    ],
)
def test_mistakes_are_one_line(options: list[str], line: str, place: Path) -> None:
    """Given a mistake, when the command runs, then one line says what it was."""
    assert line in told(export(*options))


def test_nothing_to_export_from(place: Path) -> None:
    """Given no matrix and no gateway, when an export is wanted, then one line says what to name."""
    (place / "reports" / "matrix.json").unlink()
    assert "name a matrix with --matrix, or a gateway with LITELLM_BASE_URL" in told(export("--for", "pi"))
    assert "choose from litellm, pi" in told(export("--for", "foo"))


def test_help_names_every_client() -> None:
    """Given the help, when read, then every client is in it."""
    shown = " ".join(export("--help").output.split()).replace("- ", "-")  # lines are broken at hyphens, too
    assert all(f" {name}," in shown or f" {name}." in shown for name in load_clients())


@pytest.mark.parametrize("text", ["a", "a = ", "[a", '"', "a = 1\na = 2\n", "a = \x00"])
def test_broken_toml(text: str, place: Path) -> None:
    """Given a broken TOML file, when merged into, then the line names no character that is not there."""
    (place / "f").write_text(text, encoding="utf-8")
    line = told(export("--for", "codex", "--into", "f"))
    assert "is not TOML" in line
    assert "x00" not in line
    assert "col 0" not in line


def test_comments_name_what_a_user_can_find(place: Path) -> None:
    """Given an export, when its comments name a page, then it is one of the project, by its name."""
    for client in load_clients().values():
        pages = re.findall(r"\(([^()]*\.md)\)", client.instead)
        assert pages
        assert all(each.startswith("litellm-conformance: ") for each in pages)
        assert all((CHECKOUT / each.partition(": ")[2]).is_file() for each in pages)


def test_from_the_shipped_table(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no matrix, when a gateway is named, then the table says what its models refuse, and the key stays out."""
    (place / "reports" / "matrix.json").unlink()
    rows = JSONResponse({"data": [{"id": "ours"}]}, headers={"x-litellm-version": "1.109.1"})
    deployed = {"model_name": "ours", "litellm_params": {"model": "databricks/databricks-claude-haiku-4-5"}}
    with listing(rows, infos=[deployed]) as url:
        monkeypatch.setenv("LITELLM_BASE_URL", url)
        monkeypatch.setenv("LITELLM_API_KEY", KEY)
        ended = export("--for", "pi")
    assert ended.exit_code == 0, ended.output
    assert "the shipped support table" in ended.output
    assert '"supportsStore": false' in ended.output
    assert KEY not in ended.output


def test_from_a_table_alone(place: Path) -> None:
    """Given a table and no gateway, when an export is wanted, then it is of the models that the table names."""
    refuses = {"supported": False, "source": "s", "rejected_by": ["gateway"]}
    sources = {"s": {"kind": "measured"}, "default": {"kind": "default", "reason": "sent"}}
    default = {"models": ["*"], "statements": {"store": {"supported": True, "source": "default"}}}
    rule = {"models": ["ours"], "endpoints": ["chat_completions"], "statements": {"seed": refuses, "store": refuses}}
    table = {"schema_version": 1, "sources": sources, "rules": [rule, default]}
    (place / "table.json").write_text(json.dumps(table), encoding="utf-8")
    assert "additional_drop_params:\n        - seed\n" in export("--for", "litellm", "--table", "table.json").stdout
    chat = ("--endpoint", "chat_completions")  # of `store` on another endpoint nothing is known
    ended = export("--for", "litellm", "--table", "table.json", *chat)
    assert "from the support table table.json over the shipped one.\n" in ended.stdout
    assert "additional_drop_params:\n        - store\n        - seed\n" in ended.stdout


def test_ids_that_nobody_can_show(place: Path) -> None:
    """Given ids with line ends, quotes and signs, when exported for each client, then none breaks out of its place."""
    names = ["a\nb", "\ud800", 'quo"te', "sign-\U0001f600", "a b", "x/y", "x-y"]
    refused = {"parameter": "seed", "verdict": "rejected", "mode": "stream"}
    cells = [cell(model=name, endpoint=each, **refused) for name in names for each in ENDS]
    (place / "m.json").write_text("".join(dump_matrix(matrix_with(cells))), encoding="utf-8")
    for client in load_clients():
        shown = export("--for", client, "--matrix", "m.json")
        assert shown.exit_code == 0, shown.exception
        assert "a\nb" not in shown.output
        if load_clients()[client].format == "python":
            ast.parse(shown.stdout)
    assert "sign-\U0001f600" in export("--for", "pydantic-ai", "--matrix", "m.json").stdout


ENDS = ("chat_completions", "responses", "messages")


@pytest.mark.parametrize(
    ("client", "own", "place_in_it"),
    [
        ("pi", '{"providers": []}', "providers is a list, where a map belongs"),
        ("pi", '{"providers": {"litellm": 3}}', "providers.litellm is a single value"),
        ("pi", '{"providers": {"litellm": {"models": 3}}}', "providers.litellm.models is a single value"),
        ("pi", '{"providers": {"litellm": {"models": [{"id": "o3", "compat": []}]}}}', "models[0].compat is a list"),
        ("opencode", '{"provider": {"litellm": {"options": 1, "models": []}}}', "provider.litellm.models is a list"),
        ("codex", "model_providers = 1", "model_providers is a single value"),
        ("codex", 'model_providers = "x"', "model_providers is a single value"),
        ("claude-code", '{"env": []}', "env is a list"),
        ("litellm", "model_list: 3", "model_list is a single value, where a list belongs"),
        ("litellm", "model_list: {o3: {}}", "model_list is a map"),
        ("litellm", "model_list: [{model_name: o3, litellm_params: 1}]", "model_list[0].litellm_params is a single"),
        ("continue", "models: {}", "models is a map"),
        ("continue", "models: 3", "models is a single value"),
        ("qwen-code", '{"modelProviders": []}', "modelProviders is a list"),
        ("cline", '{"providers": "x"}', "providers is a single value"),
    ],
)
def test_values_of_another_kind(client: str, own: str, place_in_it: str, place: Path) -> None:
    """Given a file with a value of another kind than the client wants, when merged into, then one line says where."""
    (place / "f").write_text(own, encoding="utf-8")
    assert place_in_it in told(export("--for", client, "--into", "f", "--write"))
    assert (place / "f").read_text("utf-8") == own
    assert {path.name for path in place.iterdir()} == {"f", "reports"}


@pytest.mark.parametrize(
    ("client", "own", "name"),
    [
        ("claude-code", '{"env": null}', "env"),
        ("pi", '{"providers": null}', "providers"),
        ("qwen-code", '{"modelProviders": null}', "modelProviders"),
        ("opencode", '{"provider": {"litellm": {"models": null}}}', "provider"),
    ],
)
def test_an_empty_value_is_replaced(client: str, own: str, name: str, place: Path) -> None:
    """Given a file with an empty value where settings belong, when merged into, then they take its place."""
    (place / "f").write_text(own, encoding="utf-8")
    ended = export("--for", client, "--into", "f", "--base-url", "http://ours.example")
    assert ended.exit_code == 0, ended.output
    assert "null" not in ended.stdout.partition(f'"{name}"')[2][:40]


@pytest.mark.parametrize(
    ("client", "own"),
    [
        ("pi", '{"providers": {"litellm": {"models": [1, null]}}}'),
        ("litellm", "model_list: [1, {}]"),
        ("aider", "- 1\n- name: 2\n"),
    ],
)
def test_odd_items(client: str, own: str, place: Path) -> None:
    """Given a file with items that are nobody's, when merged into, then they stay, and nothing breaks."""
    (place / "f").write_text(own, encoding="utf-8")
    assert export("--for", client, "--into", "f").exit_code == 0


def test_what_is_no_file_of_settings(place: Path) -> None:
    """Given a device, a pipe and a huge file, when merged into, then one line refuses each, and none is read whole."""
    os.mkfifo(place / "pipe")
    with (place / "huge").open("wb") as file:
        file.truncate(16 * 1024 * 1024 + 1)
    (place / "link").symlink_to("/dev/zero")
    for name in ("/dev/full", "/dev/null", "pipe", "link", "reports"):
        assert "it is no regular file" in told(export("--for", "pi", "--into", name, "--write"))
    assert "too large" in told(export("--for", "pi", "--into", "huge", "--write"))
