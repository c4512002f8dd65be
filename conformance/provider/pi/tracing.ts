/**
 * Where in a request the field lies that a refusal names: a path with `[]` for each item of a list.
 *
 * The twin of `conformance/provider/repair/tracing.py`. A refusal may name a field by an index, in the upstream's own
 * spelling, inside a wrapper, or by its last name alone. The rules are data, in `repair.json`.
 */

import { snake } from "./dialects.ts";
import { EACH, stepsOf } from "./filtering.ts";
import { isObject } from "./json.ts";

type Body = Readonly<Record<string, unknown>>;

/** A path in a body: names of fields, and `[]` for each item of a list. */
export type Place = readonly string[];

/** A place that is never left out, and why. */
export interface KeptRow {
  readonly at: string;
  readonly unless?: readonly string[];
  readonly mends?: readonly string[];
  /** The endpoints that it holds for, where not for all. */
  readonly endpoints?: readonly string[];
  readonly reason: string;
  readonly advice: string;
}

/** `repair.json`. */
export interface RepairRules {
  readonly limits: Readonly<Record<"repairs" | "searches" | "places" | "values" | "nodes" | "depth" | "steps", number>>;
  readonly statuses_elsewhere: readonly number[];
  readonly statuses_searched: readonly number[];
  readonly wrappers: readonly string[];
  readonly aliases: Readonly<Record<string, readonly string[]>>;
  readonly opaque: readonly string[];
  readonly opaque_inside: readonly string[];
  /** What is said of a place, where that is no statement about the place itself, by endpoint. */
  readonly stands_for: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readonly containers: readonly string[];
  readonly free_form: readonly string[];
  readonly enumerated: readonly string[];
  readonly value: string;
  readonly step: string;
  readonly kept: readonly KeptRow[];
}

/** A place as it is written: `tools[].function.strict`. */
export function placeText(place: Place): string {
  return place.reduce((text, step) => text + (step === EACH || !text ? step : `.${step}`), "");
}

/** Whether a place begins with another. */
export function isWithin(place: Place, other: Place): boolean {
  return place.length >= other.length && other.every((step, index) => place[index] === step);
}

/** The places in a request that a name in a refusal means; none where the request holds no such thing. */
export function trace(name: string, body: Body, rules: RepairRules): Place[] {
  const steps = name
    .split(/[^A-Za-z0-9_$-]+/)
    .filter((step) => step !== "")
    .slice(0, rules.limits.steps);
  let names = steps.filter((step) => !/^[0-9]+$/.test(step));
  while (names.length) {
    const found = fromHead(names, body, rules);
    if (found) return found;
    if (names.length === 1 || !rules.wrappers.includes(snake(names[0] ?? ""))) break;
    names = names.slice(1);
  }
  const last = names.at(-1);
  if (last === undefined) return [];
  // No field of this name: the last name may be that of something inside one.
  const searched = Object.entries(body).filter(([key]) => !rules.free_form.includes(key));
  return search(Object.fromEntries(searched), last, [], rules);
}

/** The first values that a request holds at a place, in order. */
export function valuesAt(body: unknown, place: Place, rules: RepairRules): unknown[] {
  const found = new Map<string, unknown>();
  for (const value of values(body, place)) {
    const key = kindOf(value);
    if (!found.has(key)) found.set(key, value);
    if (found.size >= rules.limits.values) break;
  }
  return [...found.values()];
}

function kindOf(value: unknown): string {
  if (isObject(value)) return `object:${JSON.stringify(value.type)}`.slice(0, 200);
  if (Array.isArray(value)) return `list:${value.length > 0}`;
  return `${typeof value}:${JSON.stringify(value)}`.slice(0, 200);
}

function* values(value: unknown, place: Place): Generator<unknown> {
  const [step, ...rest] = place;
  if (step === undefined) yield value;
  else if (step === EACH) {
    if (Array.isArray(value)) for (const item of value) yield* values(item, rest);
  } else if (isObject(value) && Object.hasOwn(value, step)) yield* values(value[step], rest);
}

/** The places that begin with the field named first, by its own name or by another; undefined where none does. */
function fromHead(names: readonly string[], body: Body, rules: RepairRules): Place[] | undefined {
  const [first = "", ...tail] = names;
  for (const head of [first, snake(first)]) {
    if (Object.hasOwn(body, head)) return inside(body, [head], tail, rules);
  }
  // What another API calls a field inside one may be a field of its own here.
  for (const count of [2, 1]) {
    const name = names.slice(0, count).map(snake).join(".");
    for (const text of aliasesOf(name, rules)) {
      const place = stepsOf(text);
      if (!values(body, place).next().done) return inside(body, place, names.slice(count), rules);
    }
  }
  return undefined;
}

function aliasesOf(name: string, { aliases }: RepairRules): readonly string[] {
  return Object.hasOwn(aliases, name) ? (aliases[name] ?? []) : [];
}

/** The places at or under a field that the rest of a name means. */
function inside(body: Body, place: Place, tail: readonly string[], rules: RepairRules): Place[] {
  const last = tail.at(-1);
  if (last === undefined) return [place];
  const here = [...values(body, place)];
  const most = rules.limits.places;
  const exact = distinct(here.flatMap((value) => [...exactly(value, tail, place)]));
  if (exact.length) return exact.sort(compare).slice(0, most);
  const found = distinct(here.flatMap((value) => search(value, last, place, rules)));
  if (found.length) return found.slice(0, most);
  // What a bridge made of something in the same field.
  const others = aliasesOf(snake(last), rules).map(stepsOf);
  const other = others.find((each) => each.length > 1 && each[0] === place[0] && !values(body, each).next().done);
  if (other) return [other];
  // What is refused inside a field that is a plain value, or whose inside the gateway made itself, is the field.
  return rules.containers.includes(place[0] ?? "") ? [] : [place];
}

/** The places that a path leads to, through the items of lists. */
function* exactly(value: unknown, tail: readonly string[], place: Place): Generator<Place> {
  const [step, ...rest] = tail;
  if (step === undefined) yield place;
  else if (Array.isArray(value)) {
    const seen = new Set<string>();
    for (const item of place.at(-1) === EACH ? [] : value) {
      for (const found of exactly(item, tail, [...place, EACH])) {
        const key = placeText(found);
        if (!seen.has(key)) yield found;
        seen.add(key);
      }
    }
  } else if (isObject(value)) {
    const name = [step, snake(step)].find((each) => Object.hasOwn(value, each));
    if (name !== undefined) yield* exactly(value[name], rest, [...place, name]);
  }
}

/** The places under a value where a field has this name, but for what is somebody else's schema or data. */
function search(value: unknown, name: string, place: Place, rules: RepairRules): Place[] {
  const { nodes, places, depth } = rules.limits;
  const wanted = [name, snake(name)];
  const found = new Map<string, Place>();
  const queue: [unknown, Place][] = [[value, place]];
  for (let at = 0; at < queue.length && at < nodes && found.size < places; at += 1) {
    const [each, here] = queue[at] ?? [undefined, []];
    if (Array.isArray(each)) {
      for (const item of each.slice(0, nodes)) if (isObject(item)) queue.push([item, [...here, EACH]]);
    } else if (isObject(each)) {
      for (const [key, inner] of Object.entries(each)) {
        const there = [...here, key];
        if (wanted.includes(key)) found.set(JSON.stringify(there), there);
        else if (!isOpaque(key, here, rules) && here.length < depth && typeof inner === "object" && inner !== null) {
          queue.push([inner, there]);
        }
      }
    }
  }
  return [...found.values()];
}

function isOpaque(key: string, here: Place, { opaque, opaque_inside }: RepairRules): boolean {
  return opaque.includes(key) || (here.length > 0 && opaque_inside.includes(key));
}

function distinct(places: readonly Place[]): Place[] {
  return [...new Map(places.map((place) => [JSON.stringify(place), place])).values()];
}

function compare(left: Place, right: Place): number {
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    const [one = "", other = ""] = [left[at], right[at]];
    if (one !== other) return one < other ? -1 : 1;
  }
  return left.length - right.length;
}
