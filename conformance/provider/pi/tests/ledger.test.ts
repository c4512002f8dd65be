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
function ask(ledger: Ledger, version: string | null, ...refused: string[]) {
  const sent = ledger.ready(body, question);
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
  assert.equal("store" in ask(ledger, "1", "store").sent, true);
  assert.equal("store" in ask(ledger, "1", "store").sent, false);
  assert.equal("store" in ask(again(), "1", "store").sent, false);
});

test("nothing is learnt before an answer has come", () => {
  const { ledger, again } = made();
  const sent = ledger.ready(body, question);
  sent.repair.nextBody(400, EXTRA("store"));
  assert.equal("store" in again().ready(body, question).body, true);
});

test("another version of the gateway forgets", () => {
  const { ledger } = made();
  ask(ledger, "1", "store");
  ask(ledger, "2");
  assert.equal("store" in ledger.ready(body, question).body, true);
});

test("one request in two hundred is sent as it is, and what is taken then is forgotten", () => {
  const { ledger } = made();
  ask(ledger, "1", "store");
  const sent = Array.from({ length: 200 }, () => "store" in ask(ledger, "1").sent);
  assert.deepEqual([sent.indexOf(true), sent.filter(Boolean).length], [199, 1]);
  assert.equal("store" in ask(ledger, "1").sent, true);
});

test("what is refused when it is tried again stays known", () => {
  const { ledger } = made();
  ask(ledger, "1", "store");
  const sent = Array.from({ length: 400 }, () => "store" in ask(ledger, "1", "store").sent);
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
