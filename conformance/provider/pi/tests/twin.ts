/** Answers questions on standard input as the extension would; pytest holds the answers against the provider's. */

import { readFileSync } from "node:fs";
import { capabilitiesOf, type CapabilityRules } from "../capabilities.ts";
import { catalogue } from "../catalogue.ts";
import { type CompatRules, compatOf } from "../compat.ts";
import { loadData, loadTables } from "../data.ts";
import { filterRequest, type Remedies } from "../filtering.ts";
import { formatRateLimitError, parseRateLimitError, type RateLimitRules } from "../rate_limits.ts";
import { modelMatches } from "../table.ts";
import { gatewayName, targetFromEnv } from "../target.ts";

const table = loadTables(process.env.LITELLM_SUPPORT_TABLE, (line) => process.stderr.write(line));
const remedies = loadData<Remedies>("remedies.json");
const capabilities = loadData<CapabilityRules>("capabilities.json");
const compat = loadData<CompatRules>("compat.json");
const limits = loadData<RateLimitRules>("rate_limits.json");

// biome-ignore lint/suspicious/noExplicitAny: the questions are of many shapes
const ANSWERS: Record<string, (...given: any[]) => unknown> = {
  catalogue: (rows, groups, deployments) => catalogue(rows, groups, deployments),
  filter: (body, model, endpoint) => filterRequest(body, { model, endpoint }, table, remedies),
  capabilities: (model, declared) => capabilitiesOf(model, declared, capabilities),
  compat: (model) => compatOf({ model }, table, compat),
  matches: (pattern, model) => modelMatches(pattern, model),
  limit: (text, headers, status) => {
    const limit = parseRateLimitError(text, limits, { headers, status: status ?? undefined });
    return limit && { limit, message: formatRateLimitError(limit, limits) };
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
