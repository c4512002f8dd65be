"""Tests of the Allure results, and of how Allure's command is called; a browser opens what it makes of them."""

from __future__ import annotations

import errno
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from allure_commons import model2

from conformance.errors import ReportError
from conformance.parameters import load_registry
from conformance.provider.table import SupportTable
from conformance.report.allure import results as allure_results
from conformance.report.allure.command import make_report, without_analytics
from conformance.report.page import cell_fragment
from conformance.support.outcomes import Standing, compare
from conformance.support.overrides import Overrides
from conformance.tests.helpers.building import CHAT, WHOLE
from conformance.tests.helpers.gateways import scripted_gateway
from conformance.tests.helpers.pages import HOSTILE, cell, matrix_with
from conformance.tests.helpers.running import Workplace, run_command, run_pytest
from conformance.types import Cause, CellKey, Gateway, Judgement, PlannedCell, RejectedBy, Verdict

GATEWAY = Gateway(name="embedded", url="http://127.0.0.1", software="litellm", version="1.109.1", simulated=True)


def planned(model: str = "claude-x", parameter: str = "prompt_cache_key") -> PlannedCell:
    """A cell on `chat_completions`, whole."""
    (registered,) = (each for each in load_registry().parameters if each.id == "prompt_cache_key")
    return PlannedCell(key=CellKey(model, CHAT, WHOLE, parameter), parameter=registered)


def finished(cell: PlannedCell, reason: str = "refused with 400.", *, route: str | None = None, **parts: Any) -> Any:
    """The result of a cell that is rejected, as JSON would hold it, unless told otherwise."""
    judgement = Judgement(
        key=cell.key,
        fields=("prompt_cache_key",),
        reason=reason,
        **{"verdict": Verdict.REJECTED, "rejected_by": RejectedBy.BACKEND, **parts},
    )
    result = model2.TestResult(name="test_cell[x]", fullName="elsewhere.suite#test_cell", status="passed")
    result.labels = [model2.Label("host", "my-machine"), model2.Label("framework", "pytest")]
    teller = allure_results.Teller(GATEWAY)
    teller.tell(cell, judgement, route)
    teller.report_result(result)
    return result


def labels(result: Any) -> dict[str, str]:
    """Its labels by name."""
    return {label.name: label.value for label in result.labels}


def test_result_says_what_was_measured() -> None:
    """Given a judged cell, when its result is finished, then it has suites, parameters, severity, reason and a link."""
    result = finished(planned(), route="databricks", cause=Cause.REFUSAL_NAMED)
    told = labels(result)
    assert result.name == "prompt_cache_key (whole)"
    assert [told[name] for name in ("parentSuite", "suite", "subSuite")] == ["embedded", "claude-x", "chat_completions"]
    assert (told["epic"], told["feature"], told["severity"]) == ("caching", "prompt_cache_key", "critical")
    assert (told["verdict"], told["rejected_by"], told["tag"], told["route"], told["cause"]) == (
        "rejected", "backend", "rejected", "databricks", "refusal_named",
    )  # fmt: skip
    assert [p.name for p in result.parameters] == ["gateway", "model", "endpoint", "mode", "parameter"]
    assert result.statusDetails.message == "rejected by the backend: refused with 400."
    assert "**rejected by the backend**: `refused with 400.`" in result.description
    assert "simulator" in result.description
    (link,) = result.links
    assert link.url == f"../index.html{cell_fragment(planned().key)}"


def test_host_is_not_told() -> None:
    """Given a result with the machine's name, when it is finished, then the name is gone, for other tests' too."""
    other = model2.TestResult(
        name="test_other", labels=[model2.Label("host", "my-machine"), model2.Label("framework", "pytest")]
    )
    allure_results.Teller(GATEWAY).report_result(other)
    assert labels(other) == {"framework": "pytest"}
    assert "host" not in labels(finished(planned()))


def test_identity_is_the_cells_own() -> None:
    """Given cells with other verdicts, when they are finished, then identities differ by coordinates alone."""
    before, after = finished(planned()), finished(planned(), verdict=Verdict.ACCEPTED, rejected_by=None, reason="so.")
    assert (before.historyId, before.fullName) == (after.historyId, after.fullName)
    others = [finished(planned("claude-y")), finished(planned(parameter="store:true"))]
    assert len({each.historyId for each in (before, *others)}) == 3
    assert len({each.fullName for each in (before, *others)}) == 3


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_texts(hostile: str) -> None:
    """Given a hostile id, reason and route, when a result is finished, then a file can hold it, as code."""
    result = finished(planned(hostile, hostile), hostile, route=hostile)
    text = json.dumps([result.name, result.description, labels(result), result.links[0].url], ensure_ascii=False)
    text.encode("utf-8")
    assert re.fullmatch(r"[\w./#%=!'()*~-]+", result.links[0].url, re.ASCII)
    assert "<script" not in re.sub("`[^`]*`", "", result.description)


@pytest.mark.parametrize(
    ("status", "message", "name"),
    [
        ("failed", "Failed: measured: store is accepted", "The table says otherwise"),
        ("passed", "rejected by the gateway: refused\nwith 400", "Rejected by the gateway"),
        ("passed", "rejected by the backend: refused", "Rejected by the backend"),
        ("passed", "rejected (who refused is not known): refused", "Rejected, nobody knows by whom"),
        ("passed", "ignored: the answer shows 1", "Silently ignored"),
        ("skipped", "Skipped: inconclusive: rate limited", "Inconclusive"),
        ("skipped", "Skipped: not_applicable: no stream", "Not applicable"),
        ("passed", "accepted: nothing is visible", None),
        ("passed", "honoured: ignored", None),
    ],
)
def test_categories(status: str, message: str, name: str | None) -> None:
    """Given a result's status and message, when it is sorted as Allure does, then it lands in one category."""
    assert sorted_into(status, message) == ((name,) if name else ())


def sorted_into(status: str, message: str) -> tuple[str, ...]:
    """The categories that Allure sorts a result into."""
    return tuple(
        str(category["name"])
        for category in allure_results.CATEGORIES
        if status in category["matchedStatuses"] and re.fullmatch(str(category["messageRegex"]), message)
    )


@pytest.mark.parametrize(
    ("verdict", "by", "name"),
    [
        (Verdict.REJECTED, RejectedBy.GATEWAY, "Rejected by the gateway"),
        (Verdict.REJECTED, RejectedBy.BACKEND, "Rejected by the backend"),
        (Verdict.REJECTED, RejectedBy.UNKNOWN, "Rejected, nobody knows by whom"),
        (Verdict.IGNORED, None, "Silently ignored"),
        (Verdict.INCONCLUSIVE, None, "Inconclusive"),
        (Verdict.NOT_APPLICABLE, None, "Not applicable"),
        (Verdict.ACCEPTED, None, None),
        (Verdict.HONOURED, None, None),
    ],
)
def test_categories_follow_the_messages(verdict: Verdict, by: RejectedBy | None, name: str | None) -> None:
    """Given a verdict, when a test passes with it, differs from the table, or is skipped, then its category is there.

    The messages are the suite's own, so neither they nor the categories can change alone.
    """
    cell = planned()
    judged = Judgement(key=cell.key, fields=("x",), verdict=verdict, reason="measured: inconclusive.", rejected_by=by)
    outcome = compare(judged, SupportTable(()), Overrides((), (), {}), GATEWAY.name, "pytest")
    if outcome.standing is Standing.UNKNOWN:
        status, messages = "skipped", [outcome.message, f"Skipped: {outcome.message}"]
    else:
        status = "passed"
        messages = [finished(cell, judged.reason, verdict=verdict, rejected_by=by).statusDetails.message]
    assert {sorted_into(status, message) for message in messages} == {(name,) if name else ()}


def test_deviations_have_their_category() -> None:
    """Given a cell that is not what the table says, when its test fails, then it lands where deviations do."""
    judged = Judgement(
        key=planned().key,
        fields=("x",),
        verdict=Verdict.REJECTED,
        reason="so.",
        rejected_by=RejectedBy.GATEWAY,
    )
    outcome = compare(judged, SupportTable(()), Overrides((), (), {}), GATEWAY.name, "pytest")
    assert outcome.standing is Standing.DEVIATES
    for message in (outcome.message, f"Failed: {outcome.message}"):
        assert sorted_into("failed", message) == ("The table says otherwise",)


def test_environment_is_properties(tmp_path: Path) -> None:
    """Given a gateway with a hostile name, when the environment is written, then it is ASCII, a line to a fact."""
    hostile = "a = b\n#c: \\ é \U0001f600 \u202e"
    allure_results.write_run(matrix_with([cell()], name=hostile), tmp_path)
    lines = (tmp_path / "environment.properties").read_text(encoding="ascii").splitlines()
    assert len(lines) == len(allure_results.environment(matrix_with([])))
    assert lines[0] == r"gateway = a \= b\ufffd\#c\: \\ \u00e9 \ud83d\ude00 \ufffd"
    assert json.loads((tmp_path / "categories.json").read_text("utf-8")) == allure_results.CATEGORIES


@pytest.mark.slow
def test_results_of_a_run(tmp_path: Path) -> None:
    """Given a replay in one process and one in two, then each cell has a result, with the same identity in both."""
    seen = []
    for workers in ([], ["-n", "2"]):
        folder = tmp_path / str(len(workers)) / "allure-results"
        options = [f"--reports={folder.parent}", f"--alluredir={folder}", "--models=o3", *workers]
        ended = run_pytest(*options)
        assert ended.code in (0, 1), ended.all
        results = [json.loads(path.read_text("utf-8")) for path in folder.glob("*-result.json")]
        cells = [result for result in results if result["fullName"].startswith("conformance: ")]
        matrix = json.loads((folder.parent / "matrix.json").read_text("utf-8"))
        assert len(cells) == len(matrix["cells"]) > 100
        assert not any(label["name"] == "host" for result in results for label in result["labels"])
        assert (folder / "environment.properties").is_file()
        assert (folder / "categories.json").is_file()
        seen.append({result["historyId"] for result in cells})
        assert len(seen[-1]) == len(cells)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_models(hostile: str) -> None:
    """Given a hostile model id, when its model's result is finished, then a UTF-8 file can hold it."""
    result = model2.TestResult(name=f"test_model[{hostile}]", labels=[])
    allure_results.finish_model(result, GATEWAY, hostile, hostile)
    told = [result.name, result.fullName, result.titlePath, labels(result), [p.value for p in result.parameters]]
    json.dumps(told, ensure_ascii=False).encode("utf-8")
    assert labels(result)["suite"] == labels(result)["model"]


@pytest.mark.parametrize("workers", [[], pytest.param(["-n2"], marks=pytest.mark.slow)])
@pytest.mark.parametrize(("per", "named"), [("cell", 8), ("model", 2)])
def test_results_of_a_live_run(tmp_path: Path, per: str, named: int, workers: list[str]) -> None:
    """Given a live run, when it ends, then its results lie in the reports, of cells or of models, without the host."""
    place = Workplace(tmp_path)
    options = ["--live", "--parameters=store:true", "--gateway=g", f"--test-per={per}", *workers, *place.options]
    with scripted_gateway(models=("a", "b")) as gateway:
        ended = run_pytest(*options, "--update-table", env=gateway.environment)
    assert ended.code == 0, ended.all
    found = list((tmp_path / "reports" / "allure-results").glob("*-result.json"))
    results = [json.loads(path.read_text("utf-8")) for path in found]
    assert sum(result["fullName"].startswith("conformance: ") for result in results) == named
    assert not any(label["name"] == "host" for result in results for label in result["labels"])


def test_results_stay_where_nothing_is_measured(tmp_path: Path) -> None:
    """Given results of a live run, when another is refused before it measures, then they are still there."""
    place = Workplace(tmp_path)
    options = ["--live", "--parameters=store:true", "--gateway=g", *place.options]
    with scripted_gateway() as gateway:
        assert run_pytest(*options, "--update-table", env=gateway.environment).code == 0
        before = {path.name for path in (tmp_path / "reports" / "allure-results").iterdir()}
        assert run_pytest(*options, "--budget-usd=1", env=gateway.environment).code == 4
        assert {path.name for path in (tmp_path / "reports" / "allure-results").iterdir()} == before
        assert run_pytest(*options, env=gateway.environment).code == 0
    assert before.isdisjoint(path.name for path in (tmp_path / "reports" / "allure-results").glob("*-result.json"))


def test_results_that_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given results of an earlier run that cannot be removed, when they are to make room, then one line says so."""
    (tmp_path / "allure-results").mkdir()
    (tmp_path / "allure-results" / "categories.json").write_text("[]", "utf-8")
    config = SimpleNamespace(
        pluginmanager=SimpleNamespace(hasplugin=lambda name: True),
        option=SimpleNamespace(allure_report_dir=None),
        stash=pytest.Stash(),
    )
    allure_results.switch_on(cast("pytest.Config", config), tmp_path)

    def refuse(path: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ReportError, match=r"cannot remove .*categories.json .Operation not permitted.; name another"):
        allure_results.clear(cast("pytest.Config", config))


ANALYTICS = """<html><head lang="en"><title>x</title>
<script async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>
<script>
  window.dataLayer = window.dataLayer || [];
  function gtag(){dataLayer.push(arguments);}
  gtag('js', new Date());
</script>
<script>window.kept = 1;</script><script src="data:text/javascript;base64,AAAA"></script></head><body></body></html>"""


def test_analytics_are_taken_out() -> None:
    """Given Allure's page, when it is cleaned, then what reports on readers is gone, and nothing may leave."""
    text = without_analytics(ANALYTICS)
    assert "googletagmanager" not in text
    assert "gtag" not in text
    assert "window.kept = 1" in text
    assert "data:text/javascript;base64,AAAA" in text
    assert text.index("Content-Security-Policy") < text.index("<title>")


def fake_allure(folder: Path, body: str) -> str:
    """A command that does what its Python text says."""
    path = folder / "fake_allure.py"
    path.write_text(f"import sys\nfrom pathlib import Path\n{body}\n", encoding="utf-8")
    return f"{sys.executable} {path}"


def some_results(folder: Path) -> Path:
    """A folder with a result in it."""
    (folder / "allure-results").mkdir()
    (folder / "allure-results" / "1-result.json").write_text("{}", encoding="utf-8")
    return folder / "allure-results"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("print('3.18.0') if '--version' in sys.argv else sys.exit('boom')", "ended with 1 and said: boom"),
        ("print('none')", "names no version"),
        ("print('3.18.0')", "made no index.html"),
    ],
)
def test_allure_that_fails_is_one_line(tmp_path: Path, body: str, told: str) -> None:
    """Given an Allure command that fails somehow, when a report is asked for, then one line says how."""
    with pytest.raises(ReportError, match=told) as caught:
        make_report(some_results(tmp_path), tmp_path / "out.html", fake_allure(tmp_path, body))
    assert "\n" not in str(caught.value)


def test_allure_is_told_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a key in the environment, when Allure is started, then its process does not have it."""
    monkeypatch.setenv("LITELLM_API_KEY", "sk-not-for-allure")
    body = """
import os
if "--version" in sys.argv: sys.exit(print("2.30.0"))
out = Path(sys.argv[sys.argv.index("--output") + 1])
out.joinpath("index.html").write_text("<head></head>" + repr(dict(os.environ)))"""
    make_report(some_results(tmp_path), tmp_path / "out.html", fake_allure(tmp_path, body))
    text = (tmp_path / "out.html").read_text("utf-8")
    assert "PATH" in text
    assert "sk-not-for-allure" not in text


def test_no_allure_says_how_to_get_it(tmp_path: Path) -> None:
    """Given no command, when Allure's report is asked for, then one line says how to get it, and the page is made."""
    (tmp_path / "matrix.json").write_text(json.dumps(matrix_with([cell()])), encoding="utf-8")
    some_results(tmp_path)
    options = (
        "report",
        f"--matrix={tmp_path}",
        f"--cassettes={tmp_path}",
        "--allure",
        "--allure-command=no-such-allure",
    )
    ended = run_command(*options)
    assert ended.code == 4
    assert "npm install --global allure" in ended.err.splitlines()[-1]
    assert (tmp_path / "index.html").is_file()


def test_no_results_says_how_to_get_them(tmp_path: Path) -> None:
    """Given no results, when Allure's report is asked for, then one line says what writes them."""
    with pytest.raises(ReportError, match="pytest --live writes them"):
        make_report(tmp_path, tmp_path / "out.html", sys.executable)
