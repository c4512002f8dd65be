"""What is shipped: the recordings, the table made from them, and the provider that reads it."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from pathlib import Path

import pytest

import conformance.provider
from conformance.atlas import SHIPPED
from conformance.atlas.carrying import carried_table
from conformance.atlas.files import AtlasFolder
from conformance.cassettes.format import GATEWAY_FILE
from conformance.exchange.sender import now
from conformance.matrix.document import dump_matrix, model_from, model_row
from conformance.measure.replay import Replay
from conformance.parameters import load_registry
from conformance.provider import Question, load_table, shipped_table_path
from conformance.schemas import first_error
from conformance.secrets.scrubbing import Scrubber
from conformance.support.deriving import derive, same_rules, told
from conformance.support.facts import facts_of
from conformance.support.overrides import load_overrides
from conformance.support.writing import dump_table
from conformance.tests.helpers.running import CHECKOUT
from conformance.tests.helpers.shipped import RECORDING, shipped_replay
from conformance.text.names import cassette_name
from conformance.types import Model

#: Nothing of the test stack, as where only the provider is wanted.
BLOCKED = ("allure", "click", "httpx", "jsonschema_rs", "pytest", "rich", "vcr", "xdist", "yaml")


@pytest.fixture(scope="module")
def replay() -> Replay:
    """The shipped recording."""
    return shipped_replay()


def test_recording_is_complete_and_of_simulators(replay: Replay) -> None:
    """Given the shipped recording, when it is judged, then it is complete and says that upstreams were simulated."""
    matrix = replay.matrix()
    assert matrix["run"]["complete"] is True
    assert matrix["gateway"]["simulated"] is True
    assert matrix["gateway"]["version"] == "1.109.1"
    assert first_error("matrix", json.loads("".join(dump_matrix(matrix)))) is None


def test_no_cassette_lies_there_unused(replay: Replay) -> None:
    """Given the shipped recording, when its folder is listed, then every file belongs to a model of the plan."""
    files = {path.name for path in RECORDING.path.iterdir()}
    assert files == {GATEWAY_FILE} | {cassette_name(model.id) for model in replay.plan.models}


def test_nothing_shipped_looks_like_a_secret() -> None:
    """Given the shipped recordings, when they are scrubbed again, then nothing is left to scrub."""
    for path in RECORDING.path.iterdir():
        text = path.read_text(encoding="utf-8")
        assert Scrubber().text(text) == text, path.name


def test_shipped_table_is_derived_from_the_shipped_recording(replay: Replay) -> None:
    """Given recording, atlas and overrides, when the table is derived from these alone, then it is the shipped file."""
    carried = carried_table(AtlasFolder(SHIPPED).read(), load_registry(), load_overrides())
    table = derive(replay.matrix(), load_overrides(), None, load_registry().values_of, carried)
    assert dump_table(table) == shipped_table_path().read_text(encoding="utf-8")


def test_shipped_table_stays_what_it_is(replay: Replay) -> None:
    """Given the shipped table, when the same recording updates it, then nothing changes: no rule speaks of values
    that were not asked for."""
    table = derive(replay.matrix(), load_overrides(), load_table(), load_registry().values_of)
    assert dump_table(table) == shipped_table_path().read_text(encoding="utf-8")


def test_the_shipped_recording_knows_of_its_models_what_a_live_run_would() -> None:
    """Given the shipped recording, when its models are read, then nothing is missing that a live run writes: else that
    would give another table."""
    fields = model_row(Model(id="m")).keys()
    for row in RECORDING.read_gateway()["models"]:
        assert row.keys() == fields, row["id"]


def test_a_run_of_one_model_changes_nothing() -> None:
    """Given the shipped table, when a run of one model alone updates it, then what it says of the others stays."""
    one = Replay(RECORDING, RECORDING.read_gateway(), load_registry(), selection="nova-pro").matrix()
    assert same_rules(load_table(), derive(one, load_overrides(), load_table(), load_registry().values_of))


def test_shipped_table_reproduces_every_statement(replay: Replay) -> None:
    """Given the shipped table, when every measured cell is looked up, then the table says what was measured."""
    matrix = replay.matrix()
    table, facts = load_table(), dict(facts_of(matrix))
    models = {row["id"]: model_from(row) for row in matrix["models"]}
    assert len(facts) > 100
    for key, fact in facts.items():
        statement = told(table, key, "embedded", models[key.model], matrix["gateway"]["version"])
        assert (statement is None or statement.supported) == fact.supported, key


def test_shipped_table_fits_its_schema() -> None:
    """Given the shipped table, when it is held against its schema, then it fits, and every source is there."""
    document = json.loads(shipped_table_path().read_text(encoding="utf-8"))
    assert first_error("parameter_support", document) is None
    named = {row["source"] for rule in document["rules"] for row in rule["statements"].values()}
    assert named == set(document["sources"])


@pytest.mark.parametrize(
    ("model", "endpoint", "parameter", "supported"),
    [
        ("claude-9", "responses", "store:false", True),
        ("claude-9", "responses", "prompt_cache_key", False),
        ("gemini-9", "responses", "store:true", True),
        ("gemini-9", "responses", "prompt_cache_key", False),
        ("databricks-dbrx", "responses", "store:true", True),
        ("databricks-dbrx", "responses", "prompt_cache_key", False),
        ("gpt-9", "responses", "store:true", True),
        ("gpt-9", "chat_completions", "prompt_cache_key", True),
        ("unheard-of", "responses", "prompt_cache_key", True),
        ("unheard-of", "chat_completions", "store:false", True),
    ],
)
def test_models_nobody_measured_follow_the_overrides(
    model: str, endpoint: str, parameter: str, supported: bool
) -> None:
    """Given a model that was not measured, when it is looked up, then the human rules answer, or it fails open."""
    statement = load_table().lookup(Question(model, endpoint, "whole"), parameter)
    assert statement is not None
    assert statement.supported is supported


def test_provider_needs_nothing_of_the_test_stack(tmp_path: Path) -> None:
    """Given an interpreter without the test stack, when the provider is imported, then it filters a request."""
    script = tmp_path / "alone.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(CHECKOUT)!r})\n"
        "class Blocker:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {BLOCKED!r}:\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
        "from conformance.provider import filter_request, load_table\n"
        "body = {'prompt_cache_key': 'k', 'input': 'hi'}\n"
        "print(filter_request(body, 'claude-haiku-4-5', 'responses', table=load_table()).body)\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, "-I", str(script)], capture_output=True, text=True, check=False)
    assert done.stdout == "{'input': 'hi'}\n", done.stderr


def test_provider_docstring_is_true() -> None:
    """Given the example in the provider's docstring, when it is run, then it prints what it says."""
    assert doctest.testmod(conformance.provider).failed == 0
    assert doctest.testmod(conformance.provider).attempted > 0


def test_times_are_utc() -> None:
    """Given the clock, when a recording writes the time, then it is UTC to the second."""
    assert now().endswith("Z")
    assert len(now()) == len("2026-11-22T12:00:00Z")
