/** Answers questions on standard input as the extension would; pytest holds the answers against the provider's. */

import { readFileSync } from "node:fs";
import { capabilitiesOf, type CapabilityRules } from "../capabilities.ts";
import { catalogue } from "../catalogue.ts";
import { type CompatRules, compatOf } from "../compat.ts";
import { loadData } from "../data.ts";
import { type DialectRules, Dialects } from "../dialects.ts";
import { familyOf, servedFrom } from "../families.ts";
import { filterRequest, type Remedies } from "../filtering.ts";
import { loadTables } from "../layers.ts";
import { formatRateLimitError, parseRateLimitError, type RateLimitRules } from "../rate_limits.ts";
import { addressOf } from "../learned.ts";
import { Repair } from "../repair.ts";
import { EMPTY_TABLE, modelMatches } from "../table.ts";
import { gatewayName, targetFromEnv } from "../target.ts";
import { type RepairRules, trace } from "../tracing.ts";

const table = loadTables(process.env.LITELLM_SUPPORT_TABLE, (line) => process.stderr.write(line));
const remedies = loadData<Remedies>("remedies.json");
const capabilities = loadData<CapabilityRules>("capabilities.json");
const compat = loadData<CompatRules>("compat.json");
const limits = loadData<RateLimitRules>("rate_limits.json");
const rules = loadData<RepairRules>("repair.json");
const dialects = new Dialects(loadData<DialectRules>("dialects.json"));

// biome-ignore lint/suspicious/noExplicitAny: the questions are of many shapes
const ANSWERS: Record<string, (...given: any[]) => unknown> = {
  catalogue: (rows, groups, deployments) => catalogue(rows, groups, deployments),
  filter: (body, model, endpoint, about) => filterRequest(body, { model, endpoint, ...about }, table, remedies),
  family: (name) => familyOf(name) ?? null,
  served: (model) => servedFrom(model) ?? null,
  capabilities: (model, declared) => capabilitiesOf(model, declared, capabilities),
  compat: (model, about) => compatOf({ model, ...about }, table, compat),
  matches: (pattern, model) => modelMatches(pattern, model),
  limit: (text, headers, status) => {
    const limit = parseRateLimitError(text, limits, { headers, status: status ?? undefined });
    return limit && { limit, message: formatRateLimitError(limit, limits) };
  },
  address: (url) => addressOf(url),
  trace: (name, body) => trace(name, body, rules),
  refusal: (text) => {
    const { blames, allowed, elsewhere } = dialects.read(text);
    const told = blames.map((each) => [each.name, each.conditional, each.company, each.weak, each.values]);
    return { blames: told, allowed, elsewhere, by: dialects.spokenBy(text, {}), summary: dialects.summary(text) };
  },
  repair: (body, endpoint, mode, answers) => {
    const asked = { body, sent: body, question: { model: "m", endpoint }, table: EMPTY_TABLE, mode };
    const repair = new Repair(asked, { dialects, rules, remedies });
    const sent = answers.map(([status, text]: [number, string]) => repair.nextBody(status, text) ?? null);
    const said = { learnt: Object.fromEntries(repair.learnt), suspected: repair.suspected };
    return {
      sent,
      ...said,
      explanation: repair.explanation ?? null,
      unfinished: Object.fromEntries(repair.unfinished),
    };
  },
  target: (url) => {
    try {
      const target = targetFromEnv({ LITELLM_BASE_URL: url, LITELLM_API_KEY: "k" });
      return target ? [target.baseUrl, gatewayName(target.baseUrl)] : null;
    } catch {
      return "refused";
    }
  },
};

const questions: [string, unknown[]][] = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(questions.map(([kind, given]) => ANSWERS[kind]?.(...given) ?? null)));
