"""What cells make of a client's requests: works, loses something, is not known, breaks."""

from __future__ import annotations

from typing import Any, cast

import pytest

from conformance.matrix.document import Matrix, dump_matrix, parse_matrix
from conformance.parameters import load_registry
from conformance.readiness.section import with_clients
from conformance.schemas.documents import ClientRequest, ProfilesDocument, ReadinessRow
from conformance.tests.helpers.pages import cell, matrix_with

REGISTRY = load_registry()


def request(way: str = "plain", turn: int = 1, **parts: Any) -> ClientRequest:
    """A request of a client: a whole chat completion for the families claude and unknown, unless told otherwise."""
    found = {
        "way": way,
        "turn": turn,
        "families": ["claude", "unknown"],
        "endpoint": "chat_completions",
        "mode": "whole",
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": {},
        "body": {},
        **parts,
    }
    return cast("ClientRequest", found)


def profiles(*requests: ClientRequest) -> ProfilesDocument:
    """The profile of one client, and three families of models."""
    return {
        "schema_version": 1,
        "families": {"claude": "claude-x", "gpt-5": "gpt-5", "unknown": "house"},
        "profiles": [
            {
                "client": "agent",
                "title": "The Agent",
                "version": "1.0",
                "captured_at": "2026-11-27",
                "requests": list(requests),
            }
        ],
    }


def readiness(cells: list[dict[str, Any]], *requests: ClientRequest) -> ReadinessRow:
    """How the client that sends these requests does with the one model that these cells are of."""
    section = with_clients(matrix_with(cells), REGISTRY, profiles(*requests))["clients"]
    (row,) = section["readiness"]
    return row


TAKEN = cell()  # store:true, accepted
REFUSED = cell(parameter="prompt_cache_key", verdict="rejected")
IGNORED = cell(parameter="user", verdict="ignored")
UNCLEAR = cell(parameter="seed", verdict="inconclusive")
CELLS = [TAKEN, REFUSED, IGNORED, UNCLEAR]


class TestOneRequest:
    """A request is worth what the worst of its fields is."""

    @pytest.mark.parametrize(
        ("body", "expected", "reason"),
        [
            ({"store": True}, "works", "works"),
            ({}, "works", "works"),
            ({"store": True, "user": "u"}, "loses", "works, but user is lost"),
            ({"user": "u", "seed": 1}, "unknown", "not known: seed (inconclusive)"),
            ({"user": "u", "hue": 1}, "unknown", "not known: hue (not measured)"),
            ({"store": False}, "unknown", "not known: store:false (not measured)"),
            ({"prompt_cache_key": "k"}, "breaks", "breaks on prompt_cache_key (refused by the gateway)"),
            (
                {"hue": 1, "seed": 1, "user": "u", "prompt_cache_key": "k"},
                "breaks",
                "breaks on prompt_cache_key (refused by the gateway)",
            ),
        ],
    )
    def test_the_worst_field_decides(self, body: dict[str, Any], expected: str, reason: str) -> None:
        """Given cells, when a request holds fields of several verdicts, then the worst decides, and is named."""
        row = readiness(CELLS, request(body=body))
        assert (row["readiness"], row["reason"], row["way"]) == (expected, reason, "plain")

    def test_who_refused(self) -> None:
        """Given refusals by several, when a request breaks on them, then each stands beside who refused it."""
        cells = [
            REFUSED,
            cell(parameter="seed", verdict="rejected", rejected_by="backend"),
            cell(parameter="n", verdict="rejected", rejected_by="unknown"),
        ]
        row = readiness(cells, request(body={"prompt_cache_key": "k", "seed": 1, "n": 2}))
        assert row["reason"] == (
            "breaks on prompt_cache_key (refused by the gateway); seed (refused by the backend); n"
        )

    def test_the_evidence_of_a_field(self) -> None:
        """Given a refused field, when a request holds it, then its row names the cell that shows it."""
        (way,) = readiness(CELLS, request(body={"prompt_cache_key": "k", "hue": 1}))["ways"]
        known = {"endpoint": "chat_completions", "mode": "whole", "turn": 1, "unsent": False}
        assert way["fields"] == [
            {**known, "field": "prompt_cache_key", "verdict": "rejected", "rejected_by": "gateway",
             "parameter": "prompt_cache_key"},
            {**known, "field": "hue", "verdict": "not_measured", "rejected_by": None, "parameter": None},
        ]  # fmt: skip

    @pytest.mark.parametrize(("others", "expected"), [("rejected", "breaks"), ("accepted", "unknown")])
    def test_a_value_that_nobody_asked_for(self, others: str, expected: str) -> None:
        """Given a field's values, when a request holds another one, then it breaks only where all of them are
        refused: as in the table, that speaks for the field."""
        values = [p.id for p in REGISTRY.parameters if p.path == "reasoning_effort"]
        cells = [cell(parameter=name, verdict="rejected") for name in values[1:]]
        row = readiness(
            [cell(parameter=values[0], verdict=others), *cells], request(body={"reasoning_effort": "ultra"})
        )
        assert (row["readiness"], "reasoning_effort:ultra" in row["reason"]) == (expected, True)


class TestReplayed:
    """What a client sends back only where an answer held it."""

    @pytest.mark.parametrize(
        ("thinking", "expected"), [("honoured", "breaks"), ("accepted", "works"), ("rejected", "works")]
    )
    def test_a_refusal_counts_where_answers_hold_it(self, thinking: str, expected: str) -> None:
        """Given a model that refuses earlier reasoning, when its answers show none, then a client sends none back;
        where they do, the client breaks."""
        refused = cell(parameter="messages.reasoning_content", verdict="rejected")
        body = {"messages": [{"role": "assistant", "content": "x", "reasoning_content": "text"}]}
        row = readiness([refused, cell(parameter="thinking", verdict=thinking)], request(body=body))
        assert row["readiness"] == expected
        assert [field["unsent"] for field in row["ways"][0]["fields"]] == [expected == "works"]

    def test_nothing_to_send_back(self) -> None:
        """Given a model whose answers hold no reasoning items, when a client would send them back, then it works."""
        cells = [cell(parameter="input.type:reasoning", verdict="not_applicable", endpoint="responses")]
        body = {"input": [{"type": "reasoning", "encrypted_content": "opaque", "id": "rs_1"}]}
        assert readiness(cells, request(endpoint="responses", body=body))["readiness"] == "works"


class TestSeveralRequests:
    """Of the requests of one way the worst counts, of several ways the best."""

    def test_a_later_request(self) -> None:
        """Given a field that only the second request holds, when it is refused, then the reason says from where on."""
        row = readiness(CELLS, request(body={"store": True}), request(turn=2, body={"prompt_cache_key": "k"}))
        assert row["reason"] == "breaks on prompt_cache_key from request 2 on (refused by the gateway)"
        assert row["ways"][0]["turn"] == 2

    def test_the_best_way(self) -> None:
        """Given a way that works and one that breaks, when both are held against the cells, then the client works,
        and the reason names both."""
        row = readiness(CELLS, request("fast", body={"prompt_cache_key": "k"}), request("plain", body={"store": True}))
        assert (row["readiness"], row["way"]) == ("works", "plain")
        assert row["reason"] == "plain: works. fast: breaks on prompt_cache_key (refused by the gateway)"

    def test_a_way_that_was_not_measured(self) -> None:
        """Given a way to an endpoint that the run did not measure, when the other way breaks, then the client breaks:
        nothing is hoped for; alone, it is not known, with the reason."""
        other = request("other", endpoint="messages", body={"max_tokens": 1})
        row = readiness(CELLS, other, request(body={"prompt_cache_key": "k"}))
        assert (row["readiness"], row["way"]) == ("breaks", "plain")
        alone = readiness(CELLS, other)
        assert (alone["readiness"], alone["reason"]) == ("unknown", "not known: this run did not measure messages")

    def test_a_mode_that_was_not_measured(self) -> None:
        """Given a run without streams, when a client streams, then it is not known, with the reason."""
        row = readiness(CELLS, request(mode="stream", body={"stream": True}))
        assert row["reason"] == "not known: this run did not measure streams of chat_completions"

    def test_a_way_to_two_endpoints(self) -> None:
        """Given a way that asks two endpoints, when one of them was not measured, then each is a way of its own."""
        row = readiness(CELLS, request(body={}), request(turn=2, endpoint="responses", body={"input": "x"}))
        assert [way["way"] for way in row["ways"]] == ["plain (chat_completions)", "plain (responses)"]
        assert row["readiness"] == "works"


class TestFamilies:
    """Clients send other fields for other names of models."""

    def test_the_requests_of_the_family_count(self) -> None:
        """Given requests for several families, when a model is of one, then only those count."""
        others = request(families=["gpt-5"], body={"prompt_cache_key": "k"})
        row = readiness(CELLS, others, request(body={"store": True}))
        assert (row["family"], row["readiness"]) == ("claude", "works")

    def test_a_family_that_was_not_captured(self) -> None:
        """Given a model of a family that the client was not seen to ask, when there are requests for unknown models,
        then those count; when there are none, it is not known."""
        cells = [{**each, "model": "gpt-5-x"} for each in CELLS]
        row = readiness(cells, request(body={"prompt_cache_key": "k"}))
        assert (row["family"], row["readiness"]) == ("unknown", "breaks")
        none = readiness(cells, request(families=["claude"], body={}))
        assert (none["readiness"], none["way"], none["ways"]) == ("unknown", None, [])
        assert none["reason"] == "not known: it was not captured for models like gpt-5"


def _complete(matrix: Matrix) -> Matrix:
    return with_clients(matrix, REGISTRY, profiles(request(body={"prompt_cache_key": "k"})))


def test_the_section_is_read_back() -> None:
    """Given a matrix with clients, when it is written and read, then it is the same; without them it has no section."""
    matrix = _complete(matrix_with(CELLS))
    read = parse_matrix("".join(dump_matrix(matrix)), "matrix.json")
    assert read["clients"]["profiles"] == matrix["clients"]["profiles"]
    assert read["clients"]["readiness"] == list(matrix["clients"]["readiness"])
    assert "clients" not in parse_matrix("".join(dump_matrix(matrix_with(CELLS))), "matrix.json")


def test_a_client_of_every_model() -> None:
    """Given several models, when clients are held against them, then each model has a row, in the matrix's order."""
    cells = [{**each, "model": model} for model in ("b", "a") for each in CELLS]
    rows = _complete(matrix_with(cells))["clients"]["readiness"]
    assert [(row["model"], row["readiness"]) for row in rows] == [("b", "breaks"), ("a", "breaks")]


def test_a_matrix_explains_the_ways() -> None:
    """Given profiles that explain their ways, when a matrix tells of the clients, then it explains them too; older
    profiles explain none, and nor does the matrix."""
    document = profiles(request(body={}))
    assert "setup" not in with_clients(matrix_with(CELLS), REGISTRY, document)["clients"]["profiles"][0]
    document["profiles"][0]["setup"] = {"plain": "Set nothing."}
    matrix = with_clients(matrix_with(CELLS), REGISTRY, document)
    (profile,) = parse_matrix("".join(dump_matrix(matrix)), "matrix.json")["clients"]["profiles"]
    assert profile["setup"] == {"plain": "Set nothing."}
