"""The extension and the Python provider, asked the same: thousands of made-up questions, one answer."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from conformance.embedded.config import HELD_BACK_FLEET, WIDE_FLEET, fleet
from conformance.provider import TargetError, filter_request, load_table
from conformance.provider.models.capabilities import capabilities_of
from conformance.provider.models.catalogue import catalogue
from conformance.provider.models.compat import compat_of
from conformance.provider.rate_limits import format_rate_limit_error, parse_rate_limit_error
from conformance.provider.refusals.dialects import read_refusal, spoken_by, summary
from conformance.provider.repair import Repair
from conformance.provider.repair.learned import address
from conformance.provider.repair.tracing import trace
from conformance.provider.table import Question, SupportTable, model_matches
from conformance.provider.table.families import family_of, served_from
from conformance.provider.target import gateway_name, target_from_env
from conformance.tests.embedded.pi_runs import EXTENSION, jiti_modules, program

VECTORS, REPAIRS = (
    json.loads((EXTENSION.parent / name).read_text(encoding="utf-8"))
    for name in ("vectors.json", "repair/repair_vectors.json")
)
NAMES = ["claude-haiku-4-5", "Claude-OPUS-4.6", "gpt-5.2", "o3", "gemini-2-5-flash", "databricks-gpt-5-1", "x/y", "é*"]
ODD: list[Any] = [None, True, False, 0, 1, -1, 0.5, 2.5e6, "7", "", "0.000003", "x", [], {}, ["high"], {"type": "f"}]
TABLE = load_table()
FIELDS = sorted({name.partition(":")[0] for rule in TABLE.rules for name in rule.statements})
#: What serves models, in the atlas and beyond it, and releases of LiteLLM.
SERVED = [row["model"] for name in (WIDE_FLEET, HELD_BACK_FLEET) for row in fleet(name)["deployment"]]
VERSIONS = ["1.79.3", "1.80.17", "1.81.16", "1.90.7", "1.95.0", "1.100.5", "1.109.1", "1.200", "x"]


def python_answer(kind: str, given: list[Any]) -> Any:
    """What the Python provider says, in the form the extension says it."""
    return _ANSWERS[kind](*given)


def _catalogue(rows: Any, groups: Any, deployments: Any) -> Any:
    listed = catalogue(rows, groups, deployments)
    return [
        {
            "id": each.id,
            "declared": each.declared,
            **({"route": each.route} if each.route else {}),
            **({"served_by": list(each.served_by)} if each.served_by else {}),
        }
        for each in listed
    ]


def _known(about: dict[str, Any]) -> dict[str, Any]:
    """What is known of a gateway, under the names that Python has for it."""
    return {"served_by": about["servedBy"], "gateway_version": about.get("gatewayVersion")}


def _family(name: str) -> Any:
    family = family_of(name)
    return family and {"name": family.name, "version": list(family.version)}


def _served(model: str) -> Any:
    served = served_from(model)
    return served and served._asdict()


def _filter(body: Any, model: str, endpoint: str, about: dict[str, Any]) -> Any:
    done = filter_request(body, model, endpoint, table=TABLE, **_known(about))
    return {"body": done.body, "dropped": list(done.dropped), "instead": dict(done.instead)}


def _limit(text: str, headers: Any, status: int | None) -> Any:
    limit = parse_rate_limit_error(text, headers=headers, status=status)
    return limit and {"limit": asdict(limit), "message": format_rate_limit_error(limit)}


def _target(url: str) -> Any:
    try:
        target = target_from_env({"LITELLM_BASE_URL": url, "LITELLM_API_KEY": "k"})
    except TargetError:
        return "refused"
    return target and [target.base_url, gateway_name(target.base_url)]


def _refusal(text: str) -> Any:
    read = read_refusal(text)
    return {
        "blames": [[each.name, each.conditional, each.company, each.weak, list(each.values)] for each in read.blames],
        "allowed": read.allowed,
        "elsewhere": read.elsewhere,
        "by": spoken_by(text, {}),
        "summary": summary(text),
    }


def _repair(body: Any, endpoint: str, mode: Any, answers: list[tuple[int, str]]) -> Any:
    repair = Repair(body, body, Question("m", endpoint, "stream"), SupportTable(()), mode)
    sent = [repair.next_body(status, text) for status, text in answers]
    said = {"learnt": repair.learnt, "suspected": repair.suspected}
    return {"sent": sent, **said, "explanation": repair.explanation, "unfinished": repair.unfinished}


_ANSWERS: dict[str, Callable[..., Any]] = {
    "address": address,
    "trace": trace,
    "refusal": _refusal,
    "repair": _repair,
    "catalogue": _catalogue,
    "filter": _filter,
    "capabilities": lambda model, declared: asdict(capabilities_of(model, declared)),
    "compat": lambda model, about: compat_of(model, table=TABLE, **_known(about)),
    "family": _family,
    "served": _served,
    "matches": model_matches,
    "limit": _limit,
    "target": _target,
}


class _MadeUp:
    """Questions made up from a seed: the same ones in every run."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - nothing secret

    def some(self, values: Any, most: int) -> list[Any]:
        return [self.chance.choice(values) for _ in range(self.chance.randint(0, most))]

    def name(self) -> str:
        name = self.chance.choice(NAMES)
        return name + self.chance.choice(["", "", "-x", "-latest"])

    def served(self) -> str:
        odd = ["azure/", "/x", "y", "bedrock/invoke/", "é/Claude-OPUS-4.6"]
        served: str = self.chance.choice([*SERVED, *SERVED, *odd])
        at = self.chance.choice([None, None, None, self.chance.randrange(len(served) + 1)])
        return served[:at]

    def about(self) -> dict[str, Any]:
        known = {"servedBy": [self.served() for _ in range(self.chance.choice([0, 1, 1, 1, 2]))]}
        version = self.chance.choice([*VERSIONS, None])
        return {**known, "gatewayVersion": version} if version else known

    def row(self, key: str) -> dict[str, Any]:
        facts = ("mode", "max_input_tokens", "max_output_tokens", "input_cost_per_token", "supports_vision")
        values = [*ODD, "chat", "embedding", "responses", 8192]
        return {key: self.chance.choice([*NAMES, *ODD])} | {f: self.chance.choice(values) for f in self.some(facts, 5)}

    def body(self) -> dict[str, Any]:
        tool = {"type": "function", "strict": False, "function": {"name": "f", "strict": False}}
        message = {"role": self.chance.choice(["developer", "user", 7]), "content": "x", "reasoning_content": "y"}
        values = [
            *ODD,
            "none",
            "minimal",
            "low",
            "high",
            "xhigh",
            "auto",
            [tool],
            [message, 1],
            ["reasoning.encrypted_content"],
        ]
        body: dict[str, Any] = {"model": "m", "messages": [message], "input": [message], "tools": [tool]}
        for field in self.some(FIELDS, 12):
            names = field.split("+")[0].split(".")
            value = self.chance.choice(values)
            body[names[0]] = {names[1]: value} if len(names) > 1 and self.chance.random() < 0.8 else value
        return body

    def error(self) -> str:
        lines = [line["error"] for line in VECTORS["rate_limits"] if "error_times" not in line]
        text = self.chance.choice([each if isinstance(each, str) else json.dumps(each) for each in lines])
        for _ in range(self.chance.randint(0, 3)):
            at = self.chance.randrange(len(text) + 1)
            text = self.chance.choice(
                [text[:at], text[at:], json.dumps(text), text[:at] + "429 " + text[at:], f"400 {text}"]
            )
        return text

    def refusal(self) -> str:
        text: str = self.chance.choice(REPAIRS["refusals"])["refusal"]["text"]
        for _ in range(self.chance.choice([0, 0, 1, 2])):
            at = self.chance.randrange(len(text) + 1)
            other: str = self.chance.choice(REPAIRS["refusals"])["refusal"]["text"]
            text = self.chance.choice(
                [text[:at], text[at:], json.dumps(text), f"{text[:at]} {other}", f"x {text.encode()!r}", f"[{text}]"]
            )
        return text

    def offender(self) -> str:
        steps = [
            *FIELDS,
            "0",
            "[3]",
            "function",
            "strict",
            "role",
            "content",
            "promptCacheKey",
            "body",
            "maxTokens",
            "id",
        ]
        return self.chance.choice([".", ".0.", "[].", "/"]).join([self.chance.choice(steps), *self.some(steps, 3)])

    def headers(self) -> dict[str, str]:
        names = ["retry-after", "llm_provider-retry-after", "x-ratelimit-remaining-tokens", "x-ratelimit-limit-tokens"]
        return {name: self.chance.choice(["0", "15", "1.5", "6m0s", "x", "", "200000"]) for name in self.some(names, 3)}

    def question(self) -> tuple[str, list[Any]]:
        kind = self.chance.choice([*_ANSWERS, "filter", "limit"])
        rows = [
            [self.row(key) for _ in range(self.chance.randint(0, 4))] for key in ("id", "model_group", "model_name")
        ]
        for row in rows[2]:
            row["model_info"] = self.row("id")
            row["litellm_params"] = {"model": self.chance.choice(["azure/x", "y", "bedrock/z", "/x", "", 3])}
        for row in rows[1]:
            row["providers"] = self.chance.choice([["azure"], ["a", "b"], ["", "a"], "azure", [], [1]])
        pattern = "".join(self.some("ab*-", 6))
        url = self.chance.choice(["http://", "HTTPS://", "ftp://", "", "//"]) + self.chance.choice(
            ["h", "a:b@h", "h:70000", ""]
        )
        endpoint = self.chance.choice(["chat_completions", "responses", "messages"])
        sent = self.chance.choice([self.body(), REPAIRS["requests"][endpoint], REPAIRS["requests"][endpoint]])
        answers = [
            [self.chance.choice([400, 400, 422, 500, 401]), self.refusal()] for _ in range(self.chance.randint(1, 7))
        ]
        made: dict[str, list[Any]] = {
            "address": [
                self.chance.choice(["http://h", "https://H.example:8443", "http://[::1]:4000", "http://a:b@h"])
                + self.chance.choice(["", "/", "/v1", "/a/v1/chat/completions", "/v1/responses?q=1", "/v1/messages"])
            ],
            "trace": [self.offender(), sent],
            "refusal": [self.refusal()],
            "repair": [sent, endpoint, self.chance.choice(["named", "named", "search", "off"]), answers],
            "catalogue": rows,
            "filter": [
                self.body(),
                self.name(),
                self.chance.choice(["chat_completions", "responses", "messages"]),
                self.about(),
            ],
            "family": [self.served()],
            "served": [self.served()],
            "capabilities": [self.name(), self.row("model_group") if self.chance.random() < 0.5 else self.row("id")],
            "compat": [self.name(), self.about()],
            "matches": [pattern, "".join(self.some("ab-", 6))],
            "limit": [self.error(), self.headers(), self.chance.choice([None, None, 429, 400, 500, 529])],
            "target": [url + self.chance.choice(["", "/", "/v1", "/v1/", "/a/v1", "?q", "#f", "/a b"])],
        }
        return kind, made[kind]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.slow
def test_both_languages_answer_alike(seed: int, tmp_path: Path) -> None:
    """Given any question, when both are asked, then both say the same."""
    modules = jiti_modules()
    made = _MadeUp(seed)
    questions = [made.question() for _ in range(1500)]
    done = subprocess.run(
        [
            program("node"),
            "--import",
            str(modules / "jiti" / "lib" / "jiti-register.mjs"),
            str(EXTENSION / "tests" / "twin.ts"),
        ],
        input=json.dumps(questions).encode(),
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-2000:]
    answers = json.loads(done.stdout)
    assert len(answers) == len(questions)
    for (kind, given), answer in zip(questions, answers, strict=True):
        assert answer == json.loads(json.dumps(python_answer(kind, given))), (kind, given)
