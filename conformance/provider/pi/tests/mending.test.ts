/** One request on its way through `fetch`: what is sent again, what Pi reads, and what is left as it was. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { loadTables } from "../layers.ts";
import { loadKnowledge } from "../gateway.ts";
import { Memory } from "../learned.ts";
import { Ledger } from "../ledger.ts";
import { Outgoing } from "../mending.ts";

const BASE = "http://127.0.0.1:9/v1/";
const URL_ = `${BASE}chat/completions`;
const MESSAGES_URL = `${BASE}messages`;
const folder = mkdtempSync(join(tmpdir(), "mending-"));
after(() => rmSync(folder, { recursive: true }));

const table = loadTables(undefined, assert.fail);
const know = loadKnowledge(table).repair;
let count = 0;

/** A request for a model that nothing is known of, and the bodies that are sent of it to who answers. */
function made(
  answer: (body: Record<string, unknown>) => Response,
  tell: () => void = () => undefined,
  { endpoint = "chat_completions", fields = { store: false } as Record<string, unknown> } = {},
) {
  count += 1;
  const body = { model: `m${count}`, stream: true, messages: [], ...fields };
  const memory = new Memory(folder);
  const options = { baseUrl: BASE, table, know, memory, mode: "named" as const, tell, tidy: (text: string) => text };
  const ledger = new Ledger(options);
  const outgoing = new Outgoing(ledger, BASE);
  outgoing.sent = ledger.ready(body, { model: body.model, endpoint });
  const sent: Record<string, unknown>[] = [];
  const inner: typeof fetch = async (_input, init) => {
    sent.push(JSON.parse(String(init?.body)));
    return answer(sent.at(-1) ?? {});
  };
  return { outgoing, inner, sent, init: { method: "POST", body: JSON.stringify(body) } };
}

const refused = () => Response.json({ error: { message: "store: Extra inputs are not permitted" } }, { status: 400 });

function stream(...pieces: (string | Error)[]): Response {
  const left = [...pieces];
  const body = new ReadableStream({
    pull(controller) {
      const piece = left.shift();
      if (piece === undefined) controller.close();
      else if (piece instanceof Error) controller.error(piece);
      else controller.enqueue(new TextEncoder().encode(piece));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

test("what is refused is mended, and the answer comes as it was sent", async () => {
  const pieces = [": wait\n\n", 'data: {"choices"', ':[{"x":1}]}\n\ndata: ', "[DONE]\n\n"];
  const { outgoing, inner, sent, init } = made((body) => ("store" in body ? refused() : stream(...pieces)));
  const response = await outgoing.fetch(inner, URL_, init);
  assert.equal(await response.text(), pieces.join(""));
  assert.deepEqual(
    sent.map((body) => "store" in body),
    [true, false],
  );
});

test("an error after the head of an answer on messages is mended, and thinks adaptively from then on", async () => {
  const words = '"thinking.type.enabled" is not supported for this model.';
  const error = { type: "error", error: { type: "invalid_request_error", message: words } };
  const head = 'event: message_start\ndata: {"type":"message_start","message":{}}\n\nevent: ping\ndata: {"type":"ping"}\n\n';
  const fields = { max_tokens: 4096, thinking: { type: "enabled", budget_tokens: 1024 } };
  const { outgoing, inner, sent, init } = made(
    ({ thinking }) =>
      (thinking as { type: string }).type === "enabled"
        ? stream(head, `event: error\ndata: ${JSON.stringify(error)}\n\n`)
        : stream(head, 'data: {"type":"message_stop"}\n\n'),
    undefined,
    { endpoint: "messages", fields },
  );
  const response = await outgoing.fetch(inner, MESSAGES_URL, init);
  assert.ok((await response.text()).endsWith('{"type":"message_stop"}\n\n'));
  assert.deepEqual(
    sent.map(({ thinking }) => thinking),
    [fields.thinking, { type: "adaptive" }],
  );
});

test("what follows the first event is given on as it comes", async () => {
  let goOn = (_value?: unknown): void => undefined;
  const waits = new Promise((resolve) => {
    goOn = resolve;
  });
  const encode = (text: string) => new TextEncoder().encode(text);
  const body = new ReadableStream({
    async start(controller) {
      controller.enqueue(encode('data: {"choices":[]}\n\n'));
      await waits;
      controller.enqueue(encode("data: [DONE]\n\n"));
      controller.close();
    },
  });
  const { outgoing, inner, init } = made(
    () => new Response(body, { headers: { "content-type": "text/event-stream" } }),
  );
  const reader = (await outgoing.fetch(inner, URL_, init)).body?.getReader();
  assert.match(new TextDecoder().decode((await reader?.read())?.value), /choices/);
  goOn();
  assert.match(new TextDecoder().decode((await reader?.read())?.value), /DONE/);
});

test("an error of the wire reaches who reads, after what was read", async () => {
  const { outgoing, inner, sent, init } = made(() => stream("data: {", new Error("cut")));
  const reader = (await outgoing.fetch(inner, URL_, init)).body?.getReader();
  assert.equal(new TextDecoder().decode((await reader?.read())?.value), "data: {");
  await assert.rejects(async () => reader?.read(), /cut/);
  assert.equal(sent.length, 1);
});

test("an error in place of an answer gets an error's status", async () => {
  const { outgoing, inner, init } = made(() => Response.json({ error: { message: "no" } }));
  assert.equal((await outgoing.fetch(inner, URL_, init)).status, 400);
});

test("where a repair cannot be told, the answer goes to Pi as it is", async () => {
  const { outgoing, inner, sent, init } = made(refused, () => assert.fail("the screen is gone"));
  assert.equal((await outgoing.fetch(inner, URL_, init)).status, 400);
  assert.equal(sent.length, 1);
});

test("what goes elsewhere is not touched", async () => {
  const { outgoing, inner, sent, init } = made(refused);
  const response = await outgoing.fetch(inner, "http://127.0.0.1:9/other", init);
  assert.deepEqual([response.status, sent.length, outgoing.refusal], [400, 1, undefined]);
});

test("the global fetch is ours until the last request has come by, and for those alone", async () => {
  const before = globalThis.fetch;
  const seen: string[] = [];
  const stub: typeof fetch = async (input, init) => {
    seen.push(String(input));
    return String(init?.body ?? "").includes("store") ? refused() : stream("data: [DONE]\n\n");
  };
  globalThis.fetch = stub;
  try {
    const [one, other] = [made(refused), made(refused)];
    // As Pi's streams do: they take the global one now, and call it later.
    const later = (make: typeof one) =>
      make.outgoing.run(async () => {
        const taken = globalThis.fetch;
        await new Promise((resolve) => setTimeout(resolve, 5));
        return taken(URL_, make.init);
      });
    const asked = [later(one), later(other)];
    assert.notEqual(globalThis.fetch, stub);
    assert.equal((await globalThis.fetch("http://127.0.0.1:9/mine", { body: "store" })).status, 400);
    assert.deepEqual(
      (await Promise.all(asked)).map(({ status }) => status),
      [200, 200],
    );
    assert.equal(globalThis.fetch, stub);
    assert.equal(seen.filter((address) => address === URL_).length, 4);
  } finally {
    globalThis.fetch = before;
  }
});

test("a request that never comes by puts the global fetch back when it is over", () => {
  const before = globalThis.fetch;
  const { outgoing } = made(refused);
  assert.throws(() => outgoing.run(() => assert.fail("no stream")));
  assert.equal(globalThis.fetch, before);
  outgoing.run(() => undefined);
  assert.notEqual(globalThis.fetch, before);
  outgoing.over();
  assert.equal(globalThis.fetch, before);
});
