/**
 * Leave out of a request exactly what its model rejects: the twin of `conformance/provider/filter`.
 *
 * Where a parameter lies in a body, and what can be done about it where it is refused, is data, in
 * `remedies.json`. Pure: the body given is never changed.
 */

import { isObject } from "./json.ts";
import { ofEach, pathOf, type Question, type SupportTable, valueOf } from "./table.ts";

type Body = Record<string, unknown>;
type Mend = (value: unknown) => unknown;

/** What is refused -> what stands in its place now, where anything does. */
type Changes = Map<string, string | null>;

/** A request body that is safe to send, what was left out of it, and what stands in its place. */
export interface Filtered {
  readonly body: Body;
  readonly dropped: readonly string[];
  readonly instead: Readonly<Record<string, string>>;
}

/** A row of `remedies.json`. */
export interface Remedy {
  readonly action: "drop" | "take_out" | "replace" | "rename" | "keep";
  readonly at?: Readonly<Record<string, string | readonly string[]>>;
  /** The endpoints where it is kept all the same, and why. */
  readonly kept?: Readonly<Record<string, string>>;
  /** Of the values of a list, those that may go, where not all may. */
  readonly only?: readonly string[];
  /** What an object on the way is nothing without. */
  readonly vital?: string;
  /** What an object of a type does not have. */
  readonly without?: Readonly<Record<string, readonly string[]>>;
  readonly values?: Readonly<Record<string, readonly string[]>>;
  readonly otherwise?: string;
  readonly spelled?: Readonly<Record<string, string>>;
  readonly to?: Readonly<Record<string, string>>;
}

/** `remedies.json`. */
export interface Remedies {
  readonly remedies: Readonly<Record<string, Remedy>>;
  readonly needs: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** What a table says of a parameter: of some values, and of all others (undefined: nothing). */
class Support {
  readonly values = new Map<string, boolean>();
  others: boolean | undefined;

  refuses(value: string): boolean {
    return (this.values.get(value) ?? this.others) === false;
  }

  get isRefusal(): boolean {
    return this.others === false || [...this.values.values()].includes(false);
  }
}

/** A parameter that is refused, at least in part, one place where it lies, and what to do about it. */
interface Step {
  readonly name: string;
  readonly together: readonly string[];
  readonly at: readonly string[];
  readonly support: Support;
  readonly action: Remedy["action"];
  readonly remedy: Remedy;
}

/** What a list step is written as, at the end of a name: `tools[].strict`. */
export const EACH = "[]";
const GONE = Symbol("left out");

/** Leave out, or mend, what the table says is rejected. The mode is read from `body.stream`. */
export function filterRequest(
  body: Body,
  asked: Omit<Question, "mode">,
  table: SupportTable,
  remedies: Remedies,
): Filtered {
  const question = { ...asked, mode: body.stream === true ? "stream" : "whole" };
  const supports = supportsOf(table, question);
  const changes: Changes = new Map();
  let kept: Body = { ...body };
  for (const step of stepsFor(supports, remedies, asked.endpoint)) {
    if (!Object.hasOwn(kept, step.at[0] ?? "") || !step.together.every((name) => Object.hasOwn(kept, name))) continue;
    kept = ACTIONS[step.action](kept, step, changes, { supports, endpoint: asked.endpoint });
  }
  if (changes.size) kept = withoutDependents(kept, changes, remedies, asked.endpoint);
  const instead: Record<string, string> = {};
  for (const [name, put] of changes) if (put !== null) instead[name] = put;
  return { body: kept, dropped: [...changes.keys()], instead };
}

/** A value as parameter ids spell it; an object by its `type`, a list as `empty` or `list`. */
export function spelled(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return spelledNumber(value);
  if (isObject(value)) return typeof value.type === "string" ? value.type : "object";
  if (Array.isArray(value)) return value.length ? "list" : "empty";
  return String(value); // null, true, false
}

function spelledNumber(value: number): string {
  if (!(Math.abs(value) < 2 ** 53)) return "number";
  return Number.isInteger(value) || Math.abs(value) >= 0.0001 ? String(value) : "number";
}

interface Around {
  readonly supports: ReadonlyMap<string, Support>;
  readonly endpoint: string;
}

type Action = (body: Body, step: Step, changes: Changes, around: Around) => Body;

const ACTIONS: Readonly<Record<Remedy["action"], Action>> = {
  /** Leave the value out wherever it is refused; where it stands for several together, just the one. */
  drop: (body, step, changes) =>
    mended(body, step.at, (value) => {
      if (!step.support.refuses(valueName(value, step))) return value;
      changes.set(step.together.length ? step.at.join(".") : step.name, null);
      return GONE;
    }),
  /** Take the refused values out of a list: those that may go, where not all may. */
  take_out: (body, step, changes) => {
    const mend: Mend = (value) => {
      const name = valueName(value, step);
      if (!step.support.refuses(name) || step.remedy.only?.includes(name) === false) return value;
      changes.set(`${step.name}:${name}`, null);
      return GONE;
    };
    return mended(body, step.at, mend, step.remedy.vital);
  },
  /** Put the first value that is not refused in place of one that is. */
  replace: (body, step, changes) =>
    mended(body, step.at, (value) => {
      const name = valueName(value, step);
      if (!step.support.refuses(name)) return value;
      const values = step.remedy.values ?? {};
      // What is said of the whole field speaks for the values that the registry has, and no more.
      const fits = (each: string) =>
        Object.hasOwn(values, each) ? !step.support.refuses(each) : step.support.values.get(each) !== false;
      const other = Object.hasOwn(values, name) ? values[name]?.find(fits) : undefined;
      if (other !== undefined) {
        changes.set(`${step.name}:${name}`, other);
        return isObject(value) ? ofType(value, other, step) : other;
      }
      if (step.remedy.otherwise === "keep") return value;
      changes.set(step.name, null);
      return GONE;
    }),
  /** Give the value to the field that the model takes it in; that field's own value stays. */
  rename: (body, step, changes, { supports, endpoint }) => {
    const value = body[step.name];
    if (!step.support.refuses(valueName(value, step))) return body;
    const other = step.remedy.to?.[endpoint];
    const usable = other !== undefined && !supports.get(other)?.refuses(spelled(value));
    changes.set(step.name, usable ? other : null);
    const { [step.name]: _moved, ...rest } = body;
    return usable && !Object.hasOwn(rest, other) ? { ...rest, [other]: value } : rest;
  },
  keep: (body) => body,
};

/** How the registry's ids spell a value of this parameter. */
function valueName(value: unknown, step: Step): string {
  const name = spelled(value);
  const names = step.remedy.spelled ?? {};
  return isObject(value) && Object.hasOwn(names, name) ? (names[name] ?? name) : name;
}

/** An object of another type: what that type does not have is left out. */
function ofType(value: Body, type: string, { remedy }: Step): Body {
  const without = remedy.without && Object.hasOwn(remedy.without, type) ? (remedy.without[type] ?? []) : [];
  const rest = Object.entries(value).filter(([name]) => !without.includes(name));
  return Object.fromEntries(rest.map(([name, each]) => [name, name === "type" ? type : each]));
}

/** Drop what needs something that was dropped and has nothing in its place. */
function withoutDependents(body: Body, changes: Changes, remedies: Remedies, endpoint: string): Body {
  const needs = Object.entries(remedies.needs[endpoint] ?? {});
  const waiting = [...changes].filter(([, put]) => put === null).map(([name]) => name);
  for (let gone = waiting.pop(); gone !== undefined; gone = waiting.pop()) {
    for (const [name, prerequisite] of needs) {
      if (prerequisite !== gone) continue;
      const wanted = valueOf(name);
      let found = false;
      for (const at of placesOf(pathOf(name), remedies, endpoint)) {
        body = mended(body, at, (value) => {
          if (wanted !== undefined && spelled(value) !== wanted) return value;
          found = true;
          return GONE;
        });
      }
      if (found && !changes.has(name)) {
        changes.set(name, null);
        waiting.push(name);
      }
    }
  }
  return body;
}

/**
 * The body with one place in it mended; what this empties goes too, for it would say nothing, and so does an object
 * that loses what is vital to it.
 */
function mended(body: Body, at: readonly string[], mend: Mend, vital?: string): Body {
  const left = inside(body, at, mend, vital);
  return isObject(left) ? left : {};
}

function inside(value: unknown, at: readonly string[], mend: Mend, vital?: string): unknown {
  const [name, ...rest] = at;
  if (name === undefined) return mend(value);
  if (name === EACH) {
    if (!Array.isArray(value)) return value;
    const items = value.map((item: unknown) => inside(item, rest, mend, vital));
    if (items.every((item, index) => item === value[index])) return value;
    const left = items.filter((item) => item !== GONE);
    return left.length ? left : GONE;
  }
  if (!isObject(value) || !Object.hasOwn(value, name)) return value;
  const inner = inside(value[name], rest, mend, vital);
  if (inner === value[name]) return value;
  if (inner !== GONE) return { ...value, [name]: inner };
  const { [name]: _gone, ...others } = value;
  return name !== vital && Object.keys(others).length ? others : GONE;
}

/** The steps to each place where a parameter lies in a body, `[]` for each item of a list. */
function placesOf(name: string, remedies: Remedies, endpoint: string): string[][] {
  const stated = placesNamed(remedyOf(name, remedies), endpoint);
  return (stated.length ? stated : [name.slice(name.lastIndexOf("+") + 1)]).map(stepsOf);
}

/** Where the data says that a parameter lies, as it is written; nothing where its name says it all. */
export function placesNamed(remedy: Remedy | undefined, endpoint: string): readonly string[] {
  const { at = {} } = remedy ?? {};
  const stated = Object.hasOwn(at, endpoint) ? at[endpoint] : undefined;
  return typeof stated === "string" ? [stated] : (stated ?? []);
}

/** The steps of a path as it is written, `[]` for each item of a list. */
export function stepsOf(path: string): string[] {
  return path.split(".").flatMap((each) => (each.endsWith(EACH) ? [each.slice(0, -EACH.length), EACH] : [each]));
}

/** What is done about a parameter that is refused, where the data says so. */
export function remedyOf(name: string, remedies: Remedies): Remedy | undefined {
  return Object.hasOwn(remedies.remedies, name) ? remedies.remedies[name] : undefined;
}

function stepsFor(supports: ReadonlyMap<string, Support>, remedies: Remedies, endpoint: string): Step[] {
  const refused = [...supports].filter(([, support]) => support.isRefusal).sort(([one], [other]) => (one < other ? -1 : 1));
  const steps = refused.flatMap(([name, support]): Step[] => {
    const remedy = remedyOf(name, remedies) ?? { action: "drop" as const };
    const action = remedy.kept && Object.hasOwn(remedy.kept, endpoint) ? "keep" : remedy.action;
    const together = name.includes("+") ? name.split("+") : [];
    return placesOf(name, remedies, endpoint).map((at) => ({ name, together, at, support, action, remedy }));
  });
  // What stands for several together comes last: one of them may have gone by then.
  return [...steps.filter((step) => !step.together.length), ...steps.filter((step) => step.together.length)];
}

/** All that the rules say of each parameter; of several deployments behind one name, what all of them take. */
function supportsOf(table: SupportTable, question: Question): Map<string, Support> {
  const [first = new Map<string, Support>(), ...others] = ofEach(question).map((each) => supportsOfOne(table, each));
  if (!others.length) return first;
  const all = [first, ...others];
  const supports = new Map<string, Support>();
  for (const path of new Set(all.flatMap((each) => [...each.keys()]))) {
    supports.set(path, inCommon(all.map((each) => each.get(path) ?? new Support())));
  }
  return supports;
}

/** With the first rule that speaks of a value deciding. */
function supportsOfOne(table: SupportTable, question: Question): Map<string, Support> {
  const supports = new Map<string, Support>();
  for (const rule of table.matching(question)) {
    const settled = new Set([...supports].filter(([, each]) => each.others !== undefined).map(([path]) => path));
    for (const [name, { supported }] of rule.statements) {
      const [path, value] = [pathOf(name), valueOf(name)];
      const support = supports.get(path) ?? new Support();
      supports.set(path, support);
      if (settled.has(path)) continue;
      if (value === undefined) support.others = supported;
      else if (!support.values.has(value)) support.values.set(value, supported);
    }
  }
  return supports;
}

function inCommon(supports: readonly Support[]): Support {
  const common = new Support();
  for (const value of new Set(supports.flatMap((each) => [...each.values.keys()]))) {
    common.values.set(value, !supports.some((each) => each.refuses(value)));
  }
  const others = supports.map((each) => each.others);
  common.others = others.includes(false) ? false : others.includes(undefined) ? undefined : true;
  return common;
}
