/** Every line of `vectors.json`, which the Python provider's tests run too: both must agree. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { capabilitiesOf, type CapabilityRules } from "../capabilities.ts";
import { type CompatRules, compatOf } from "../compat.ts";
import { dataFile, loadData } from "../data.ts";
import { type DialectRules, Dialects } from "../dialects.ts";
import { filterRequest, type Remedies } from "../filtering.ts";
import { parseHeaders, secretsIn } from "../gateway_headers.ts";
import { formatRateLimitError, parseRateLimitError, type RateLimitRules } from "../rate_limits.ts";
import { parseTable, type SupportTable } from "../table.ts";

// biome-ignore lint/suspicious/noExplicitAny: the lines are of many shapes
type Line = any;

const json = (name: string): Line => JSON.parse(readFileSync(dataFile(name), "utf8"));
const vectors = json("vectors.json");
const tables: Record<string, SupportTable> = { shipped: parseTable(json("parameter_support.json"), "shipped") };
for (const [name, table] of Object.entries(vectors.tables)) tables[name] = parseTable(table, name);

const remedies = loadData<Remedies>("remedies.json");
const capabilities = loadData<CapabilityRules>("capabilities.json");
const compat = loadData<CompatRules>("compat.json");
const dialects = new Dialects(loadData<DialectRules>("dialects.json"));
const limits = loadData<RateLimitRules>("rate_limits.json");

/** A line's model id, long ones written as a text and how often it is repeated. */
const modelOf = (line: Line): string => String(line.model).repeat(line.model_times ?? 1);
const tableOf = (line: Line): SupportTable => tables[line.table] ?? assert.fail(`no table ${line.table}`);
const aboutOf = ({ route, gateway, gateway_version: gatewayVersion, served_by: servedBy, declared }: Line) => ({
  route,
  gateway,
  gatewayVersion,
  servedBy,
  declared,
});

const RUNS: Record<string, (line: Line) => void> = {
  statements: (line) => {
    const before = JSON.stringify(line.body);
    const asked = { model: modelOf(line), endpoint: line.endpoint, ...aboutOf(line) };
    const { body, dropped, instead } = filterRequest(line.body, asked, tableOf(line), remedies);
    assert.deepEqual({ dropped, instead, body }, { dropped: line.dropped, instead: line.instead, body: line.kept });
    assert.equal(JSON.stringify(line.body), before, "the body given was changed");
  },
  capabilities: (line) => {
    const { model: _model, model_times: _times, declared, about: _about, ...expected } = line;
    assert.deepEqual(capabilitiesOf(modelOf(line), declared ?? {}, capabilities), expected);
  },
  compat: (line) => {
    assert.deepEqual(compatOf({ model: modelOf(line), ...aboutOf(line) }, tableOf(line), compat), line.compat);
  },
  places: ({ text, place }) => {
    assert.equal(dialects.servedFromWords(text) ?? null, place);
  },
  headers: ({ text, headers, secrets, error }) => {
    if (error !== undefined) return assert.throws(() => parseHeaders(text), { message: error });
    const found = parseHeaders(text);
    assert.deepEqual([found, secretsIn(found)], [headers, secrets]);
  },
  rate_limits: (line) => {
    const given = typeof line.error === "string" ? line.error : JSON.stringify(line.error);
    const told = { headers: line.headers ?? undefined, status: line.status ?? undefined };
    const limit = parseRateLimitError(given.repeat(line.error_times ?? 1), limits, told);
    assert.deepEqual(limit, line.limit);
    if (limit) assert.equal(formatRateLimitError(limit, limits, line.model), line.message);
  },
};

for (const [section, lines] of Object.entries(vectors)) {
  if (!Array.isArray(lines)) continue;
  const run = RUNS[section] ?? (() => assert.fail(`nobody runs the lines of ${section}`));
  for (const [index, line] of lines.entries()) {
    test(`${section}[${index}]: ${line.about ?? line.model}`.slice(0, 120), () => run(line));
  }
}
