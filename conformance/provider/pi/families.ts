/**
 * What a model is, read from its name: the twin of `conformance/provider/table/families.py`.
 *
 * The patterns are data, `families.json`. The first one that is found in a name, in lower case, decides: its groups
 * are the version.
 */

import { loadData } from "./data.ts";

/** Stands for what the caller does not know, where a rule selects just that. */
export const UNKNOWN = "unknown";

/** A family of models, and the version of one of them; empty where its name has none. */
export interface Family {
  readonly name: string;
  readonly version: readonly number[];
}

/** What serves a model: LiteLLM's name for the route, and the model's name there. */
export interface Served {
  readonly route: string;
  readonly upstream: string;
}

interface Families {
  readonly families: readonly { readonly name: string; readonly pattern: string }[];
  readonly subroutes: Readonly<Record<string, readonly string[]>>;
}

const MAX_NAME = 512;

let data: Families | undefined;
let patterns: readonly (readonly [string, RegExp])[] | undefined;

/** The family that a model's name tells; undefined where it tells none. */
export function familyOf(name: string): Family | undefined {
  patterns ??= known().families.map((row) => [row.name, new RegExp(row.pattern)] as const);
  const lowered = name.slice(0, MAX_NAME).toLowerCase();
  for (const [family, pattern] of patterns) {
    const found = pattern.exec(lowered);
    if (found) return { name: family, version: found.slice(1).filter(Boolean).map(Number) };
  }
  return undefined;
}

/** Route and upstream of a model as LiteLLM names it: `databricks/databricks-claude-opus-4-8`. */
export function servedFrom(model: string): Served | undefined {
  const at = model.indexOf("/");
  if (at < 1) return undefined;
  const [route, upstream] = [model.slice(0, at), model.slice(at + 1)];
  const under = upstream.indexOf("/");
  const [sub, rest] = under < 0 ? [upstream, ""] : [upstream.slice(0, under), upstream.slice(under + 1)];
  const { subroutes } = known();
  const subs = Object.hasOwn(subroutes, route) ? subroutes[route] : undefined;
  if (rest && subs?.includes(sub)) return { route: `${route}/${sub}`, upstream: rest };
  return { route, upstream };
}

function known(): Families {
  data ??= loadData<Families>("families.json");
  return data;
}
