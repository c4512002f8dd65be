/** Thinking is asked for wherever it can be given, and nowhere else. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { levelsThatFit, withoutLostThoughts } from "../thinking.ts";

const CALL = { role: "assistant", content: null, tool_calls: [{}], reasoning_content: "hm" };
const RESULT = { role: "tool", content: "sunny" };
const asks = (model: string, ...messages: unknown[]): boolean =>
  "reasoning_effort" in withoutLostThoughts({ reasoning_effort: "low", messages }, model);

for (const model of ["claude-haiku-4-5", "claude-sonnet-4.5", "Claude-Opus-4-1", "sonnet", "claude-3-7-sonnet-2025"]) {
  test(`${model}: not in the middle of a turn`, () => {
    assert.equal(asks(model, { role: "user" }, CALL, RESULT), false);
    assert.equal(asks(model, { role: "user" }, CALL, RESULT, { role: "user" }), true);
    assert.equal(asks(model, CALL, { ...CALL, thinking_blocks: [{ signature: "s" }] }, RESULT), true);
    assert.equal(asks(model, RESULT, null, 7), true);
  });
}

for (const model of ["claude-opus-4-6", "claude-sonnet-4.6", "claude-opus-5", "gpt-5.2", "gemini-2-5-pro", "octopus"]) {
  test(`${model}: always`, () => assert.equal(asks(model, { role: "user" }, CALL, RESULT), true));
}

test("what is no list of messages is left alone", () => {
  const body = { reasoning_effort: "low", messages: "x" };
  assert.equal(withoutLostThoughts(body, "claude-haiku-4-5"), body);
});

const LEVELS = { off: "none", low: "low", medium: "medium", high: "high", xhigh: "xhigh", minimal: null };

for (const model of ["claude-haiku-4-5", "databricks-gemini-2-5-pro"]) {
  test(`${model}: no more thinking than fits`, () => {
    assert.deepEqual(levelsThatFit(LEVELS, model, 4096), { ...LEVELS, high: null, xhigh: null });
    assert.deepEqual(levelsThatFit(LEVELS, model, 8192), { ...LEVELS, xhigh: null });
    assert.deepEqual(levelsThatFit(LEVELS, model, 16000), LEVELS);
  });
}

for (const model of ["claude-opus-4-6", "gpt-5.2", "o3"]) {
  test(`${model}: decides itself`, () => assert.equal(levelsThatFit(LEVELS, model, 100), LEVELS));
}
