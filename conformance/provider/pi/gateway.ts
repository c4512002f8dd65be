/** One gateway: its models, all that is known of them, and how Pi is told. */

import type { Model } from "@mariozechner/pi-ai";
import type { ProviderModelConfig } from "@mariozechner/pi-coding-agent";
import { capabilitiesOf, type CapabilityRules } from "./capabilities.ts";
import type { Declared, Listed } from "./catalogue.ts";
import { type CompatRules, compatOf, type Endpoint } from "./compat.ts";
import { loadData } from "./data.ts";
import { type DialectRules, Dialects } from "./dialects.ts";
import { VERSION_HEADER } from "./discovery.ts";
import type { Remedies } from "./filtering.ts";
import type { RateLimitRules } from "./rate_limits.ts";
import type { RepairKnowledge } from "./repair.ts";
import type { Question, SupportTable } from "./table.ts";
import { gatewayName, type Target } from "./target.ts";
import { levelsThatFit } from "./thinking.ts";
import type { RepairRules } from "./tracing.ts";

/** The header of an answer that tells what served it. */
const SERVED_HEADER = "x-litellm-model-name";

/** The longest name of a deployment that is believed, and how many of one model. */
const MAX_SERVED_NAME = 440;
const MAX_SERVED = 16;

/** What Pi calls the two wires. */
export type Wire = "openai-responses" | "openai-completions";

const WIRES: Readonly<Record<Endpoint, Wire>> = {
  chat_completions: "openai-completions",
  responses: "openai-responses",
};

/** The rules that do not depend on the gateway. */
export interface Knowledge {
  readonly table: SupportTable;
  readonly capabilities: CapabilityRules;
  readonly compat: CompatRules;
  readonly repair: RepairKnowledge;
  readonly limits: RateLimitRules;
}

/** Load the rules beside the table. @throws DataError */
export function loadKnowledge(table: SupportTable): Knowledge {
  return {
    table,
    capabilities: loadData<CapabilityRules>("capabilities.json"),
    compat: loadData<CompatRules>("compat.json"),
    repair: {
      dialects: new Dialects(loadData<DialectRules>("dialects.json")),
      rules: loadData<RepairRules>("repair.json"),
      remedies: loadData<Remedies>("remedies.json"),
    },
    limits: loadData<RateLimitRules>("rate_limits.json"),
  };
}

/** A model as its requests need it. */
export type Described = Pick<
  Model<Wire>,
  "id" | "name" | "reasoning" | "input" | "cost" | "contextWindow" | "maxTokens" | "thinkingLevelMap"
> & {
  readonly wire: Wire;
  readonly endpoint: Endpoint;
  readonly compat: NonNullable<ProviderModelConfig["compat"]>;
};

/** What is known beside the list: the user's figure for the longest answer, and the version of LiteLLM. */
export interface Known {
  readonly maxTokens?: number | undefined;
  readonly version?: string | undefined;
}

export class Gateway {
  readonly target: Target;
  readonly knowledge: Knowledge;
  readonly listed: readonly Listed[];
  readonly #byId: ReadonlyMap<string, Listed>;
  readonly #name: string;

  readonly #maxTokens: number | undefined;
  readonly #servedBy = new Map<string, readonly string[]>();
  /** Listed models that something else has answered for, and the version that the list holds for. */
  readonly #elsewhere = new Set<string>();
  readonly #listedVersion: string | undefined;
  #version: string | undefined;

  /** `maxTokens`, where given, takes the place of the conservative longest answer. */
  constructor(target: Target, knowledge: Knowledge, listed: readonly Listed[], known: Known = {}) {
    this.target = target;
    this.knowledge = knowledge;
    this.listed = listed;
    this.#maxTokens = known.maxTokens;
    this.#version = this.#listedVersion = known.version;
    this.#byId = new Map(listed.map((each) => [each.id, each]));
    this.#name = gatewayName(target.baseUrl);
  }

  /** The listed models, as Pi registers them. */
  models(): ProviderModelConfig[] {
    return this.listed.map(({ id }) => {
      const { wire: _wire, endpoint: _endpoint, ...model } = this.describe(id);
      return model;
    });
  }

  /** Any model, also one that the gateway does not list: then by the rules on its name alone. */
  describe(id: string): Described {
    const declared = this.#byId.get(id)?.declared ?? {};
    const { table, capabilities, compat } = this.knowledge;
    const can = capabilitiesOf(id, declared, capabilities);
    const declaredMost = Number(declared.max_output_tokens ?? Number.POSITIVE_INFINITY);
    const wanted = this.#maxTokens && Math.min(this.#maxTokens, can.context_window, declaredMost);
    const maxTokens = wanted ?? can.max_tokens;
    const { wire, thinking_levels, ...flags } = compatOf(this.#about(id), table, compat);
    return {
      id,
      name: id,
      reasoning: can.reasoning,
      input: can.input,
      cost: costOf(declared),
      contextWindow: can.context_window,
      maxTokens,
      thinkingLevelMap: levelsThatFit(thinking_levels, id, maxTokens),
      compat: flags,
      wire: WIRES[wire],
      endpoint: wire,
    };
  }

  /** What the table is asked about a request. */
  asked(id: string, endpoint: Endpoint): Omit<Question, "mode"> {
    return { ...this.#about(id), endpoint };
  }

  /** Take note of what an answer's headers tell, or a refusal's words: what served it, and the gateway's version. */
  told(model: string, headers: Readonly<Record<string, string>>, refusal = ""): void {
    this.#version = headers[VERSION_HEADER] ?? this.#version;
    const before = this.#servedBy.get(model) ?? [];
    // Words tell only where nobody has told more.
    const said = before.length ? undefined : this.knowledge.repair.dialects.servedFromWords(refusal);
    const served = [headers[SERVED_HEADER], said].find((name) => name && /^[a-z0-9_]+\/\S*$/.test(name));
    const listed = this.#byId.get(model)?.served_by;
    if (served && listed && !listed.includes(served)) this.#elsewhere.add(model);
    if (!served || listed) return;
    // Bare routes go where more is told: the words of a refusal are known less well.
    const known = before.filter((name) => served.endsWith("/") || !name.endsWith("/"));
    if (known.includes(served) || known.length >= MAX_SERVED || served.length > MAX_SERVED_NAME) return;
    this.#servedBy.set(model, [...known, served]);
  }

  #about(model: string) {
    const listed = this.#byId.get(model);
    const servedBy = listed?.served_by ?? this.#servedBy.get(model);
    const place = servedBy ? { servedBy } : listed?.route ? { route: listed.route } : {};
    const version = this.#version ? { gatewayVersion: this.#version } : {};
    return { model, gateway: this.#name, ...place, ...version, declared: this.#declared(listed) };
  }

  /** What the list declares for a model, while the version is that of the list, and so is what serves it. */
  #declared(listed: Listed | undefined): readonly string[] | undefined {
    if (!listed || this.#elsewhere.has(listed.id)) return undefined;
    return this.#listedVersion === undefined || this.#listedVersion === this.#version ? listed.parameters : undefined;
  }
}

/** Declared prices in dollars for a million tokens, without the dust that floats leave; 0 where unknown. */
function costOf(declared: Declared): Model<Wire>["cost"] {
  const price = (name: string): number => Number((Number(declared[name] ?? 0) * 1e6).toFixed(6));
  return {
    input: price("input_cost_per_token"),
    output: price("output_cost_per_token"),
    cacheRead: price("cache_read_input_token_cost"),
    cacheWrite: price("cache_creation_input_token_cost"),
  };
}
