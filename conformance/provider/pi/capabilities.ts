/**
 * What a model can do, as far as its gateway declares it and rules on its name tell.
 *
 * The twin of `conformance/provider/models/capabilities.py`; the rules are data, in `capabilities.json`.
 */

interface Sizes {
  readonly default: number;
  readonly rules: readonly { readonly pattern: string; readonly value: number }[];
}

/** `capabilities.json`. */
export interface CapabilityRules {
  readonly reasoning: readonly string[];
  readonly image: readonly string[];
  readonly context_window: Sizes;
  readonly max_tokens: Sizes;
  readonly declared: Readonly<
    Record<"reasoning" | "image" | "context_window" | "max_tokens" | "false_says_nothing_beside", string>
  >;
}

/** What a model can do; the sizes are tokens. */
export interface Capabilities {
  readonly reasoning: boolean;
  readonly input: ("text" | "image")[];
  readonly context_window: number;
  readonly max_tokens: number;
}

/** Of a model id, this many characters are read. */
export const MAX_ID = 1024;

/**
 * What a model can do. What is declared wins, but for the longest answer: there the smaller figure
 * wins, since backends that reserve output capacity admit fewer requests the more one asks for.
 */
export function capabilitiesOf(
  id: string,
  declared: Readonly<Record<string, unknown>>,
  rules: CapabilityRules,
): Capabilities {
  const name = id.slice(0, MAX_ID).toLowerCase();
  const names = rules.declared;
  const flag = (key: string, otherwise: boolean): boolean => {
    const value = declared[key];
    const doubtful = value === false && names.false_says_nothing_beside in declared;
    return typeof value === "boolean" && !doubtful ? value : otherwise;
  };
  const context = tokens(declared[names.context_window]) ?? sized(rules.context_window, name);
  const most = sized(rules.max_tokens, name);
  return {
    reasoning: flag(names.reasoning, matchesAny(rules.reasoning, name)),
    input: flag(names.image, matchesAny(rules.image, name)) ? ["text", "image"] : ["text"],
    context_window: context,
    max_tokens: Math.min(most, context, tokens(declared[names.max_tokens]) ?? most),
  };
}

function matchesAny(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => new RegExp(pattern).test(name));
}

function sized(sizes: Sizes, name: string): number {
  return sizes.rules.find((rule) => new RegExp(rule.pattern).test(name))?.value ?? sizes.default;
}

/** A declared number of tokens: 1 to 2**53, whole, also as a float or a text of digits. */
function tokens(value: unknown): number | undefined {
  const number = typeof value === "string" && /^[0-9]{1,15}$/.test(value) ? Number(value) : value;
  return typeof number === "number" && number >= 1 && number < 2 ** 53 ? Math.trunc(number) : undefined;
}
