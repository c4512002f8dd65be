/** How streams end, in every order of events that Pi's own streams have. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createAssistantMessageEventStream } from "@mariozechner/pi-ai";
import type { AssistantMessage, AssistantMessageEvent } from "@mariozechner/pi-ai";
import { tidied } from "../endings.ts";

type Push = (event: AssistantMessageEvent) => void;

const message = (api: string): AssistantMessage => ({
  role: "assistant",
  content: [],
  api,
  provider: "litellm",
  model: "m",
  usage: {
    input: 0,
    output: 0,
    cacheRead: 0,
    cacheWrite: 0,
    totalTokens: 0,
    cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 },
  },
  stopReason: "stop",
  timestamp: 0,
});

/** Push what `play` plays through a tidied stream; returns the events and the final message. */
async function played(api: string, play: (push: Push, output: AssistantMessage) => void) {
  const output = message(api);
  const stream = tidied(createAssistantMessageEventStream(), (text) => `explained: ${text}`);
  play((event) => stream.push(event), output);
  const events: AssistantMessageEvent[] = [];
  for await (const event of stream) events.push(event);
  return { events: events.map((event) => event.type), result: await stream.result() };
}

const text = (push: Push, partial: AssistantMessage, end = true): void => {
  partial.content.push({ type: "text", text: "half a wo" });
  push({ type: "text_start", contentIndex: 0, partial });
  push({ type: "text_delta", contentIndex: 0, delta: "half a wo", partial });
  if (end) push({ type: "text_end", contentIndex: 0, content: "half a wo", partial });
};

const done = (push: Push, output: AssistantMessage): void =>
  push({ type: "done", reason: output.stopReason as "stop", message: output });

for (const api of ["openai-responses", "openai-completions"]) {
  test(`${api}: an end that was told stays, with every event once`, async () => {
    const { events, result } = await played(api, (push, output) => {
      push({ type: "start", partial: output });
      text(push, output);
      output.stopReason = "stop";
      done(push, output);
    });
    assert.deepEqual(events, ["start", "text_start", "text_delta", "text_end", "done"]);
    assert.equal(result.stopReason, "stop");
  });

  test(`${api}: an end that nobody told is an error`, async () => {
    const { events, result } = await played(api, (push, output) => {
      push({ type: "start", partial: output });
      text(push, output, api === "openai-completions");
      done(push, output);
    });
    assert.equal(events.at(-1), "error");
    assert.equal(result.stopReason, "error");
    assert.match(result.errorMessage ?? "", /connection lost/);
  });

  test(`${api}: what arrived before the start was seen is left alone`, async () => {
    const { result } = await played(api, (push, output) => {
      output.responseId = "r";
      push({ type: "start", partial: output });
      text(push, output);
      done(push, output);
    });
    assert.equal(result.stopReason, "stop");
  });

  test(`${api}: errors are explained, and what the user ended is not`, async () => {
    for (const [stopReason, said] of [["error", "explained: no"], ["aborted", "no"]] as const) {
      const { result } = await played(api, (push, output) => {
        push({ type: "start", partial: output });
        push({ type: "error", reason: stopReason, error: Object.assign(output, { stopReason, errorMessage: "no" }) });
      });
      assert.equal(result.errorMessage, said);
    }
  });
}

test("openai-responses: whole blocks and no end are a length limit", async () => {
  const { events, result } = await played("openai-responses", (push, output) => {
    push({ type: "start", partial: output });
    text(push, output);
    done(push, output);
  });
  assert.deepEqual([events.at(-1), result.stopReason], ["done", "length"]);
});
