/**
 * What Pi wants to know of a model before it builds a request, drawn from the support table.
 *
 * The twin of `conformance/provider/models/compat.py`; which statements a flag is drawn from is data, in
 * `compat.json`. Everything is asked for streamed requests, the only ones that Pi sends.
 */

import { MAX_ID } from "./capabilities.ts";
import { ofEach, type Question, type SupportTable } from "./table.ts";

/** An endpoint, as the table names it. */
export type Endpoint = "chat_completions" | "responses";

/** `compat.json`. */
export interface CompatRules {
  readonly flags: Readonly<
    Record<string, { endpoint: Endpoint | "wire"; all_of?: readonly string[]; any_of?: readonly string[] }>
  >;
  readonly choices: Readonly<Record<string, { endpoint: Endpoint; first_of: readonly string[] }>>;
  readonly thinking_levels: {
    readonly parameter: Readonly<Record<Endpoint, string>>;
    readonly levels: readonly { level: string; effort: string; unmeasured: "offer" | "omit" }[];
  };
  readonly wires: {
    readonly essential: Readonly<Record<Endpoint, readonly string[]>>;
    readonly default: readonly Endpoint[];
    readonly rules: readonly { pattern: string; value: readonly Endpoint[] }[];
  };
}

/** The endpoint that works best, the effort to send for each thinking level (null hides one), and Pi's own flags. */
export interface Compat {
  readonly wire: Endpoint;
  readonly thinking_levels: Readonly<Record<string, string | null>>;
  readonly [flag: string]: unknown;
}

/** What is known of a model beside its name. */
export type About = Omit<Question, "endpoint" | "mode">;

export function compatOf(about: About, table: SupportTable, rules: CompatRules): Compat {
  const asked = (endpoint: Endpoint): Question => ({ ...about, endpoint, mode: "stream" });
  const takes = (endpoint: Endpoint, parameter: string): boolean =>
    table.lookup(asked(endpoint), parameter)?.supported ?? true;
  const wire = wireOf(about.model, rules.wires, takes);
  const compat: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(rules.flags)) {
    const endpoint = row.endpoint === "wire" ? wire : row.endpoint;
    const all = (row.all_of ?? []).every((each) => takes(endpoint, each));
    compat[name] = all && (!row.any_of || row.any_of.some((each) => takes(endpoint, each)));
  }
  for (const [name, row] of Object.entries(rules.choices)) {
    compat[name] = row.first_of.find((each) => takes(row.endpoint, each)) ?? row.first_of[0];
  }
  return { ...compat, wire, thinking_levels: thinkingLevels() };

  function thinkingLevels(): Record<string, string | null> {
    const { levels, parameter } = rules.thinking_levels;
    // Where this very model was measured, or its like on its route, what no rule refuses was seen to pass.
    const measured = ofEach(asked(wire)).every((each) =>
      table
        .matching(each)
        .filter((rule) => rule.models.includes(each.model) || (each.route && rule.routes.includes(each.route)))
        .some((rule) => [...rule.statements.values()].some((statement) => statement.measured)),
    );
    const offered: Record<string, string | null> = {};
    for (const { level, effort, unmeasured } of levels) {
      const taken = takes(wire, `${parameter[wire]}:${effort}`);
      if (measured || unmeasured === "offer" || !taken) offered[level] = taken ? effort : null;
    }
    return offered;
  }
}

/** The endpoint, in the order preferred for such a name, that refuses least of what is essential. */
function wireOf(
  model: string,
  rules: CompatRules["wires"],
  takes: (endpoint: Endpoint, parameter: string) => boolean,
): Endpoint {
  const name = model.slice(0, MAX_ID).toLowerCase();
  const order = rules.rules.find((row) => new RegExp(row.pattern).test(name))?.value ?? rules.default;
  const refused = (end: Endpoint): number => rules.essential[end].filter((each) => !takes(end, each)).length;
  const fewest = Math.min(...order.map(refused));
  return order.find((end) => refused(end) === fewest) ?? "chat_completions";
}
