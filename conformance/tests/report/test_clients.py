"""What the terminal, the tables and the badges say of clients."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.report import badges, shapes, tables, terminal
from conformance.report.clients import summaries
from conformance.report.page import render_page
from conformance.tests.helpers.agents import field, matrix_of_agents, proof, row, row_of_ways, with_agents
from conformance.tests.helpers.pages import HOSTILE, cell, matrix_with
from conformance.tests.helpers.parsed_page import Parsed, packet

hostile = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30))


@pytest.mark.parametrize(
    ("letters", "told", "percent"),
    [
        ("w", "works with 1 of 1 model", 100),
        ("wlb", "works with 2 of 3 models", 66),
        ("bb", "works with 0 of 2 models", 0),
        ("wwu", "works with 2 of 3 models, 1 not known", 100),
        ("uu", "not known", None),
    ],
)
def test_badge_of_a_client(letters: str, told: str, percent: int | None) -> None:
    """Given what a client does with some models, when its badge is made, then it says with how many of them it works;
    what is not known makes it neither better nor worse."""
    badge = badges.badges_of(matrix_of_agents({"codex": letters}))["clients/codex"]
    assert (badge.label, badge.message, badge.percent) == ("codex", told, percent)
    assert told in badge.as_svg()


def test_reasons_are_the_commonest() -> None:
    """Given a client that breaks and is unknown for several reasons, when it is summed up, then the commonest come
    first, with how many models they concern, and of the rest the number."""
    rows = [row("codex", f"m{n}", "breaks", [field(name, "breaks") for name in "abcde"[: n + 1]]) for n in range(5)]
    (summary,) = summaries(with_agents(matrix_with([cell()]), [*rows, row("codex", "u", "unknown")]))
    assert summary.reasons() == "breaks on a (5), b (4), c (3) and 2 more; not known: unknown because of . (1)"


def test_what_is_not_sent_is_no_reason() -> None:
    """Given a refused field that the client would only send back, when the client is summed up, then it is not one of
    the reasons."""
    fields = [field("store", "breaks"), field("messages.reasoning_content", "breaks", unsent=True)]
    (summary,) = summaries(with_agents(matrix_with([cell()]), [row("codex", "m", "breaks", fields)]))
    assert summary.reasons() == "breaks on store (1)"


def test_what_a_whole_request_broke_on_is_a_reason() -> None:
    """Given a client whose cells say nothing, when its whole request was refused, then the reason is what the refusal
    names, and the table says that it was proved."""
    broken = row("codex", "m", "breaks", [field("hue", "unknown", verdict="not_measured", parameter=None)])
    broken["ways"][0] |= {"forecast": "unknown", "proofs": [proof("rejected", fields=["tools[0].shade"])]}
    matrix = with_agents(matrix_with([cell("m")]), [broken])
    (summary,) = summaries(matrix)
    assert summary.reasons() == "breaks on tools[0].shade (1)"
    text = "".join(tables.clients_as_csv(matrix))
    (line,) = csv.DictReader(io.StringIO(text.removeprefix("\N{BOM}"), newline=""))
    assert (line["readiness"], line["proved"], line["forecast"]) == ("breaks", "yes", "unknown")
    assert line["breaks_on"] == "tools[0].shade"


def test_cells_and_refusals_name_fields_together() -> None:
    """Given fields that the cells refuse, when a whole request was refused too, then table and sums have what either
    names, a field that both name once; a proof that is no refusal names nothing."""
    broken = row("codex", "m", "breaks", [field("tools.strict", "breaks"), field("seed", "breaks")])
    broken["ways"][0] |= {
        "proofs": [proof("rejected", fields=["tools[0].strict", "hue"]), proof("accepted", fields=["shade"])]
    }
    matrix = with_agents(matrix_with([cell("m")]), [broken])
    (line,) = csv.DictReader(io.StringIO("".join(tables.clients_as_csv(matrix)).removeprefix("\N{BOM}"), newline=""))
    assert line["breaks_on"] == "tools.strict seed hue"
    assert summaries(matrix)[0].reasons() == "breaks on hue (1), seed (1), tools.strict (1)"


class TestSomeWays:
    """A client that works in some of its ways and breaks in others."""

    SOME = row_of_ways("pi", "a", messages="works", chat="breaks")
    LOSES = row_of_ways("pi", "b", messages="loses", chat="breaks")
    OTHERS = row_of_ways("pi", "c", responses="works", messages="loses", chat="breaks")
    ALL = row_of_ways("pi", "d", messages="works", chat="loses")
    UNKNOWN = row_of_ways("pi", "e", messages="works", chat="unknown")
    NONE = row_of_ways("pi", "f", messages="unknown", chat="breaks")

    @pytest.mark.parametrize(
        ("rows", "limits"),
        [
            ([ALL, UNKNOWN, NONE], ""),
            ([SOME, ALL], "1 only by messages"),
            ([SOME, LOSES, ALL], "2 only by messages"),
            ([OTHERS], "1 only by responses, messages"),
            ([SOME, OTHERS, ALL], "2 only by some ways"),
            ([OTHERS, SOME, LOSES, ALL], "2 only by messages, 1 only by other ways"),
        ],
    )
    def test_sums_say_so(self, rows: list[dict[str, Any]], limits: str) -> None:
        """Given a client with models, when it is summed up, then terminal, badge and table say with how many of them
        only some ways work, and which ways; where nothing breaks, or nothing works, there is nothing to say."""
        matrix = with_agents(matrix_with([cell(each["model"]) for each in rows]), rows)
        (summary,) = summaries(matrix)
        assert summary.limits == limits
        told = (summary.told, badges.badges_of(matrix)["clients/pi"].message, tables.as_markdown(matrix))
        assert all(limits in each for each in (*told, terminal.rendered(matrix, 120, False)))
        assert all(("only" in each) == bool(limits) for each in told)

    def test_cells_say_so(self) -> None:
        """Given such a model beside one with which all ways work, when tables are made, then its sign has a mark, and
        the legend says what the mark means; without such a model it does not."""
        text = tables.as_markdown(with_agents(matrix_with([cell("a"), cell("d")]), [self.SOME, self.ALL]))
        assert "| `a` | ✔* |\n| `d` | ✔ |" in text
        assert "* works in some ways and breaks in others." in text
        page = Parsed(render_page(with_agents(matrix_with([cell("a"), cell("d")]), [self.SOME, self.ALL])))
        assert page.data["clients"]["rows"] == ["W", "w"]
        assert "some ways" not in tables.as_markdown(with_agents(matrix_with([cell("d")]), [self.ALL]))


class TestTerminal:
    """The summary at the end of a run."""

    def test_a_line_for_each_client(self) -> None:
        """Given two clients, when the terminal tells of them, then each has a line with counts and reasons."""
        text = terminal.rendered(matrix_of_agents({"codex": "wbb", "pi": "www"}), 100, False)
        assert re.search(r"The codex 1\.0 +1 +2 +breaks on store:false \(2\)", text)
        assert re.search(r"The pi 1\.0 +3 +\n", text)

    def test_too_little_is_known(self) -> None:
        """Given clients of which nothing is known, when the terminal tells of them, then one line says so; without
        clients there is none. Wherever something is not known, a hint says what to do, and where the names are."""
        for agents in ({"pi": "u"}, {"pi": "uw"}):
            text = " ".join(terminal.rendered(matrix_of_agents(agents), 80, False).split())
            assert ("This run measured too little to tell;" in text) == (agents == {"pi": "u"})
            assert "--live --clients=NAME" in text
            assert "The names: python -m conformance clients list" in text
        assert "agent" not in terminal.rendered(matrix_with([cell()]), 80, False)

    @pytest.mark.parametrize("models", [1, 500])
    def test_many_models_take_no_more_lines(self, models: int) -> None:
        """Given many models, when the terminal tells of clients, then that takes no more lines than for one."""
        text = terminal.rendered(matrix_of_agents({"codex": "b" * models, "pi": "w" * models}), 100, False)
        assert text.index("model-0") > text.index("The pi")
        assert len(text.partition("model-0")[0].splitlines()) < 8


class TestTables:
    """CSV and Markdown."""

    def test_csv_has_a_row_for_each_client_and_model(self) -> None:
        """Given a client, when the clients are made CSV, then each model is a row with what breaks, and why."""
        text = "".join(tables.clients_as_csv(matrix_of_agents({"codex": "wb"})))
        works, breaks = csv.DictReader(io.StringIO(text.removeprefix("\N{BOM}"), newline=""))
        assert tuple(works) == tables.CLIENT_COLUMNS
        assert (works["client"], works["client_version"], works["captured_at"]) == ("codex", "1.0", "2026-11-27")
        assert (works["readiness"], works["breaks_on"], works["way"]) == ("works", "", "plain")
        assert (breaks["model"], breaks["readiness"], breaks["breaks_on"]) == ("model-1", "breaks", "store:false")
        assert breaks["reason"] == "breaks because of store:false."

    def test_markdown_has_models_and_clients(self) -> None:
        """Given two clients, when the matrix is made Markdown, then a table shows both, and each says its version."""
        text = tables.as_markdown(matrix_of_agents({"codex": "wb", "pi": "lu"}))
        assert "| `model-0` | ✔ | ~ |\n| `model-1` | ✘ | ? |" in text
        assert (
            "- `The codex` `1.0`, captured `2026-11-27`: works with 1 of 2 models; `breaks on store:false (1)`" in text
        )
        assert "agent" not in tables.as_markdown(matrix_with([cell()]))

    @given(hostile, hostile, hostile)
    def test_hostile_texts(self, client: str, model: str, name: str) -> None:
        """Given hostile names of clients, models and fields, when they are shown, then nothing calculates, no control
        character is left, and each file has a harmless name."""
        matrix = with_agents(matrix_with([cell(model)]), [row(client, model, "breaks", [field(name or "x", "breaks")])])
        text = "".join(tables.clients_as_csv(matrix))
        rows = list(csv.reader(io.StringIO(text.removeprefix("\N{BOM}"), newline="")))
        assert all(value.isprintable() and value[:1] not in tuple("=+@-") for each in rows for value in each if value)
        for text in (tables.as_markdown(matrix), terminal.rendered(matrix, 80, False)):
            assert all(char.isprintable() or char in "\n\t" for char in text)
        assert all(re.fullmatch(r"(clients/)?[a-z0-9_][a-z0-9._~-]{0,90}", each) for each in badges.badges_of(matrix))


class TestPage:
    """What the page's script draws from, and what stands there without it."""

    def test_data(self) -> None:
        """Given two clients, when the page's data is read, then each model has a letter for each, and its packet how
        each does; an older matrix has none."""
        parsed = Parsed(render_page(matrix_of_agents({"codex": "wb", "pi": "lu"})))
        assert parsed.data["clients"]["rows"] == ["wl", "bu"]
        assert [each["client"] for each in parsed.data["clients"]["profiles"]] == ["codex", "pi"]
        told = packet(parsed, "model-1")["clients"]
        assert told["codex"]["ways"][0]["fields"][0]["field"] == "store:false"
        assert told["pi"]["readiness"] == "unknown"
        assert Parsed(render_page(matrix_with([cell()]))).data["clients"] is None

    def test_the_routes_say_nothing_of_agents(self) -> None:
        """Given agents that all work and a core parameter that is refused, when the page sums up its routes, then it
        calls the parameter refused, and says of no agent that it breaks."""
        matrix = with_agents(matrix_with([cell("m", "store:true", "rejected")]), [row("codex", "m", "works")])
        short = render_page(matrix).partition('id="by-route"')[2].partition("</section>")[0]
        assert 'data-label="Refused"><ul' in re.sub(r">\s+<", "><", short)
        assert not re.search("agent|breaks", short, re.IGNORECASE)

    def test_a_model_that_no_client_speaks_of(self) -> None:
        """Given a model without rows, when the page's data is read, then it has dots, and the others their letters."""
        matrix = with_agents(matrix_with([cell("a"), cell("b")]), [row("codex", "b", "works")])
        assert Parsed(render_page(matrix)).data["clients"]["rows"] == [".", "w"]

    @pytest.mark.parametrize("text", HOSTILE)
    def test_hostile_texts_stay_text(self, text: str) -> None:
        """Given a hostile text in every place, when the page is parsed, then it has the elements that it always has."""

        def elements(text: str) -> list[str]:
            matrix = with_agents(matrix_with([cell(text)]), [row(text, text, "breaks", [field(text, "breaks")])])
            for profile in matrix["clients"]["profiles"]:
                profile["title"] = profile["version"] = profile["captured_at"] = text
                profile["setup"] = {"plain": text, text or "x": text}
            page = render_page(matrix)
            assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", page)
            return [tag for tag, _ in Parsed(page).elements]

        assert elements(text) == elements("harmless")


def test_files_of_clients(tmp_path: Path) -> None:
    """Given a matrix with clients, when its shapes are written, then there are a table and a badge; badges of clients
    that are gone go."""
    shapes.write_all(matrix_of_agents({"codex": "w", "pi": "b"}), tmp_path)
    assert (tmp_path / "clients.csv").is_file()
    shapes.write_all(matrix_of_agents({"pi": "b"}), tmp_path)
    assert {path.name for path in (tmp_path / "badges" / "clients").iterdir()} == {"pi.json", "pi.svg"}
    told = json.loads((tmp_path / "badges" / "clients" / "pi.json").read_text(encoding="utf-8"))
    assert told["message"] == "works with 0 of 1 model"
