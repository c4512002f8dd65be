/** The model lists on disk: which stay there, and which are removed. */

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fingerprint, KEPT_FOR, keep, readKept } from "../cache.ts";
import type { Target } from "../target.ts";

const targetOf = (apiKey: string): Target => ({ baseUrl: "http://a", apiKey });
const nameOf = (apiKey: string): string => `litellm-models-${fingerprint(targetOf(apiKey))}.json`;

test("lists that nobody has renewed for long are removed when one is written, and no other file", () => {
  const folder = mkdtempSync(join(tmpdir(), "cache-"));
  try {
    const ages: Record<string, number> = {
      [nameOf("sk-old")]: KEPT_FOR + 60_000,
      [nameOf("sk-young")]: KEPT_FOR - 60_000,
      "litellm-models-mine.json": KEPT_FOR + 60_000,
      "theirs.json": KEPT_FOR + 60_000,
    };
    for (const [name, age] of Object.entries(ages)) {
      writeFileSync(join(folder, name), "{}");
      const at = new Date(Date.now() - age);
      utimesSync(join(folder, name), at, at);
    }
    keep(folder, targetOf("sk-key"), { models: [{ id: "m", declared: {} }], version: undefined });
    const kept = [nameOf("sk-young"), nameOf("sk-key"), "litellm-models-mine.json", "theirs.json"];
    assert.deepEqual(readdirSync(folder).sort(), kept.sort());
    assert.equal(readKept(folder, targetOf("sk-key"))?.models[0]?.id, "m");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
