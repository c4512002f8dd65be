/** Every line of `repair_vectors.json`, which the Python provider's tests run too: both must agree. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { dataFile, loadData } from "../data.ts";
import { type DialectRules, Dialects } from "../dialects.ts";
import type { Remedies } from "../filtering.ts";
import { Repair, type RepairMode } from "../repair.ts";
import { parseTable } from "../table.ts";
import type { RepairRules } from "../tracing.ts";

// biome-ignore lint/suspicious/noExplicitAny: the lines are of many shapes
type Line = any;

const vectors: Line = JSON.parse(readFileSync(dataFile("repair_vectors.json"), "utf8"));
const nothing = parseTable({ schema_version: 1, rules: [{ models: ["*"], statements: {} }] }, "nothing");
const know = {
  dialects: new Dialects(loadData<DialectRules>("dialects.json")),
  rules: loadData<RepairRules>("repair.json"),
  remedies: loadData<Remedies>("remedies.json"),
};

function repairOf(line: Line, mode: RepairMode = "named"): Repair {
  const body = structuredClone(vectors.requests[line.endpoint]);
  return new Repair(
    { body, sent: body, question: { model: body.model, endpoint: line.endpoint }, table: nothing, mode },
    know,
  );
}

const RUNS: Record<string, (line: Line) => void> = {
  refusals: (line) => {
    const repair = repairOf(line);
    const made = repair.nextBody(line.refusal.status, line.refusal.text);
    assert.deepEqual(made ?? null, line.mended);
    assert.deepEqual(
      repair.kept.map(({ parameter }) => parameter),
      line.kept,
    );
    if (!made) return;
    assert.deepEqual(repair.event?.parameters, line.refused);
    assert.equal(repair.event?.saidBy, line.said_by);
    assert.deepEqual(Object.fromEntries(repair.learnt), line.learnt);
  },
  chains: (line) => {
    const repair = repairOf(line, line.mode);
    const sent: unknown[] = [];
    let answered = false;
    for (const { status, text } of line.answers) {
      answered = status === 200;
      const made = answered ? undefined : repair.nextBody(status, text);
      if (!made) break;
      sent.push(made);
    }
    assert.deepEqual(sent, line.sent);
    assert.deepEqual(answered ? Object.fromEntries(repair.learnt) : {}, line.learnt);
    assert.deepEqual(answered ? repair.suspected : [], line.suspected);
    assert.equal((answered ? null : repair.explanation) ?? null, line.explanation);
  },
};

for (const [section, run] of Object.entries(RUNS)) {
  for (const [index, line] of vectors[section].entries()) {
    test(`${section}[${index}]: ${line.about}`.slice(0, 120), () => run(line));
  }
}
