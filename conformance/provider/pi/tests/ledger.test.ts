/** What is remembered of answers, and what is made of it for the next request. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { loadTables } from "../layers.ts";
import { loadKnowledge } from "../gateway.ts";
import { Memory } from "../learned.ts";
import { Ledger, repairMode } from "../ledger.ts";
import type { RepairMode } from "../repair.ts";

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const table = loadTables(undefined, assert.fail);
const question = { model: "team-model", endpoint: "chat_completions" };
const body = { model: "team-model", messages: [], stream: true, store: false, seed: 1, user: "u", temperature: 1 };
const EXTRA = (name: string) => `${name}: Extra inputs are not permitted`;

function made(mode: RepairMode = "named", told: string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), "ledger-"));
  folders.push(folder);
  const again = () =>
    new Ledger({
      baseUrl: "http://127.0.0.1:4000",
      table,
      know: loadKnowledge(table).repair,
      memory: new Memory(folder),
      mode,
      tell: (line) => told.push(line),
      tidy: (text) => text.replaceAll("secret", "[key]"),
    });
  return { ledger: again(), again };
}

/** One request whose answer refuses these fields, one after the other, and then is one. */
function ask(ledger: Ledger, version: string | null, refused: readonly string[] = [], asked: object = body) {
  const sent = ledger.ready({ ...asked }, question);
  let last: Record<string, unknown> | undefined = sent.body;
  for (
    let name = refused.find((each) => last && (each in last));
    name;
    name = refused.find((each) => last && each in last)
  ) {
    last = sent.repair.nextBody(400, EXTRA(name));
    if (sent.repair.event) ledger.repaired(sent.repair.event);
  }
  if (last) ledger.answered(sent, version);
  else if (sent.repair.unfinished.size) ledger.unfinished(sent);
  return { sent: sent.body, last };
}

test("what an answer has taught is left out from then on, also by another process", () => {
  const { ledger, again } = made();
  assert.equal("store" in ask(ledger, "1", ["store"]).sent, true);
  assert.equal("store" in ask(ledger, "1", ["store"]).sent, false);
  assert.equal("store" in ask(again(), "1", ["store"]).sent, false);
});

test("nothing is learnt before an answer has come", () => {
  const { ledger, again } = made();
  const sent = ledger.ready(body, question);
  sent.repair.nextBody(400, EXTRA("store"));
  assert.equal("store" in again().ready(body, question).body, true);
});

test("another version of the gateway forgets", () => {
  const { ledger } = made();
  ask(ledger, "1", ["store"]);
  ask(ledger, "2");
  assert.equal("store" in ledger.ready(body, question).body, true);
});

test("one request in two hundred is sent as it is, and what is taken then is forgotten", () => {
  const { ledger } = made();
  ask(ledger, "1", ["store"]);
  const sent = Array.from({ length: 200 }, () => "store" in ask(ledger, "1").sent);
  assert.deepEqual([sent.indexOf(true), sent.filter(Boolean).length], [199, 1]);
  assert.equal("store" in ask(ledger, "1").sent, true);
});

test("what is refused when it is tried again stays known", () => {
  const { ledger } = made();
  ask(ledger, "1", ["store"]);
  const sent = Array.from({ length: 400 }, () => "store" in ask(ledger, "1", ["store"]).sent);
  assert.deepEqual(
    sent.flatMap((there, index) => (there ? [index] : [])),
    [199, 399],
  );
});

test("where four repairs were not enough, the next request goes on", () => {
  const { ledger } = made();
  const names = ["store", "seed", "user", "temperature", "messages_2"];
  const held = { ...body, messages_2: 1 };
  const first = ledger.ready(held, question);
  for (const name of names.slice(0, 4)) assert.ok(first.repair.nextBody(400, EXTRA(name)));
  assert.equal(first.repair.nextBody(400, EXTRA(names[4] ?? "")), undefined);
  ledger.unfinished(first);
  const next = ledger.ready(held, question);
  assert.deepEqual(
    names.filter((name) => name in next.body),
    [],
  );
  ledger.answered(next, null);
  assert.deepEqual(
    names.filter((name) => name in ledger.ready(held, question).body),
    [],
  );
});

test("of many that were learnt, one at a time is tried again, and every request is answered", () => {
  const { ledger } = made();
  const names = ["store", "seed", "user", "temperature", "top_k", "n"];
  const held = { ...body, top_k: 1, n: 1 };
  const tried = new Set<string>();
  let failed = 0;
  for (let number = 0; number < 2000; number += 1) {
    const { sent, last } = ask(ledger, "1", names, held);
    if (!last) failed += 1;
    else if (number > 1) for (const name of names) if (name in sent) tried.add(name);
  }
  assert.equal(failed, 1);
  assert.deepEqual([...tried].sort(), [...names].sort());
});

test("an answer proves nothing of what its request did not hold", () => {
  const { ledger, again } = made();
  const names = ["store", "seed", "user", "temperature", "messages_2"];
  const held = { ...body, messages_2: 1 };
  assert.equal(ask(ledger, "1", names, held).last, undefined);
  const bare = { model: body.model, messages: [], stream: true };
  ledger.answered(ledger.ready(bare, question), "1");
  assert.equal("store" in again().ready(held, question).body, true);
  ask(ledger, "1", names, { ...bare, seed: 1 });
  const known = again().ready(held, question).body;
  assert.deepEqual([...names].filter((name) => !(name in known)), ["seed"]);
});

test("what another request left to suspect ends no search", () => {
  const { ledger } = made("search");
  const search = (...names: string[]) => {
    const asked = { model: body.model, messages: [], stream: true, ...Object.fromEntries(names.map((n) => [n, 1])) };
    const sent = ledger.ready(asked, question);
    let last: Record<string, unknown> | undefined = sent.body;
    while (last && ("a" in last || "c" in last)) last = sent.repair.nextBody(400, "Bad Request");
    if (last) ledger.answered(sent, "1");
    return last !== undefined;
  };
  assert.deepEqual([search("a", "b", "d", "e"), search("c"), search("c")], [true, true, true]);
});

test("what is a month old is forgotten while a process runs, and an unnamed version is no other one", () => {
  const { ledger } = made();
  ask(ledger, "1", ["store"]);
  ask(ledger, null, ["seed"]);
  const { body: sent, kind } = ledger.ready(body, question);
  assert.deepEqual(["store" in sent, "seed" in sent], [false, false]);
  const folder = folders.at(-1) ?? "";
  const memory = new Memory(folder);
  assert.equal(memory.version(kind) ?? (memory.look(), memory.version(kind)), "1");
  const [now, past] = [Date.now, performance.now];
  try {
    Date.now = () => now() + 31 * 86_400_000;
    performance.now = () => past.call(performance) + 31 * 86_400_000;
    assert.equal(memory.known(kind).size, 0);
    assert.equal("store" in ledger.ready(body, question).body, true);
  } finally {
    Date.now = now;
    performance.now = past;
  }
});

test("a line tells who said no, without the key", () => {
  const told: string[] = [];
  const { ledger } = made("named", told);
  const sent = ledger.ready(body, question);
  sent.repair.nextBody(400, JSON.stringify({ error: { message: `${EXTRA("store")} for secret` } }));
  if (sent.repair.event) ledger.repaired(sent.repair.event);
  assert.equal(told.length, 1);
  assert.match(told[0] ?? "", /^team-model refuses store on chat_completions: mended and sent again \(.*\[key\]/);
});

test("switched off, nothing is mended, learnt or used", () => {
  const { ledger } = made("off");
  const sent = ledger.ready(body, question);
  assert.equal(sent.repair.nextBody(400, EXTRA("store")), undefined);
  ledger.answered(sent, "1");
  assert.equal("store" in ledger.ready(body, question).body, true);
});

test("the variable is read without regard to case, and what is no word of it is told", () => {
  const told: string[] = [];
  const read = (value?: string) => repairMode(value, (line) => told.push(line));
  assert.deepEqual(
    [read(), read(""), read(" Search "), read("OFF"), read("x")],
    ["named", "named", "search", "off", "named"],
  );
  assert.equal(told.length, 1);
});
