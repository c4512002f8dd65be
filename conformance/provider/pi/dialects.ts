/**
 * How vendors say no: the fields that a refusal blames, and who is speaking. The shapes are data, in `dialects.json`.
 *
 * The twin of what `conformance/provider/refusals/dialects.py` has for repairs: pure, and bounded whatever a
 * server sends.
 */

import { isObject } from "./json.ts";
import { MAX_TEXT, unwrap } from "./unwrapping.ts";

const MAX_BLAMES = 64;
const MAX_ALLOWED = 32;
/** Where an error object keeps its words. */
const MESSAGES = ["error", "detail", "msg", "message"] as const;
/** A message that refuses what it begins with, which `param` names as well. */
const REFUSED =
  /^\W?(?<name>[A-Za-z_][\w.]{0,200})\W? (?:is|are) (?:not (?:supported|permitted|allowed)|unsupported)\b/;

interface Row {
  readonly who?: string;
  readonly pattern: string;
  readonly ignore_case?: boolean;
  readonly implies?: readonly string[];
  /** What a repair looks for in place of what is implied. */
  readonly tried?: readonly string[];
  readonly conditional?: boolean;
  readonly container?: boolean;
  readonly about?: string;
  readonly by?: string;
}

/** `dialects.json`. */
export interface DialectRules {
  readonly refusals: readonly Row[];
  readonly hints: readonly Row[];
  readonly elsewhere: readonly Row[];
  readonly allowed: readonly Row[];
  readonly speakers: readonly Row[];
  readonly places: readonly Row[];
  readonly providers: Readonly<Record<string, string>>;
  readonly codes: Readonly<Record<"field" | "value" | "hints", readonly string[]>>;
}

/**
 * A field that a refusal blames, as it spells it; `company` is what it does not go with.
 *
 * What is `weak` may as well say that a value is wrong for every model: it counts where values have names.
 * `values` are those that it refuses, where it names them.
 */
export interface Blame {
  readonly name: string;
  readonly conditional: boolean;
  readonly company: string | null;
  readonly weak: boolean;
  readonly values: readonly string[];
}

/** What a refusal says: whom it blames, which values it allows instead, or what else it is about. */
export interface Refusal {
  readonly blames: readonly Blame[];
  readonly allowed: readonly string[];
  readonly elsewhere: string | null;
}

interface Pattern {
  readonly regex: RegExp;
  readonly row: Row;
}

/** The rules, compiled. */
export class Dialects {
  readonly #refusals: readonly Pattern[];
  readonly #named: readonly Pattern[];
  readonly #elsewhere: readonly Pattern[];
  readonly #allowed: readonly Pattern[];
  readonly #speakers: readonly Pattern[];
  readonly #places: readonly Pattern[];
  readonly #providers: DialectRules["providers"];
  readonly #codes: DialectRules["codes"];

  constructor(rules: DialectRules) {
    this.#refusals = rules.refusals.map(compiled);
    this.#named = [...this.#refusals, ...rules.hints.map(compiled)].filter(({ row }) => !row.container);
    this.#elsewhere = rules.elsewhere.map(compiled);
    this.#allowed = rules.allowed.map(compiled);
    this.#speakers = rules.speakers.map(compiled);
    this.#places = rules.places.map(compiled);
    this.#providers = rules.providers;
    this.#codes = rules.codes;
  }

  /** What a refusal says of the request: all that can be tried is in it, also what is too weak for a verdict. */
  read(text: string): Refusal {
    const shortened = text.slice(0, MAX_TEXT);
    const other = this.#elsewhere.find(({ regex }) => matches(regex, shortened));
    if (other) return { blames: [], allowed: [], elsewhere: other.row.about ?? "" };
    const blames = new Map<string, Blame>();
    const allowed = new Set<string>();
    for (const value of unwrap(text)) {
      if (blames.size >= MAX_BLAMES) break;
      for (const [blame, who] of isObject(value) ? this.#coded(value) : this.#worded(value)) {
        const key = JSON.stringify([blame, who]);
        if (!blames.has(key)) blames.set(key, blame);
      }
      if (isObject(value)) continue;
      for (const { regex } of this.#allowed) {
        for (const match of value.matchAll(regex)) {
          for (const word of words(match.groups?.allowed ?? "")) allowed.add(word);
        }
      }
    }
    return {
      blames: [...blames.values()].slice(0, MAX_BLAMES),
      allowed: [...allowed].slice(0, MAX_ALLOWED),
      elsewhere: null,
    };
  }

  /** What LiteLLM says in a refusal of where it asked: a route, a slash, and the model's name there if it tells it. */
  servedFromWords(text: string): string | undefined {
    const shortened = text.slice(0, MAX_TEXT);
    for (const { regex } of this.#places) {
      const told = [...shortened.matchAll(regex)][0]?.groups;
      if (!told) continue;
      const provider = (told.provider ?? "").toLowerCase();
      const route = told.route ?? (Object.hasOwn(this.#providers, provider) ? this.#providers[provider] : provider);
      if (!route) return undefined;
      return `${route}/${(told.upstream ?? "").replace(/\.+$/, "")}`;
    }
    return undefined;
  }

  /** `gateway`, `backend` or `unknown`, as far as words and headers tell: `llm_provider-*` are the upstream's own. */
  spokenBy(text: string, headers: Readonly<Record<string, string>>): string {
    if (Object.keys(headers).some((name) => name.startsWith("llm_provider-"))) return "backend";
    const shortened = text.slice(0, MAX_TEXT);
    return this.#speakers.find(({ regex }) => matches(regex, shortened))?.row.by ?? "unknown";
  }

  /** The innermost message of a refusal, on one printable line: the one that blames, if any does. */
  summary(text: string, limit = 300): string {
    const values = [...unwrap(text)];
    const texts = values.filter((value): value is string => typeof value === "string");
    const blaming = texts.filter((value) => this.#refusals.some(({ regex }) => matches(regex, value)));
    const messages = values
      .filter(isObject)
      .flatMap((value) =>
        MESSAGES.map((name) => value[name]).filter(
          (each): each is string => typeof each === "string" && each.trim() !== "",
        ),
      );
    const told = blaming.length ? blaming : messages.length ? messages : [text];
    return oneLine(told.at(-1) ?? "", limit);
  }

  *#worded(text: string): Generator<[Blame, string | undefined]> {
    for (const { regex, row } of this.#named) {
      let count = 0;
      for (const match of text.matchAll(regex)) {
        count += 1;
        if (count > MAX_BLAMES) break;
        const conditional = row.conditional ?? false;
        const company = match.groups?.with ?? null;
        const values = words(match.groups?.values ?? "");
        const names = namesIn(match.groups ?? {});
        const [first, second] = names;
        if (names.length === 2 && conditional && !company) {
          yield [{ name: second ?? "", conditional, company: first ?? null, weak: false, values: [] }, row.who];
          continue;
        }
        for (const name of names.length ? names.slice(0, MAX_BLAMES) : (row.tried ?? row.implies ?? [])) {
          yield [{ name, conditional, company, weak: false, values }, row.who];
        }
      }
    }
  }

  *#coded(error: Record<string, unknown>): Generator<[Blame, string | undefined]> {
    const { field, value, hints } = this.#codes;
    const certain = structured(error, [...field, ...value]);
    const name = certain ?? structured(error, hints);
    if (name === null) return;
    const conditional = isCoded(error, [...value, ...hints]);
    yield [{ name, conditional, company: null, weak: certain === null, values: [] }, undefined];
  }
}

function compiled(row: Row): Pattern {
  return { regex: new RegExp(row.pattern, row.ignore_case ? "giu" : "gu"), row };
}

function matches(regex: RegExp, text: string): boolean {
  // A global pattern remembers where it was, also for `matchAll`.
  const found = regex.test(text);
  regex.lastIndex = 0;
  return found;
}

function isCoded(error: Record<string, unknown>, codes: readonly string[]): boolean {
  return [error.code, error.type].some((told) => typeof told === "string" && codes.includes(told));
}

/** The offender that an error object names in fields of its own. */
function structured(error: Record<string, unknown>, codes: readonly string[]): string | null {
  const { param, message, loc } = error;
  if (!isCoded(error, codes)) {
    const refused = typeof message === "string" ? REFUSED.exec(message)?.groups?.name : undefined;
    return typeof param === "string" && refused === param ? param : null;
  }
  if (typeof param === "string") return param;
  return Array.isArray(loc) ? loc.map(String).join(".") : null;
}

function namesIn(groups: Readonly<Record<string, string | undefined>>): string[] {
  if (groups.name) return [withoutDots(groups.name)];
  if (groups.loc) return [(groups.loc.match(/[\w$-]{1,100}/g) ?? []).join(".")];
  const found = (groups.names ?? "").match(/[A-Za-z_][\w.]*/g) ?? [];
  return found.filter((name) => name !== "and" && name !== "or").map(withoutDots);
}

function words(listed: string): string[] {
  const found = listed.match(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,60}/g) ?? [];
  return found.filter((word) => word !== "and" && word !== "or").map(withoutDots);
}

function withoutDots(name: string): string {
  let end = name.length;
  while (end > 0 && name[end - 1] === ".") end -= 1;
  return name.slice(0, end);
}

/** A name in small letters with underscores, as request fields are written: `promptCacheKey`. */
export function snake(name: string): string {
  return name.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

/** What a server said, on one printable line of bounded length. */
function oneLine(text: string, limit: number): string {
  const line = text
    .slice(0, MAX_TEXT)
    .split(/[\s\x1c-\x1f\x85]+/u)
    .filter((word) => word !== "")
    .join(" ");
  const shown = [...line].slice(0, limit + 1).map((char) => (/[\p{C}\p{Zl}\p{Zp}]/u.test(char) ? "\ufffd" : char));
  return shown.length <= limit ? shown.join("") : `${shown.slice(0, limit).join("")}…`;
}
