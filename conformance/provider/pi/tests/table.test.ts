/** What is no support table: it is refused as the Python provider refuses it, and Pi goes on without it. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadTables } from "../layers.ts";
import { parseTable, TableError } from "../table.ts";

const said = { supported: true, source: "s" };
const rules = [{ models: ["*"], statements: { store: said } }];
const misshapen = { schema_version: 1, sources: { s: "mine" }, rules };

test("a source that is no object is refused, in one line with its place", () => {
  const expected = new TableError("t.json: sources['s'] must be a JSON object");
  assert.throws(() => parseTable(misshapen, "t.json"), expected);
});

test("Pi goes on without a table that has one, and is told so", () => {
  const folder = mkdtempSync(join(tmpdir(), "table-"));
  try {
    const file = join(folder, "table.json");
    writeFileSync(file, JSON.stringify(misshapen));
    const told: string[] = [];
    const table = loadTables(file, (line) => told.push(line));
    assert.equal(table.own, 0);
    assert.ok(table.rules.length > 0, "the shipped table holds");
    assert.deepEqual(told, [
      `the support table ${file}: sources['s'] must be a JSON object; going on without it`,
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
