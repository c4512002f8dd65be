/**
 * What a gateway declares of a parameter: the twin of `conformance/provider/table/declaration.py`.
 *
 * For each model LiteLLM declares the parameters of Chat Completions that it lets through, and refuses the others itself.
 * `declared.json` has the chat parameters that stand for those of other endpoints, where their names differ.
 */

import { loadData } from "./data.ts";
import { UNKNOWN } from "./families.ts";

/** What a gateway can say of a parameter, besides `unknown`. */
export const DECLARED = "yes";
export const UNDECLARED = "no";

interface Names {
  readonly chat_names: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

let names: Names | undefined;

/**
 * Whether a model's declared chat parameters have one: `yes`, `no`, or `unknown` where they are not known.
 *
 * An empty list is LiteLLM's way to say that it does not know.
 */
export function declaration(declared: readonly string[] | undefined, endpoint: string, parameter: string): string {
  if (!declared?.length) return UNKNOWN;
  return chatNames(endpoint, parameter).every((name) => declared.includes(name)) ? DECLARED : UNDECLARED;
}

/** The chat parameters that stand for one of an endpoint: several where it is about several fields together. */
function chatNames(endpoint: string, parameter: string): string[] {
  names ??= loadData<Names>("declared.json");
  const others = Object.hasOwn(names.chat_names, endpoint) ? names.chat_names[endpoint] : undefined;
  const [path = ""] = parameter.split(":", 1);
  return path.split("+").map((each) => {
    let place = each;
    const named = (): string | undefined => (others && Object.hasOwn(others, place) ? others[place] : undefined);
    while (named() === undefined && place.includes(".")) place = place.slice(0, place.lastIndexOf("."));
    return named() ?? place;
  });
}
