/**
 * The parameter-support table: the TypeScript twin of `conformance/provider/table`.
 *
 * An ordered list of rules; the first that matches and has a statement for the parameter decides. A
 * selector never matches what the caller does not know, unless it names just that (`unknown`), and the last
 * rule matches every model.
 */

import { DECLARED, declaration, UNDECLARED } from "./declaration.ts";
import { familyOf, servedFrom, UNKNOWN } from "./families.ts";
import { isObject } from "./json.ts";

export const SCHEMA_VERSION = 1;

/** Whether a parameter can be sent, and whether somebody measured that of the model or its like. */
export interface Statement {
  readonly supported: boolean;
  readonly measured: boolean;
}

/** Statements, and the requests they speak for. An empty selector matches everything. */
export interface Rule {
  readonly models: readonly string[];
  readonly endpoints: readonly string[];
  readonly modes: readonly string[];
  readonly routes: readonly string[];
  readonly upstreams: readonly string[];
  readonly families: readonly string[];
  readonly family_versions: readonly string[];
  readonly gateways: readonly string[];
  readonly gateway_versions: readonly string[];
  readonly declared: readonly string[];
  readonly statements: ReadonlyMap<string, Statement>;
}

/**
 * What a caller knows about the request it is about to send.
 *
 * `servedBy` names the deployments behind the model as LiteLLM names them (`azure/gpt-5.2`): each has to take what
 * is sent. `upstream` is the model's name on its route; without one its family is read from `model`. `declared` are the
 * chat parameters that the gateway declares for the model.
 */
export interface Question {
  readonly model: string;
  readonly endpoint: string;
  readonly mode?: string;
  readonly route?: string;
  readonly gateway?: string;
  readonly gatewayVersion?: string;
  readonly servedBy?: readonly string[];
  readonly upstream?: string;
  readonly declared?: readonly string[] | undefined;
}

/** The table does not have the shape of one; the message is one line for the user. */
export class TableError extends Error {}

const SELECTORS = [
  "models",
  "endpoints",
  "modes",
  "routes",
  "upstreams",
  "families",
  "family_versions",
  "gateways",
  "gateway_versions",
  "declared",
] as const;

export class SupportTable {
  readonly rules: readonly Rule[];
  /** How many of the first rules are the user's, over which nothing stands that is learnt. */
  readonly own: number;

  constructor(rules: readonly Rule[], own = 0) {
    this.rules = rules;
    this.own = own;
  }

  /** The same with what refusals have taught about one kind of requests: under the user's rules, over the rest. */
  withLearnt(said: Said): SupportTable {
    return new SupportTable([...this.rules.slice(0, this.own), ruleOf(said), ...this.rules.slice(this.own)], this.own);
  }

  /** The same under what the refusals of one request have said, which holds before all else. */
  under(said: Said): SupportTable {
    return new SupportTable([ruleOf(said), ...this.rules]);
  }

  /** The rules that speak for this request, most specific first. */
  matching(question: Question): Rule[] {
    const fitting = this.rules.filter((rule) => matches(rule, question));
    return fitting.map((rule) => about(rule, question)).filter((rule) => rule.statements.size > 0);
  }

  /**
   * The statement that decides, or undefined where no rule knows the parameter (send it).
   *
   * Of several deployments behind one name, what one of them refuses is refused.
   */
  lookup(question: Question, parameter: string): Statement | undefined {
    const found = ofEach(question).map((each) => this.#lookup(each, parameter));
    return found.find((each) => each?.supported === false) ?? (found.includes(undefined) ? undefined : found[0]);
  }

  #lookup(question: Question, parameter: string): Statement | undefined {
    const names = namesOf(parameter);
    for (const rule of this.matching(question)) {
      for (const name of names) {
        const statement = rule.statements.get(name);
        if (statement) return statement;
      }
    }
    return undefined;
  }
}

/** The same question of each deployment behind the model; of the model as such where none is known. */
export function ofEach(question: Question): Question[] {
  const { servedBy = [], ...asked } = question;
  const found = [...new Set(servedBy)].map(servedFrom).filter((each) => each !== undefined);
  if (!found.length) return [asked];
  return found.map(({ route, upstream }) => ({ ...asked, route, ...(upstream ? { upstream } : {}) }));
}

/** A table that knows nothing: everything is sent. */
export const EMPTY_TABLE = new SupportTable([]);

/** Parameters, and whether each can be sent. */
export type Said = ReadonlyMap<string, boolean>;

function ruleOf(said: Said): Rule {
  const statements = [...said].map(([name, supported]): [string, Statement] => [name, { supported, measured: false }]);
  const place = { routes: [], upstreams: [], families: [], family_versions: [] };
  const anything = { endpoints: [], modes: [], ...place, gateways: [], gateway_versions: [], declared: [] };
  return { models: ["*"], ...anything, statements: new Map(statements) };
}

/** The names under which statements about a parameter may stand: `store:true`, then `store`. */
export function namesOf(parameter: string): string[] {
  const path = pathOf(parameter);
  return path === parameter ? [parameter] : [parameter, path];
}

/** The path in `path:value`. */
export function pathOf(parameter: string): string {
  const colon = parameter.indexOf(":");
  return colon < 0 ? parameter : parameter.slice(0, colon);
}

/** The value in `path:value`; undefined where none is named. */
export function valueOf(parameter: string): string | undefined {
  const colon = parameter.indexOf(":");
  return colon < 0 ? undefined : parameter.slice(colon + 1);
}

/** Match a model id against a pattern in which `*` stands for any run of characters. */
export function modelMatches(pattern: string, model: string): boolean {
  const [head = "", ...rest] = pattern.split("*");
  const tail = rest.pop();
  if (tail === undefined) return pattern === model;
  if (model.length < head.length + tail.length || !model.startsWith(head) || !model.endsWith(tail)) return false;
  let at = head.length;
  for (const piece of rest) {
    const found = model.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= model.length - tail.length;
}

function matches(rule: Rule, question: Question): boolean {
  return (
    allows(rule.endpoints, question.endpoint) &&
    allows(rule.modes, question.mode) &&
    allows(rule.routes, question.route ?? UNKNOWN) &&
    allows(rule.upstreams, question.upstream) &&
    (!rule.families.length || hasFamily(rule, question)) &&
    allows(rule.gateways, question.gateway) &&
    (!rule.gateway_versions.length || versionFits(question.gatewayVersion, rule.gateway_versions)) &&
    rule.models.some((pattern) => modelMatches(pattern, question.model))
  );
}

/** A rule with what it says where a gateway declares what it does. */
function about(rule: Rule, { declared, endpoint }: Question): Rule {
  if (!rule.declared.length) return rule;
  const fits = ([name]: [string, Statement]): boolean => rule.declared.includes(declaration(declared, endpoint, name));
  return { ...rule, statements: new Map([...rule.statements].filter(fits)) };
}

function hasFamily(rule: Rule, question: Question): boolean {
  const family = familyOf(question.upstream || question.model);
  if (!family || !rule.families.includes(family.name)) return false;
  return fits(withoutZeros([...family.version]), rule.family_versions);
}

function allows(selector: readonly string[], value: string | undefined): boolean {
  return !selector.length || (value !== undefined && selector.includes(value));
}

/** The kinds of sources that stand for a measurement. */
const MEASURED: readonly unknown[] = ["measured", "atlas"];

/** What a gateway may say of a parameter. */
const STATES: readonly string[] = [DECLARED, UNDECLARED, UNKNOWN];

const BOUND = /^(>=|<=|>|<|==)\s*(\d{1,9}(?:\.\d{1,9})*)$/;

function versionFits(version: string | undefined, bounds: readonly string[]): boolean {
  return version !== undefined && fits(release(version), bounds);
}

const CHECKS: Readonly<Record<string, (order: number) => boolean>> = {
  ">=": (order) => order >= 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  "<": (order) => order < 0,
  "==": (order) => order === 0,
};

function fits(have: readonly number[], bounds: readonly string[]): boolean {
  return bounds.every((bound) => {
    const [, operator = "==", wanted = ""] = BOUND.exec(bound) ?? [];
    return CHECKS[operator]?.(compare(have, release(wanted))) ?? false;
  });
}

function release(version: string): number[] {
  const found = /^\d{1,9}(?!\d)(?:\.\d{1,9}(?!\d))*/.exec(version);
  return withoutZeros(found ? found[0].split(".").map(Number) : []);
}

function withoutZeros(numbers: number[]): number[] {
  while (numbers.length && numbers[numbers.length - 1] === 0) numbers.pop(); // 1.80.0 and 1.80 are one release
  return numbers;
}

function compare(left: readonly number[], right: readonly number[]): number {
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const order = (left[at] ?? -1) - (right[at] ?? -1);
    if (order) return order;
  }
  return 0;
}

/**
 * Build a table from decoded JSON; `where` names it in errors.
 *
 * @throws TableError for what does not have a table's shape, or was written by a newer version.
 */
export function parseTable(data: unknown, where: string): SupportTable {
  if (!isObject(data)) throw new TableError(`${where} is not a support table: it must be a JSON object`);
  const version = data.schema_version;
  if (typeof version === "number" && version > SCHEMA_VERSION) {
    throw new TableError(`${where} has schema_version ${version}, newer than ${SCHEMA_VERSION}; update this package`);
  }
  if (version !== SCHEMA_VERSION) {
    throw new TableError(`${where} has no valid schema_version (expected ${SCHEMA_VERSION})`);
  }
  const sources = "sources" in data ? data.sources : {};
  if (!isObject(sources)) throw new TableError(`${where}: sources must be a JSON object`);
  for (const [name, source] of Object.entries(sources)) {
    if (!isObject(source)) throw new TableError(`${where}: sources['${name}'] must be a JSON object`);
  }
  if (!Array.isArray(data.rules)) throw new TableError(`${where}: rules must be a JSON array`);
  const rules = data.rules.map((row: unknown, index) => parseRule(row, sources, `${where}: rules[${index}]`));
  const last = rules.at(-1);
  const isDefault = last?.models.join() === "*" && SELECTORS.slice(1).every((name) => !last[name].length);
  if (!isDefault) {
    throw new TableError(`${where}: the last rule must be the default, with models ["*"] and no other selector`);
  }
  return new SupportTable(rules);
}

function parseRule(row: unknown, sources: Readonly<Record<string, unknown>>, where: string): Rule {
  if (!isObject(row)) throw new TableError(`${where} must be a JSON object`);
  const known: string[] = [...SELECTORS, "statements", "cassettes"];
  const unknown = Object.keys(row).filter((name) => !known.includes(name)).sort()[0];
  if (unknown !== undefined) throw new TableError(`${where} has an unknown key '${unknown}'`);
  const strings = (name: (typeof SELECTORS)[number]): string[] => {
    const value = name in row ? row[name] : [];
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
      throw new TableError(`${where}.${name} must be a JSON array of strings`);
    }
    return value;
  };
  if (!strings("models").length) throw new TableError(`${where} names no models`);
  for (const name of ["family_versions", "gateway_versions"] as const) {
    for (const bound of strings(name)) {
      if (BOUND.test(bound)) continue;
      throw new TableError(`${where}.${name}: '${bound}' is no bound such as '>=1.80' or '<1.100'`);
    }
  }
  for (const state of strings("declared")) {
    if (STATES.includes(state)) continue;
    throw new TableError(`${where}.declared: '${state}' is none of ${STATES.join(", ")}`);
  }
  if (!isObject(row.statements)) throw new TableError(`${where}.statements must be a JSON object`);
  const statements = Object.entries(row.statements).map(([name, value]): [string, Statement] => {
    if (!isObject(value) || typeof value.supported !== "boolean" || typeof value.source !== "string") {
      throw new TableError(`${where}.statements['${name}'] needs 'supported' (true or false) and 'source' (a name)`);
    }
    return [name, { supported: value.supported, measured: isMeasured(sources[value.source]) }];
  });
  return {
    models: strings("models"),
    endpoints: strings("endpoints"),
    modes: strings("modes"),
    routes: strings("routes"),
    upstreams: strings("upstreams"),
    families: strings("families"),
    family_versions: strings("family_versions"),
    gateways: strings("gateways"),
    gateway_versions: strings("gateway_versions"),
    declared: strings("declared"),
    statements: new Map(statements),
  };
}

/** Whether a source stands for a measurement of models; what a gateway does not declare tells of no model. */
function isMeasured(source: unknown): boolean {
  return isObject(source) && MEASURED.includes(source.kind) && source.how !== "undeclared";
}
