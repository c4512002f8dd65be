/** What the user reads of an error, held against the very rules that Pi decides by. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isContextOverflow } from "@mariozechner/pi-ai";
import { loadData } from "../data.ts";
import { explain } from "../errors.ts";
import type { RateLimitRules } from "../rate_limits.ts";

const rules = loadData<RateLimitRules>("rate_limits.json");
const told = (error: string, headers = {}): string => explain(error, "m", rules, headers);

/** Pi 0.73.1's own expression, from its agent session: what matches is sent again. */
const REPEATED = new RegExp(
  [
    "overloaded|provider.?returned.?error|rate.?limit|too many requests|429|500|502|503|504|service.?unavailable",
    "server.?error|internal.?error|network.?error|connection.?error|connection.?refused|connection.?lost",
    "websocket.?closed|websocket.?error|other side closed|fetch failed|upstream.?connect|reset before headers",
    "socket hang up|ended without|http2 request did not get a response|timed? out|timeout|terminated|retry delay",
  ].join("|"),
  "i",
);

const overflows = (errorMessage: string): boolean =>
  isContextOverflow({ stopReason: "error", errorMessage } as Parameters<typeof isContextOverflow>[0], 1000);

const REFUSALS = [
  "400 litellm.BadRequestError: max_tokens is at most 15000, 14290 or 503; rate limit; timeout; internal error",
  "401 Authentication Error, connection error, terminated, server_error",
  "404 no such model: gpt-500-overloaded",
  "422 service unavailable fetch failed socket hang up",
  "unknown: litellm.BadRequestError: AzureException - at most 50000 tokens",
  "server_error: litellm.BadRequestError: GeminiException - no",
  "400 status code (no body)",
  "429 Budget has been exceeded! Current cost: 15000",
  '429 {"code":"insufficient_quota"}',
];

for (const error of REFUSALS) {
  test(`is not repeated: ${error}`, () => {
    assert.doesNotMatch(told(error), REPEATED);
    assert.equal(overflows(told(error)), false);
  });
}

const PASSING = [
  "500 internal",
  "503 Service Unavailable",
  "408 Request timeout",
  "Connection error.",
  "terminated",
  "429 Too many requests",
  "unknown: litellm.RateLimitError: AnthropicException - rate limit",
  "The stream ended before the model had finished (connection lost).",
];

for (const error of PASSING) {
  test(`is repeated: ${error}`, () => assert.match(told(error), REPEATED));
}

const TOO_LONG = [
  "400 litellm.ContextWindowExceededError: litellm.BadRequestError: no more than 15000",
  "400 prompt is too long: 213462 tokens > 200000 maximum",
  "unknown: litellm.ContextWindowExceededError: AzureException - timeout 500",
  "400 This model's maximum context length is 8192 tokens. Rate limit not reached.",
];

for (const error of TOO_LONG) {
  test(`is compacted and not repeated: ${error}`, () => {
    assert.equal(overflows(told(error)), true, told(error));
    assert.match(told(error), /context_length_exceeded/);
  });
}

test("a rate limit is never taken for a long prompt", () => {
  const error = '429 {"error_code":"REQUEST_LIMIT_EXCEEDED","message":"too many tokens, exceeds the limit of 200000"}';
  assert.equal(overflows(told(error)), false);
  assert.match(told(error), REPEATED);
});

test("a wait that only the headers tell is told", () => {
  assert.match(told("429 Too many requests", { "llm_provider-retry-after": "9" }), /Retry after 9 s/);
});

test("text that is quieted looks the same", () => {
  const [error = ""] = REFUSALS;
  assert.equal(told(error).replaceAll("\u2060", ""), error);
});

test("an error without a text has one", () => assert.ok(told("")));
