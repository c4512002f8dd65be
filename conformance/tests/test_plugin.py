"""The loop from end to end, as a user runs it, against scripted gateways."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from conformance.matrix.document import parse_matrix
from conformance.tests.helpers.gateways import KEY, refusal, scripted_gateway
from conformance.tests.helpers.measured import FEW, litellm_refuses_cache_key, recorded
from conformance.tests.helpers.running import Workplace, clean_environment, run_pytest


def test_live_run_measures_records_and_reports(place: Workplace) -> None:
    """Given a gateway, when it is measured, then every cell stands in the matrix with its verdict."""
    with scripted_gateway(
        litellm_refuses_cache_key, ("gpt-y", "claude-x", {"id": "vectors", "mode": "embedding"})
    ) as gateway:
        ended = run_pytest("--live", FEW, "--update-table", *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
    assert "left out, as they do not chat: 'vectors' (embedding)" in ended.out
    assert re.search(r"measuring 24 cells: \d+ requests to \d+ models? if everything is taken", ended.out)
    assert "requests to 2 models" in ended.out
    matrix = parse_matrix(json.dumps(place.matrix), "matrix.json")
    assert matrix["run"]["complete"] is True
    assert 0 < matrix["run"]["requests"] < 2 * len(matrix["cells"])
    rejected = {(c["model"], c["parameter"], c["rejected_by"]) for c in matrix["cells"] if c["verdict"] == "rejected"}
    assert rejected == {("claude-x", "prompt_cache_key", "gateway")}
    assert len(matrix["cells"]) == 2 * 2 * 2 * 3


def test_key_reaches_no_file(place: Workplace) -> None:
    """Given a gateway that echoes the key in bodies and headers, when it is measured, then no file holds it."""

    def echoes(body: dict[str, Any]) -> Response | None:
        return refusal(f"bad request from Bearer {KEY}", headers={"x-request-id": KEY}) if "store" in body else None

    with scripted_gateway(echoes, ("model-a", "model-b")) as gateway:
        ended = run_pytest("--live", FEW, "--update-table", *place.options, env=gateway.environment)
    assert KEY not in place.texts()
    assert KEY not in ended.all


def test_deleted_rule_fails_with_the_command_that_mends_it(place: Workplace) -> None:
    """Given a table without one of its rules, when the recording is replayed, then the printed command mends it."""
    recorded(place)
    table = json.loads(place.table.read_text(encoding="utf-8"))
    whole = table["rules"]
    for index in (0, len(whole) - 2):
        table["rules"] = whole[:index] + whole[index + 1 :]
        place.table.write_text(json.dumps(table), encoding="utf-8")
        ended = run_pytest(*place.options)
        assert ended.code == 1, (index, ended.all)
        assert "--update-table" in ended.out
        assert run_pytest(*place.options, "--update-table").code == 0
        assert json.loads(place.table.read_text(encoding="utf-8"))["rules"] == whole


def test_table_without_its_default_is_mended_by_the_command_it_prints(place: Workplace) -> None:
    """Given a table whose default rule is gone, when the recording is replayed, then one line tells how to mend it."""
    recorded(place)
    table = json.loads(place.table.read_text(encoding="utf-8"))
    whole = table["rules"]
    place.table.write_text(json.dumps({**table, "rules": whole[:-1]}), encoding="utf-8")
    ended = run_pytest(*place.options)
    assert ended.code == 4
    assert "the last rule must be the default" in ended.err
    assert "--update-table" in ended.err
    ended = run_pytest(*place.options, "--update-table")
    assert ended.code == 0
    assert json.loads(place.table.read_text(encoding="utf-8"))["rules"] == whole
    kept = place.table.with_name("table.json.damaged")
    assert json.loads(kept.read_text(encoding="utf-8"))["rules"] == whole[:-1]
    assert "NOTE the old table could not be read; it was kept as" in ended.out
    assert "table.json.damaged, with its rules for other gateways" in ended.out

    place.table.write_text("also damaged", encoding="utf-8")
    assert run_pytest(*place.options, "--update-table").code == 0
    assert kept.with_name("table.json.damaged1").read_text(encoding="utf-8") == "also damaged"


def test_table_of_a_later_release_is_not_touched(place: Workplace) -> None:
    """Given a table of a later release, when it is to be updated, then one line says to update the suite instead."""
    recorded(place)
    later = json.dumps({**json.loads(place.table.read_text(encoding="utf-8")), "schema_version": 99})
    place.table.write_text(later, encoding="utf-8")
    ended = run_pytest(*place.options, "--update-table")
    assert ended.code == 4
    assert "has schema_version 99, newer than 1; update this package" in ended.err
    assert "to mend" not in ended.err
    assert place.table.read_text(encoding="utf-8") == later


def test_failure_shows_the_evidence(place: Workplace) -> None:
    """Given a gateway that changed its mind, when it is measured again, then the failure shows who said what."""
    recorded(place)
    with scripted_gateway(models=("claude-x", "gpt-y")) as gateway:
        ended = run_pytest("--live", FEW, "--gateway=embedded", *place.options, env=gateway.environment)
    assert ended.code == 1
    assert "measured: prompt_cache_key is accepted for 'claude-x' on chat_completions (whole)" in ended.out
    assert "the table: prompt_cache_key is rejected (embedded-unversioned)" in ended.out
    results = [json.loads(p.read_text("utf-8")) for p in (place.root / "reports/allure-results").glob("*-result.json")]
    failed = [result for result in results if result["status"] == "failed" and "attachments" in result]
    labels = {label["name"]: label["value"] for label in failed[0]["labels"]}
    assert labels["model"] == "claude-x"
    assert {"endpoint", "mode", "parameter"} <= set(labels)


def test_inconclusive_cells_are_skipped_with_their_cause(place: Workplace) -> None:
    """Given a model whose baseline fails, when it is measured, then its cells are skipped, the others judged."""

    def broken(body: dict[str, Any]) -> Response | None:
        return refusal("Invalid model name passed in model=gpt-y", 400) if body["model"] == "gpt-y" else None

    with scripted_gateway(broken, ("claude-x", "gpt-y")) as gateway:
        ended = run_pytest("--live", FEW, "--update-table", "-rs", *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
    assert "12 skipped" in ended.out
    assert "the baseline failed: refused with 400: Invalid model name" in ended.out


def test_gateway_that_answers_nothing_fails_the_run(place: Workplace) -> None:
    """Given a gateway that refuses every request, when it is measured, then the run does not end green."""
    with scripted_gateway(lambda body: refusal("no credits left", 402)) as gateway:
        ended = run_pytest("--live", FEW, "--update-table", *place.options, env=gateway.environment)
    assert ended.code == 1
    assert "all 12 cells are inconclusive" in ended.out


def html(_: Request) -> Response:
    """A web page where an API should be."""
    return HTMLResponse("<html>Sign in</html>")


def unauthorised(_: Request) -> Response:
    """A gateway that knows the key not."""
    return JSONResponse({"error": {"message": f"Invalid key {KEY}"}}, 401)


@pytest.mark.parametrize(
    ("listing", "says"),
    [(html, "answers with HTML"), (unauthorised, "refuses the key (401)")],
    ids=["web page", "wrong key"],
)
def test_discovery_error_is_one_line_and_exit_code_4(
    place: Workplace, listing: Callable[[Request], Response], says: str
) -> None:
    """Given a gateway that lists no models, when it is measured, then one line says why, without the key."""
    with scripted_gateway(listing=listing) as gateway:
        ended = run_pytest("--live", "--update-table", FEW, *place.options, env=gateway.environment)
    assert ended.code == 4
    assert says in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert "Traceback" not in ended.all
    assert KEY not in ended.all


@pytest.mark.parametrize(
    ("env", "options", "says"),
    [
        (
            {"LITELLM_BASE_URL": "http://127.0.0.1:9", "LITELLM_API_KEY": "k"},
            ["--live", "--update-table"],
            "connection refused",
        ),
        ({"LITELLM_BASE_URL": "http://127.0.0.1:9"}, ["--live"], "LITELLM_API_KEY is not set"),
        ({"LITELLM_BASE_URL": "ftp://x", "LITELLM_API_KEY": "k"}, ["--live"], "is not an HTTP address"),
        (
            {"LITELLM_BASE_URL": "", "LITELLM_API_KEY": ""},
            ["--live", "--gateway=mine"],
            "LITELLM_BASE_URL is set and empty, as a secret that is missing is; set it to the gateway's address",
        ),
        ({"OPENAI_BASE_URL": " "}, ["--live"], "OPENAI_BASE_URL is set and empty"),
        (
            {"LITELLM_BASE_URL": "", "OPENAI_BASE_URL": "http://127.0.0.1:9", "OPENAI_API_KEY": "k"},
            ["--live"],
            "LITELLM_BASE_URL is set and empty",
        ),
        (
            {"LITELLM_BASE_URL": "http://127.0.0.1:9", "LITELLM_API_KEY": "k"},
            ["--live", "--litellm-version=1.90.0"],
            "this run measures 127.0.0.1-9; leave the option out, or unset LITELLM_BASE_URL",
        ),
        (
            {"OPENAI_BASE_URL": "http://127.0.0.1:9", "OPENAI_API_KEY": "k"},
            ["--live", "--litellm-version=1.90.0"],
            "or unset OPENAI_BASE_URL",
        ),
        ({}, ["--gateway=unheard-of"], "no recording in"),
        ({}, ["--gateway=../x"], "is no folder name"),
        ({}, ["--parameters=storm"], "'storm' is not in the registry"),
        ({}, ["--endpoints=chat"], "'chat' is not an endpoint"),
        ({}, ["--parameters=promt_cache_key"], "; did you mean 'prompt_cache_key'?"),
        ({}, ["--endpoints=chat_completion"], "; did you mean 'chat_completions'?"),
        ({}, ["--models=claud-x"], "; did you mean 'claude-x'?"),
        (
            {},
            ["--models=gpt*,claud-x"],
            "--models 'claud-x' fits none of the 2 models: 'claude-x', 'gpt-y'; did you mean",
        ),
        ({}, ["--concurrency=0"], "sends nothing"),
        ({}, ["--max-age=inf"], "--max-age inf makes no sense; give days, at most 100000"),
        ({}, ["--max-age=-1"], "--max-age -1.0 makes no sense; give more than 0"),
        (
            {},
            ["--parameters=stream_options.include_usage", "--endpoints=responses"],
            "there is nothing to measure: these parameters are not for these endpoints",
        ),
    ],
)
def test_user_error_is_one_line(place: Workplace, env: dict[str, str], options: list[str], says: str) -> None:
    """Given an option or variable that makes no sense, when pytest runs, then one line says so, exit code 4."""
    if "--gateway" not in options[0] and "--live" not in options:
        recorded(place)
    ended = run_pytest(*options, *place.options, env=env)
    assert ended.code == 4, ended.all
    assert says in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert "Traceback" not in ended.all


def test_folder_that_cannot_be_written_is_told_before_anything_is_sent(place: Workplace) -> None:
    """Given a file where the cassettes should go, when a gateway is measured, then no request was made."""
    (place.root / "cassettes").write_text("in the way", encoding="utf-8")
    with scripted_gateway() as gateway:
        ended = run_pytest("--live", "--update-table", FEW, *place.options, env=gateway.environment)
        assert gateway.seen == []
    assert ended.code == 4
    assert "cannot write recordings to" in ended.err


def test_collect_only_sends_and_writes_nothing(place: Workplace) -> None:
    """Given a gateway, when its tests are only collected, then it was asked for its models and no more."""
    recorded(place)
    before = place.texts()
    with scripted_gateway(models=("other-model",)) as gateway:
        ended = run_pytest("--live", FEW, "--collect-only", "-q", *place.options, env=gateway.environment)
        assert gateway.seen == []
    assert "other-model/responses/stream/store:false" in ended.out
    assert place.texts() == before


def test_a_typo_beside_a_model_that_there_is(place: Workplace) -> None:
    """Given two names of models, when one of them is misspelt, then one line names that one, and nothing is sent."""
    with scripted_gateway(models=("claude-x", "gpt-y")) as gateway:
        options = ["--live", FEW, "--update-table", "--models=gpt-y,claud-x", *place.options]
        ended = run_pytest(*options, env=gateway.environment)
        assert gateway.seen == []
    assert ended.code == 4, ended.all
    assert "--models 'claud-x' fits none of the 2 models" in ended.err
    assert "; did you mean 'claude-x'?" in ended.err


HOSTILE = (
    "../../etc/passwd",
    "UPPER",
    "upper",
    "a/b",
    "a-b",
    "con",
    "=1+1",
    "<script>",
    "é",
    "\u202egnp",
    "x" * 5000,
)


@pytest.mark.parametrize("per", ["cell", "model"])
def test_hostile_model_ids_are_measured_and_stay_in_their_folder(place: Workplace, per: str) -> None:
    """Given ids that no file name or terminal should see, when they are measured, then each has its own cells."""
    with scripted_gateway(models=(*HOSTILE, "\x00nul", "new\nline", 7, None, "")) as gateway:
        options = ["--live", FEW, "--update-table", f"--test-per={per}", *place.options]
        ended = run_pytest(*options, env=gateway.environment)
    assert ended.code == 0, ended.all
    assert {row["id"] for row in place.matrix["models"]} == {*HOSTILE, "\x00nul", "new\nline"}
    assert all(cell["verdict"] == "accepted" for cell in place.matrix["cells"])
    [folder] = (place.root / "cassettes").iterdir()
    assert len(list(folder.iterdir())) == len(HOSTILE) + 2 + 1
    assert sorted(path.name for path in place.root.iterdir()) == ["cassettes", "reports", "table.json"]


def test_table_of_another_gateway_leaves_the_other_rules_alone(place: Workplace) -> None:
    """Given a table, when another gateway's run updates it, then its rules name that gateway and the rest stay."""
    recorded(place)
    before = json.loads(place.table.read_text(encoding="utf-8"))["rules"]
    with scripted_gateway(models=("claude-x", "gpt-y")) as gateway:
        ended = run_pytest("--live", FEW, "--gateway=ours", "--update-table", *place.options, env=gateway.environment)
    assert ended.code == 0, ended.all
    rules = json.loads(place.table.read_text(encoding="utf-8"))["rules"]
    assert [rule for rule in rules if rule.get("gateways") != ["ours"]] == before
    assert len(rules) == len(before) + 1
    assert run_pytest(*place.options).code == 0


def test_plugin_is_silent_in_other_projects(tmp_path: Path) -> None:
    """Given a project of its own, when its tests run, then the plugin neither reads nor writes anything."""
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n", encoding="utf-8")
    ended = run_pytest(cwd=tmp_path, suite=False)
    assert ended.code == 0, ended.all
    assert "conformance:" not in ended.out
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "__pycache__") == ["test_own.py"]


def test_space_separated_folder_that_moves_the_root_is_refused(place: Workplace) -> None:
    """Given `--cassettes DIR` outside the checkout, when pytest roots itself there, then a line says what to write."""
    place.root.joinpath("cassettes").mkdir()
    command = ["--cassettes", str(place.root / "cassettes")]
    ended = run_pytest(*command, suite=False, env=clean_environment())
    assert ended.code == 4
    assert "with the equals sign" in ended.err


@pytest.mark.parametrize(
    "content", [None, "", "not JSON", '{"schema_version": 99}'], ids=["missing", "a folder", "damaged", "later"]
)
def test_a_table_that_cannot_be_read_is_refused_before_anything_is_sent(place: Workplace, content: str | None) -> None:
    """Given a table that is of no use, when a live run names it, then one line says so, and no request is sent."""
    if content:
        place.table.write_text(content, encoding="utf-8")
    elif content is not None:
        place.table.mkdir()
    with scripted_gateway(models=("claude-x",)) as gateway:
        ended = run_pytest("--live", FEW, *place.options, env=gateway.environment)
        assert gateway.seen == []
    assert ended.code == 4, ended.all
    assert "table.json" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


@pytest.mark.parametrize("empty", ["", " , "])
@pytest.mark.parametrize("name", ["models", "parameters", "endpoints", "clients", "gateway", "shard"])
def test_an_empty_value_is_not_everything(place: Workplace, name: str, empty: str) -> None:
    """Given an option whose variable is not set, when a run is started, then nothing is asked of anybody."""
    with scripted_gateway(models=("claude-x",)) as gateway:
        ended = run_pytest("--live", f"--{name}={empty}", *place.options, env=gateway.environment)
        assert gateway.seen == []
    assert ended.code == 4, ended.all
    assert f"--{name} is empty" in ended.err
