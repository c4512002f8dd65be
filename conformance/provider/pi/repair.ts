/**
 * Mend a request that was refused: from what was sent and what was answered to what to send instead.
 *
 * The twin of `conformance/provider/repair`: pure. A refusal is read, what it names is traced to the request,
 * and what can be done about it is what the filter does for a parameter that a table refuses. What would make it
 * another request is kept, and explained.
 */

import type { Blame, Dialects } from "./dialects.ts";
import {
  EACH,
  type Filtered,
  filterRequest,
  placesNamed,
  remedyOf,
  type Remedies,
  type Remedy,
  spelled,
  stepsOf,
} from "./filtering.ts";
import { isObject } from "./json.ts";
import { pathOf, type Question, type Said, type SupportTable } from "./table.ts";
import { isWithin, type KeptRow, type Place, placeText, type RepairRules, trace, valuesAt } from "./tracing.ts";

type Body = Readonly<Record<string, unknown>>;

/** What is mended: refusals that name something, also those that name nothing, or none. */
export type RepairMode = "named" | "search" | "off";

/** What a repair reads. */
export interface RepairKnowledge {
  readonly dialects: Dialects;
  readonly rules: RepairRules;
  readonly remedies: Remedies;
}

/** A request was mended and is sent once more; `parameters` were refused, as a table names them. */
export interface RepairEvent {
  readonly model: string;
  readonly endpoint: string;
  readonly parameters: readonly string[];
  readonly instead: Readonly<Record<string, string>>;
  readonly saidBy: string;
  readonly words: string;
  readonly attempt: number;
}

/** What was refused and is sent all the same: why, and what the user can do. */
export interface Kept {
  readonly parameter: string;
  readonly reason: string;
  readonly advice: string;
}

/** What a request needs to be mended. */
export interface Asked {
  /** The caller's request. */
  readonly body: Body;
  /** What went out of it first. */
  readonly sent: Body;
  readonly question: Omit<Question, "mode">;
  readonly table: SupportTable;
  readonly mode?: RepairMode;
  /** What a search before this one suspects. */
  readonly suspects?: readonly string[];
  /** What a request before this one learnt, whose number of repairs ended it. */
  readonly begun?: Said;
  /** Takes secrets out of a gateway's words. */
  readonly tidy?: (text: string) => string;
}

/** Characters of a gateway's words that are told. */
const MAX_WORDS = 200;

/** One line for the user. */
export function lineOf(event: RepairEvent): string {
  const done = event.parameters.map((name) => {
    const put = Object.hasOwn(event.instead, name) ? event.instead[name] : undefined;
    return put === undefined ? name : `${name} (sent ${put} instead)`;
  });
  const who = event.saidBy === "unknown" ? "" : ` by its ${event.saidBy}`;
  return `${event.model} refuses ${done.join(", ")} on ${event.endpoint}${who}: mended and sent again (${event.words})`;
}

/** One request, from its first refusal to the answer or the end of what can be tried. */
export class Repair {
  event: RepairEvent | undefined;
  kept: Kept[] = [];
  searched: readonly string[] = [];
  saidBy = "unknown";
  /** What the next request of the kind can go on with, where only the number of repairs ended this one. */
  unfinished: Said = new Map();
  readonly #asked: Asked;
  readonly #know: RepairKnowledge;
  readonly #refused: Map<string, boolean>;
  readonly #private = new Set<string>();
  readonly #bodies = new Set<string>();
  #sent: Body;
  #plans: (readonly string[])[] | undefined;
  /** What is searched after the suspects. */
  #beyond: readonly string[] = [];
  #attempts = 0;

  constructor(asked: Asked, know: RepairKnowledge) {
    this.#asked = asked;
    this.#know = know;
    this.#sent = asked.sent;
    this.#refused = new Map(asked.begun);
  }

  /** What to send instead after this refusal; undefined where nothing can be mended, or enough was tried. */
  nextBody(
    status: number,
    text: string,
    headers: Readonly<Record<string, string>> = {},
  ): Record<string, unknown> | undefined {
    const { dialects, rules } = this.#know;
    const { mode = "named", question, tidy } = this.#asked;
    this.#bodies.add(canonical(this.#sent));
    this.event = undefined;
    if (mode === "off" || rules.statuses_elsewhere.includes(status)) return undefined;
    const refusal = dialects.read(text);
    if (refusal.elsewhere !== null) return undefined;
    const found = this.#statements(refusal.blames, refusal.allowed);
    if (this.kept.length) return undefined;
    if (this.#attempts >= rules.limits[mode === "search" ? "searches" : "repairs"]) {
      this.unfinished = found.size ? new Map([...this.said, ...found]) : new Map();
      return undefined;
    }
    const searching = !refusal.blames.length && mode === "search" && rules.statuses_searched.includes(status);
    for (const [name, can] of found) this.#refused.set(name, can);
    let made = this.#filtered();
    while (this.#bodies.has(canonical(made.body))) {
      if (!searching || !this.#step()) return undefined;
      made = this.#filtered();
    }
    this.#attempts += 1;
    this.#sent = made.body;
    const parameters = searching ? this.searched : [...found].filter(([, can]) => !can).map(([name]) => name);
    this.saidBy = dialects.spokenBy(text, headers);
    this.event = {
      model: question.model,
      endpoint: question.endpoint,
      parameters,
      instead: Object.fromEntries(Object.entries(made.instead).filter(([name]) => parameters.includes(name))),
      saidBy: this.saidBy,
      words: dialects.summary(tidy ? tidy(text) : text, MAX_WORDS),
      attempt: this.#attempts,
    };
    return made.body;
  }

  /** What the answer that has come at last teaches: parameters, and whether each can be sent. */
  get learnt(): Said {
    const said = this.suspected.length ? this.#refused : this.said;
    return new Map([...said].filter(([name]) => !this.#private.has(name)));
  }

  /** Of what a search left out, what may be left out in vain: the next request begins with half of it. */
  get suspected(): readonly string[] {
    return this.searched.length > 1 && this.#plans?.length ? this.searched : [];
  }

  /** All that the refusals have said by now. */
  get said(): Said {
    return new Map([...this.#refused, ...this.searched.map((name): [string, boolean] => [name, false])]);
  }

  /** Why the refusal that remains could not be mended, what was tried, and what the user can do. */
  get explanation(): string | undefined {
    const lines = this.kept.map(
      ({ parameter, reason, advice }) => `${parameter} was refused, but is not left out, because ${reason}: ${advice}`,
    );
    const tried = [...this.said].filter(([, can]) => !can).map(([name]) => name);
    if (tried.length && this.#attempts) lines.push(`leaving these out did not help: ${tried.slice(0, 10).join(", ")}`);
    if (!lines.length) return undefined;
    if (this.unfinished.size) {
      lines.push("this is enough for one request: send it again, and the repairs continue from here");
    } else if (!this.kept.length) lines.push("leave out what the error names, or use another model");
    return [...new Set(lines)].join("; ");
  }

  /** The caller's request without what is known to be refused by now. */
  #filtered(): Filtered {
    const { body, question, table } = this.#asked;
    return filterRequest({ ...body }, question, table.under(this.said), this.#know.remedies);
  }

  /** What to say of the parameters that are blamed, as a table would: name, and whether it can be sent. */
  #statements(blames: readonly Blame[], allowed: readonly string[]): Map<string, boolean> {
    const { remedies, rules } = this.#know;
    const step = new RegExp(`^(?:${rules.step})$`);
    const traced = blames.flatMap((blame) =>
      trace(blame.name, this.#sent, rules).map((place): [Blame, Place] => [blame, place]),
    );
    const found = new Map<string, boolean>();
    this.kept = [];
    for (const [blame, place] of traced) {
      // Where the refusal names something inside it, too, that is what it means.
      if (traced.some(([, other]) => other.length > place.length && isWithin(other, place))) continue;
      if (!place.every((each) => each === EACH || step.test(each))) continue;
      const stated = rules.stands_for[this.#asked.question.endpoint]?.[placeText(place)] ?? [];
      for (const name of stated) found.set(name, false);
      if (stated.length) continue;
      const values = valuesAt(this.#sent, place, rules);
      const why = this.#whyKept(place, values);
      if (why) {
        if (!this.kept.some((each) => canonical(each) === canonical(why))) this.kept.push(why);
        continue;
      }
      const said = this.#said(blame, place, values, allowed);
      const isInside = place.length > 1 && rules.free_form.includes(place[0] ?? "");
      const isPrivate = isInside && !remedyOf(placeText(place), remedies);
      for (const [name, can] of said) {
        if (isPrivate) this.#private.add(name);
        found.set(name, can);
      }
    }
    // What is said of the whole field holds for its values, too.
    const isCovered = (name: string, can: boolean) => !can && name.includes(":") && found.get(pathOf(name)) === false;
    return new Map([...found].filter(([name, can]) => !isCovered(name, can)));
  }

  /** Why a place is not touched, or undefined: it, or something inside it, is what makes the request. */
  #whyKept(place: Place, values: readonly unknown[]): Kept | undefined {
    const { rules } = this.#know;
    for (const row of rules.kept) {
      const at = stepsOf(row.at);
      if (!isWithin(at, place) || row.endpoints?.includes(this.#asked.question.endpoint) === false) continue;
      const inside = at.length === place.length ? values : valuesAt(this.#sent, at, rules);
      if (!isHeld(row, inside) || inside.some((each) => row.mends?.some((mends) => mends === each))) continue;
      return { parameter: placeText(place), reason: row.reason, advice: row.advice };
    }
    return undefined;
  }

  #said(blame: Blame, place: Place, values: readonly unknown[], allowed: readonly string[]): Map<string, boolean> {
    const { rules, remedies } = this.#know;
    const name = this.#nameOf(place);
    const remedy: Remedy = remedyOf(name, remedies) ?? { action: "drop" };
    const pattern = new RegExp(`^(?:${rules.value})$`);
    // Where values are taken out of a list, they are the list's.
    const items = remedy.action === "take_out" ? values.flat() : values;
    const spellings = items.map(spelled).filter((each) => pattern.test(each));
    const sent = blame.values.length ? spellings.filter((each) => blame.values.includes(each)) : spellings;
    if (blame.values.length && !sent.length) return new Map();
    const isEnumerated = rules.enumerated.includes(name);
    if (blame.weak && remedy.action !== "replace" && !isEnumerated) return new Map();
    if (remedy.action === "replace") return replaced(name, remedy, blame, sent, allowed);
    if (remedy.action === "rename") return refusing([name]);
    if (blame.company !== null && place.length === 1) {
      const others = [...new Set(trace(blame.company, this.#sent, rules).map(([head = ""]) => head))];
      const company = others.filter((other) => other !== name);
      const known = company.map((other) => `${name}+${other}`).filter((each) => remedyOf(each, remedies));
      if (company.length) return refusing((known.length ? known : company.map((other) => `${other}+${name}`)).sort());
    }
    const ofValue = rules.kept.some((row) => row.unless && row.at === placeText(place));
    if (sent.length && isEnumerated && (ofValue || blame.conditional)) {
      return refusing(sent.filter((each) => !allowed.includes(each)).map((each) => `${name}:${each}`));
    }
    const said = refusing([name]);
    const spared = values.length ? allowed.filter((each) => !sent.includes(each)) : [];
    if (blame.conditional && spared.length <= 1) for (const each of spared) said.set(`${name}:${each}`, true);
    return said;
  }

  /** Go on to the next part of what can be left out; false where nothing is left to try. */
  #step(): boolean {
    if (!this.#plans) {
      const everything = this.#candidates();
      const held = (this.#asked.suspects ?? []).filter((each) => everything.includes(each));
      this.#plans = partsOf(held.length ? held : everything);
      this.#beyond = held.length ? everything : [];
    }
    if (!this.#plans.length) {
      // It was none of the suspects.
      this.#plans = partsOf(this.#beyond);
      this.#beyond = [];
    }
    const next = this.#plans.shift();
    if (next) this.searched = next;
    return next !== undefined;
  }

  /** Every field that can be left out of this request. */
  #candidates(): string[] {
    const { rules } = this.#know;
    const step = new RegExp(`^(?:${rules.step})$`);
    return Object.keys(this.#sent)
      .filter((name) => step.test(name) && !rules.containers.slice(0, 3).includes(name))
      .filter((name) => !this.#whyKept([name], valuesAt(this.#sent, [name], rules)))
      .map((name) => this.#nameOf([name]));
  }

  /** How a table names the parameter at a place. */
  #nameOf(place: Place): string {
    const text = placeText(place);
    const { endpoint } = this.#asked.question;
    const rows = Object.entries(this.#know.remedies.remedies);
    const known = rows.find(([name, remedy]) => placesNamed(remedy, endpoint).includes(text) && !name.includes("+"));
    return known ? known[0] : text;
  }
}

/** What is left out in turn: the first half, the second one, all. */
function partsOf(held: readonly string[]): (readonly string[])[] {
  const half = Math.ceil(held.length / 2);
  const parts = held.length > 1 ? [held.slice(0, half), held.slice(half), held] : [held];
  return parts.filter((part) => part.length);
}

function isHeld({ unless = [] }: KeptRow, inside: readonly unknown[]): boolean {
  return inside.length > 0 && (!unless.length || inside.some((each) => ![...unless, "null"].includes(spelled(each))));
}

/** What is said of a field whose values have others in their place. */
function replaced(
  name: string,
  { values = {}, otherwise }: Remedy,
  { conditional }: Blame,
  sent: readonly string[],
  allowed: readonly string[],
): Map<string, boolean> {
  const drops = otherwise === "drop";
  if (drops && !conditional) return refusing([name]);
  const levels = Object.keys(values);
  const refused = sent.filter((each) => Object.hasOwn(values, each) && !allowed.includes(each));
  if (drops && allowed.some((each) => Object.hasOwn(values, each))) {
    refused.push(...levels.filter((each) => !allowed.includes(each) && !refused.includes(each)));
  }
  return refusing(refused.length || !drops ? refused.map((each) => `${name}:${each}`) : [name]);
}

function refusing(names: readonly string[]): Map<string, boolean> {
  return new Map(names.map((name) => [name, false]));
}

/** One text for each body, whatever the order of its fields. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    isObject(each) ? Object.fromEntries(Object.entries(each).sort(([one], [other]) => (one < other ? -1 : 1))) : each,
  );
}
