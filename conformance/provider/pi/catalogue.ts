/**
 * Read what a gateway lists and declares: the TypeScript twin of `conformance/provider/models/catalogue.py`.
 *
 * Hostile or broken answers are expected; whatever cannot be read is left out.
 */

import { isObject } from "./json.ts";

type Row = Readonly<Record<string, unknown>>;

/** What is declared of a model under LiteLLM's own names (`max_input_tokens`, `supports_vision` …). */
export type Declared = Readonly<Record<string, number | boolean>>;

/**
 * One model as its gateway lists it; `route` is the provider path that serves it, where that is one and known.
 *
 * `served_by` names the deployments behind it as LiteLLM names them (`azure/gpt-5.2`), or their routes (`azure/`).
 * `parameters` are the chat parameters that are declared for it, where that is known.
 */
export interface Listed {
  readonly id: string;
  readonly declared: Declared;
  readonly route?: string;
  readonly served_by?: readonly string[];
  readonly parameters?: readonly string[];
}

/** Modes that answer on the chat or responses endpoint. A model that declares no mode is kept. */
const CHAT_MODES = ["chat", "completion", "responses"];
const LIMITS = ["max_input_tokens", "max_output_tokens", "max_tokens"];
const PRICES = [
  "input_cost_per_token",
  "output_cost_per_token",
  "cache_read_input_token_cost",
  "cache_creation_input_token_cost",
];
const ABILITIES = ["supports_reasoning", "supports_vision"];

/**
 * The models that chat, in the gateway's order, each once, with all that is declared about it.
 *
 * `rows` come from `/v1/models`, `groups` from `/model_group/info`, `deployments` from `/model/info`.
 */
export function catalogue(rows: readonly Row[], groups: readonly Row[], deployments: readonly Row[]): Listed[] {
  const grouped = new Map(groups.map((row) => [row.model_group, row]));
  const found: Listed[] = [];
  const seen = new Set<unknown>();
  for (const row of rows) {
    const id = row.id;
    if (seen.has(id)) continue; // if an id is listed twice, the first row counts
    seen.add(id);
    if (!isModelId(id)) continue;
    const group = grouped.get(id) ?? {};
    const behind = deployments.filter((each) => each.model_name === id);
    const infos = behind.map((each) => each.model_info).filter(isObject);
    const mode = [row, ...infos, group].map((each) => each.mode).find(isText);
    if (mode !== undefined && !CHAT_MODES.includes(mode)) continue;
    const providers = Array.isArray(group.providers) ? group.providers.filter(isText) : [];
    const served = servedBy(providers, behind);
    const route = routeOf(providers, served);
    const declared = { ...together([row]), ...withoutDoubt(together([group])), ...together(infos) };
    found.push({
      id,
      declared,
      ...(route ? { route } : {}),
      ...(served.length ? { served_by: served } : {}),
      ...parametersOf(group, behind, served),
    });
  }
  return found;
}

/** Whether this can be a model's name; `*` stands for many models, and can be asked by nobody. */
function isModelId(id: unknown): id is string {
  return typeof id === "string" && id.length > 0 && id.length <= 512 && !/[*\p{C}\p{Zl}\p{Zp}]/u.test(id);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** What the deployments run, sorted; if none tells it, the group's providers, as `azure/`. */
function servedBy(providers: readonly string[], deployments: readonly Row[]): string[] {
  const served = deployments.map((each) => (isObject(each.litellm_params) ? each.litellm_params.model : undefined));
  const named = served.filter(isText);
  return [...new Set(named.length ? named : providers.map((each) => `${each}/`))].sort();
}

/**
 * The chat parameters that LiteLLM declares for what is behind an id; none where they tell nothing.
 *
 * It declares of a group what it declares of one deployment, so they are nobody's if those differ. An empty list says that
 * it does not know. With a `base_model` it declares by that one, and decides by the other in some releases. And an operator
 * can have it let through more than it declares.
 */
function parametersOf(group: Row, behind: readonly Row[], served: readonly string[]): { parameters?: string[] } {
  const claimed = textsIn(group.supported_openai_params);
  if (!claimed.length || served.length !== 1 || served[0]?.endsWith("/")) return {};
  const rows = behind.flatMap((each) => [each.litellm_params, each.model_info]).filter(isObject);
  if (rows.some((row) => SET_BY_OPERATORS.some((name) => isSet(row[name])))) return {};
  return { parameters: [...new Set(claimed)].sort() };
}

/** What makes LiteLLM decide otherwise than it declares. */
const SET_BY_OPERATORS = ["base_model", "allowed_openai_params"];

function isSet(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter(isText) : [];
}

function routeOf(providers: readonly string[], served: readonly string[]): string | undefined {
  const named = served.filter((each) => each.indexOf("/") > 0).map((each) => each.slice(0, each.indexOf("/")));
  const routes = new Set(named.length ? named : providers);
  return routes.size === 1 ? [...routes][0] : undefined;
}

/** What all of these rows declare together: the smallest limit, the highest price, what each one can. */
function together(rows: readonly Row[]): Declared {
  const facts: Record<string, number | boolean> = {};
  for (const name of LIMITS) {
    const limits = numbers(rows, name).filter((each) => each >= 1);
    if (limits.length) facts[name] = Math.trunc(Math.min(...limits));
  }
  for (const name of PRICES) {
    const prices = numbers(rows, name);
    if (prices.length) facts[name] = Math.max(...prices);
  }
  for (const name of ABILITIES) {
    const said = rows.map((row) => row[name]).filter((each) => typeof each === "boolean");
    if (said.length) facts[name] = said.every(Boolean);
  }
  return facts;
}

/** LiteLLM's group rows say false also of what it does not know. */
function withoutDoubt(facts: Declared): Declared {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== false));
}

function numbers(rows: readonly Row[], name: string): number[] {
  return rows.map((row) => numberOf(row[name])).filter((each) => each !== undefined);
}

/** A finite number that is not negative, also where it is written as a text; undefined for all else. */
export function numberOf(value: unknown): number | undefined {
  const given = typeof value === "number" || (typeof value === "string" && value.trim());
  const number = given ? Number(value) : Number.NaN;
  return Number.isFinite(number) && number >= 0 && number < 1e12 ? number : undefined;
}
