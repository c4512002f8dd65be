"""A run that measures less adds to a recording, and takes nothing from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from conformance.measure.runs import (
    asks_all_of,
    kept_numbers,
    made_in,
    needed_beside,
    number_for,
    selection_of,
    with_its_models,
)
from conformance.tests.helpers.gateways import ScriptedGateway, completion, refusal, scripted_gateway
from conformance.tests.helpers.measured import cells
from conformance.tests.helpers.running import Ended, Workplace, run_pytest
from conformance.types import Model

MODELS = ("model-a", "model-b")
MANY = "--parameters=store,prompt_cache_key,temperature,top_p"
FEW = "--parameters=store,temperature"

Cell = tuple[str, ...]


def run_row(parameters: Sequence[str] = ("a",), selection: str | None = None, **more: Any) -> Any:
    """A run as `gateway.json` holds it."""
    row = {"parameters": list(parameters), "endpoints": ["responses"], "exhaustive": False, "selection": selection}
    return {"started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T01:00:00Z", **row, **more}


@pytest.mark.parametrize(
    ("selections", "expected"),
    [
        (["gpt*"], "gpt*"),
        (["gpt-5.2,claude-haiku*", "gpt-5.2"], "gpt-5.2,claude-haiku*"),
        (["a", "b, a,", "a,c"], "a,b,c"),
        (["a", None], None),
        ([None], None),
    ],
)
def test_selections_of_several_runs(selections: list[str | None], expected: str | None) -> None:
    """Given runs that were narrowed to some models, when they are told as one, then each pattern is there once; with a
    run of all models there is none."""
    assert selection_of([run_row(selection=each) for each in selections]) == expected


class Minded:
    """A gateway that refuses some parameters, and tells its version."""

    def __init__(self, *refused: str, version: str = "1.0.0") -> None:
        """Refuse these."""
        self.refused, self.version = refused, version

    def __call__(self, body: dict[str, Any]) -> Response | None:
        """Answer a request."""
        headers = {"x-litellm-version": self.version}
        if named := [name for name in self.refused if name in body]:
            return refusal(f"{named[0]}: Extra inputs are not permitted", headers=headers)
        return None if body.get("stream") else JSONResponse(completion(body), headers=headers)


def verdicts(place: Workplace) -> dict[Cell, str]:
    """The verdict of each cell of the last run."""
    return cells(place.root / "reports" / "matrix.json")


def live(place: Workplace, gateway: ScriptedGateway, *options: str) -> Ended:
    """Measure into the recording `g`."""
    table = () if "--fresh" in options else ("--update-table",)
    return run_pytest("--live", "--gateway=g", *options, *table, *place.options, env=gateway.environment)


def replay(place: Workplace, *options: str) -> dict[Cell, str]:
    """The verdicts of the recording `g`, all of which the table tells as they are."""
    ended = run_pytest("--gateway=g", "--update-table", *options, *place.options)
    assert ended.code == 0, ended.all
    return verdicts(place)


def cassette(place: Workplace, model: str) -> Path:
    """Where a model's exchanges lie."""
    return place.root / "cassettes" / "g" / f"{model}.json"


def recorded(place: Workplace, model: str) -> dict[str, Any]:
    """A model's exchanges by digest, as they are written."""
    rows = json.loads(cassette(place, model).read_text("utf-8"))["interactions"]
    return {row["response"]["conformance"]["digest"]: row for row in rows}


@pytest.mark.parametrize(
    "narrow", [FEW, *(pytest.param(o, marks=pytest.mark.slow) for o in ("--models=model-a", "--endpoints=responses"))]
)
def test_measuring_less_keeps_what_was_measured(place: Workplace, narrow: str) -> None:
    """Given a recording, when a narrower run follows, then each old exchange is there or made anew, and each cell."""
    with scripted_gateway(Minded("store"), MODELS) as gateway:
        assert live(place, gateway, MANY).code == 0
    whole, before = verdicts(place), {model: recorded(place, model) for model in MODELS}
    with scripted_gateway(Minded("store"), MODELS) as gateway:
        ended = live(place, gateway, MANY, narrow) if narrow != FEW else live(place, gateway, FEW)
        assert ended.code == 0, ended.all
    assert set(verdicts(place)) < set(whole)  # the run itself is about what it asked
    after = {model: recorded(place, model) for model in MODELS}
    assert all(set(before[model]) <= set(after[model]) for model in MODELS)
    assert replay(place) == whole
    assert place.matrix["run"]["complete"]


def test_the_newest_evidence_of_a_cell_decides(place: Workplace) -> None:
    """Given a gateway that changed its mind, when it is measured narrowly, then old cells stand beside new ones."""
    with scripted_gateway(Minded("store", "top_p"), MODELS) as gateway:
        live(place, gateway, MANY)
    with scripted_gateway(Minded("temperature"), MODELS) as gateway:
        live(place, gateway, FEW, "--models=model-a")
    rejected = {(model, p.partition(":")[0]) for (model, _, _, p), v in replay(place).items() if v == "rejected"}
    assert {name for model, name in rejected if model == "model-a"} == {"temperature", "top_p"}
    assert {name for model, name in rejected if model == "model-b"} == {"store", "top_p"}


def test_a_run_that_asks_for_all_of_it_replaces_it(place: Workplace) -> None:
    """Given a recording in two parts, when all is measured, then just the new exchanges are there."""
    with scripted_gateway(Minded(), MODELS) as gateway:
        live(place, gateway, FEW)
        live(place, gateway, "--parameters=top_p", "--models=model-b")
        gateway.seen.clear()
        live(place, gateway, MANY)
        assert sum(len(recorded(place, model)) for model in MODELS) == len(gateway.seen)
    document = json.loads((place.root / "cassettes" / "g" / "gateway.json").read_text("utf-8"))
    assert "earlier" not in document


@pytest.mark.parametrize(
    "choice", ["--fresh", *(pytest.param(o, marks=pytest.mark.slow) for o in ("--gateway=h", "--parameters=all"))]
)
def test_two_versions_cannot_stand_together(place: Workplace, choice: str) -> None:
    """Given a recording of another version, when a run would measure a part anew, then one line tells the choices."""
    with scripted_gateway(Minded(), MODELS) as gateway:
        live(place, gateway, "--parameters=store,top_p")
    before = {model: cassette(place, model).read_bytes() for model in MODELS}
    with scripted_gateway(Minded(version="2.0.0"), MODELS, versioned("2.0.0")) as gateway:
        ended = live(place, gateway, "--parameters=store")
        assert ended.code == 4, ended.all
        assert "is of version 1.0.0, and not 2.0.0" in ended.all
        assert "--fresh" in ended.all
        assert "--gateway" in ended.all
        assert gateway.seen == []
        assert {model: cassette(place, model).read_bytes() for model in MODELS} == before
        options = ["--parameters=store", choice] if choice != "--parameters=all" else ["--parameters=store,top_p,stop"]
        ended = live(place, gateway, *options)
        assert ended.code in (0, 1), ended.all  # 1: what the table knew of another gateway's cells
        assert gateway.seen


def versioned(version: str) -> Any:
    """A model list whose headers tell the gateway's version."""
    rows = [{"id": model, "object": "model"} for model in MODELS]
    return lambda _: JSONResponse({"object": "list", "data": rows}, headers={"x-litellm-version": version})


def test_resuming_a_narrower_run_tells_of_that_run(place: Workplace) -> None:
    """Given a recording and a narrower run, when it is resumed, then the matrix has its cells, and all are known."""
    with scripted_gateway(Minded("store"), MODELS) as gateway:
        live(place, gateway, FEW)
        live(place, gateway, "--parameters=store", "--models=model-a")
        narrow = verdicts(place)
        gateway.seen.clear()
        ended = live(place, gateway, "--resume")
        assert gateway.seen == []
    assert ended.code == 0, ended.all
    assert verdicts(place) == narrow
    assert place.matrix["run"]["complete"] is True


def test_a_model_that_is_gone_when_its_run_is_resumed(place: Workplace) -> None:
    """Given a run of two named models, when it is resumed and one is listed no more, then the other is asked; if
    somebody names both again, one line says which is gone."""
    named = "--models=model-a,model-b"
    with scripted_gateway(Minded(), MODELS) as gateway:
        assert live(place, gateway, FEW, named, "--budget-requests=3", "--concurrency=1").code == 2
    with scripted_gateway(Minded(), ("model-a",)) as gateway:
        ended = live(place, gateway, "--resume", named)
        assert (ended.code, gateway.seen) == (4, [])
        assert "--models 'model-b' fits none of the 1 model" in ended.err
        assert live(place, gateway, "--resume").code == 0
        assert {body["model"] for body in gateway.seen} == {"model-a"}


def test_a_recording_that_is_not_there_is_not_resumed(place: Workplace) -> None:
    """Given recordings, when one that nobody made is resumed, then one line names those, and nothing is sent."""
    with scripted_gateway(Minded(), MODELS) as gateway:
        ended = live(place, gateway, FEW, "--resume")
        assert (ended.code, gateway.seen) == (4, [])
        assert "recordings beside it: none; name one" in ended.err
        live(place, gateway, FEW)
        gateway.seen.clear()
        ended = live(place, gateway, FEW, "--resume", "--gateway=h")
    assert (ended.code, gateway.seen) == (4, [])
    assert f"nothing to resume in {place.root / 'cassettes' / 'h'}; recordings beside it: g; name one" in ended.err
    assert "or leave --resume out to begin one" in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert not (place.root / "cassettes" / "h").exists()


@pytest.mark.parametrize("more", [[], ["--parameters=store"], ["--resume"]], ids=["again", "less", "resume"])
@pytest.mark.parametrize("simulated", [True, False])
def test_simulators_and_a_real_gateway_cannot_stand_together(
    place: Workplace, simulated: bool, more: list[str]
) -> None:
    """Given a recording of simulators, when a real gateway is measured under its name, or the other way round, then one
    line says which it is, and nothing is sent."""
    with scripted_gateway(Minded(), MODELS) as gateway:
        live(place, gateway, FEW)
        gateway.seen.clear()
        path = place.root / "cassettes" / "g" / "gateway.json"
        document = json.loads(path.read_text("utf-8"))
        document["gateway"]["simulated"] = simulated
        path.write_text(json.dumps(document), "utf-8")
        before = path.read_text("utf-8")
        env = gateway.environment if simulated else {}  # without a gateway's address, the embedded one would start
        ended = run_pytest("--live", "--gateway=g", FEW, *more, *place.options, env=env)
    assert (ended.code, gateway.seen) == (4, [])
    embedded = "the embedded gateway with its simulators"
    told = f"is of {embedded}, and this run measures 127.0.0.1-"
    assert (told if simulated else f"is of a gateway of your own, and this run measures {embedded};") in ended.err
    assert "name another --gateway, or replace it with --fresh" in ended.err
    assert path.read_text("utf-8") == before


def test_a_gateway_that_is_down_takes_no_evidence(place: Workplace) -> None:
    """Given a recording, when its gateway refuses everything, then one line says so, and the recording is as it was."""

    def down(_: dict[str, Any]) -> Response:
        return refusal("your plan has ended")

    with scripted_gateway(Minded("store"), MODELS) as gateway:
        live(place, gateway, FEW)
    before, files = replay(place), place.texts()
    with scripted_gateway(down, MODELS) as gateway:
        ended = run_pytest("--live", "--gateway=g", FEW, *place.options, env=gateway.environment)
    assert ended.code == 4, ended.all
    assert "no cell of any model could be decided" in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert place.texts() == files
    assert replay(place) == before


def test_a_model_that_is_down_keeps_its_evidence(place: Workplace) -> None:
    """Given a recording, when one model refuses everything, then what was recorded of it stays, and a line says so."""

    def partly_down(body: dict[str, Any]) -> Response | None:
        return refusal("your plan has ended") if body["model"] == MODELS[0] else Minded("store")(body)

    with scripted_gateway(Minded("store"), MODELS) as gateway:
        live(place, gateway, FEW)
    before = replay(place)
    with scripted_gateway(partly_down, MODELS) as gateway:
        ended = live(place, gateway, FEW)
    assert ended.code == 0, ended.all
    assert f"nothing could be decided of {MODELS[0]};" in ended.out
    assert verdicts(place) == before


def test_fresh_begins_anew(place: Workplace) -> None:
    """Given a recording of two models, when one is measured with `--fresh`, then nothing else is left."""
    with scripted_gateway(Minded(), MODELS) as gateway:
        live(place, gateway, MANY)
        live(place, gateway, FEW, "--models=model-a", "--fresh")
    assert not cassette(place, "model-b").exists()
    assert {(model, p) for model, _, _, p in replay(place)} == {(m, p) for m, _, _, p in verdicts(place)}
    assert {model for model, *_ in verdicts(place)} == {"model-a"}


@pytest.mark.parametrize("options", [["--resume", "--fresh", "--live"], ["--fresh"]])
def test_fresh_that_makes_no_sense(place: Workplace, options: list[str]) -> None:
    """Given `--fresh` beside `--resume`, or in a replay, when pytest starts, then one line says why not."""
    ended = run_pytest("--gateway=g", *options, *place.options)
    assert ended.code == 4
    assert "ERROR: --" in ended.all


def test_a_recording_that_cannot_be_read_is_not_overwritten(place: Workplace) -> None:
    """Given a damaged model list, when a live run would add to it, then it stays, and one line tells the choice."""
    folder = place.root / "cassettes" / "g"
    folder.mkdir(parents=True)
    (folder / "gateway.json").write_text("{")
    with scripted_gateway(Minded(), MODELS) as gateway:
        ended = live(place, gateway, FEW)
        assert (ended.code, gateway.seen) == (4, [])
        assert "--fresh" in ended.all
        assert (folder / "gateway.json").read_text() == "{"
        assert live(place, gateway, FEW, "--fresh", "--update-table").code == 0
        assert gateway.seen


def test_numbers_tell_plans_apart() -> None:
    """Given runs, when a new one is numbered, then it shares the number of one with its plan, or has a free one."""
    assert number_for(run_row(), []) == 0
    assert number_for(run_row("ab"), [run_row("a")]) == 1
    assert number_for(run_row("ab"), [run_row("a"), run_row("ab", number=7)]) == 7
    assert number_for(run_row("abc"), [run_row("a", number=1), run_row("b", number=0)]) == 2
    assert number_for(run_row("ab"), [run_row("ab", exhaustive=True)]) == 1


def test_what_stays_beside_a_new_run() -> None:
    """Given earlier runs, when a new one is done, then those stay that hold what it did not measure."""
    models = [Model(id="x"), Model(id="y")]
    new = run_row("ab", number=2)
    others = [run_row("a"), run_row("abc", number=1), run_row("b", endpoints=["chat_completions"], number=3)]
    assert needed_beside(new, others, models) == others[1:]
    assert kept_numbers(new, others) == {1, 3}
    assert needed_beside(run_row("ab", "x"), others[:1], models) == others[:1]
    assert needed_beside(run_row("ab", "x"), [run_row("a", "gone")], models) == []
    assert asks_all_of(run_row("ab"), run_row("b"))
    assert not asks_all_of(run_row("ab"), run_row("bc"))


def test_an_earlier_run_keeps_the_models_it_asked() -> None:
    """Given a model whose deployments are others by now, when a run becomes an earlier one, then it keeps the row."""
    before: Any = [{"id": "x", "deployments": 2}, {"id": "y"}, {"id": "z"}]
    now: Any = [{"id": "x", "deployments": 1}, {"id": "y"}]
    kept = with_its_models(run_row(), before, now)
    assert kept["models"] == [{"id": "x", "deployments": 2}]
    assert "models" not in with_its_models(kept, now, before)


def test_a_matrix_finds_its_recording() -> None:
    """Given a matrix, when recordings are held against it, then the one fits in whose time it was made."""
    matrix: Any = {"run": {"started_at": "2026-01-01T00:30:00Z"}}
    documents: list[Any] = [
        {"run": run_row()},
        {"run": run_row(started_at="2026-02"), "earlier": [run_row()]},
        {"run": run_row(started_at="2026-01-01T00:31:00Z")},
    ]
    assert [made_in(document, matrix) for document in documents] == [True, True, False]
