/**
 * From a request to what may be sent of it, and the account of repairs: the twin of `request_filter.py`.
 *
 * What holds is the user's table, then what was learnt, then the shipped table.
 */

import { filterRequest } from "./filtering.ts";
import { addressOf, type Kind, keyOf, type Memory } from "./learned.ts";
import { lineOf, Repair, type RepairEvent, type RepairKnowledge, type RepairMode } from "./repair.ts";
import { pathOf, type Question, type Said, type SupportTable } from "./table.ts";

type Body = Readonly<Record<string, unknown>>;

/** Of the requests that something learnt would change, each of this number is sent as if nothing had been learnt. */
const TRY_AGAIN_EVERY = 200;
/** How many kinds of requests are kept account of, before that starts anew. */
const MAX_KEPT = 4096;

/** A request that was made ready, and what it takes to mend it. */
export interface Sent {
  readonly body: Record<string, unknown>;
  readonly kind: Kind;
  /** What was learnt and is sent all the same, to see whether it is taken again. */
  readonly triedAgain: readonly string[];
  readonly repair: Repair;
}

export interface LedgerOptions {
  readonly baseUrl: string;
  readonly table: SupportTable;
  readonly know: RepairKnowledge;
  readonly memory: Memory;
  readonly mode: RepairMode;
  /** Tells the user of each repair in one line. */
  readonly tell: (line: string) => void;
  /** Hears what an answer's headers tell of the gateway, and the words of a refusal. */
  readonly told?: (model: string, headers: Readonly<Record<string, string>>, refusal?: string) => void;
  /** Takes secrets out of a gateway's words. */
  readonly tidy: (text: string) => string;
}

/** `LITELLM_REPAIR`; what is none of its values is told to `warn`, and the default holds. */
export function repairMode(value: string | undefined, warn: (line: string) => void): RepairMode {
  const said = value?.trim().toLowerCase() || "named";
  if (said === "named" || said === "search" || said === "off") return said;
  warn("LITELLM_REPAIR is none of named, search and off; going on with named");
  return "named";
}

export class Ledger {
  readonly #options: LedgerOptions;
  readonly #address: string;
  readonly #counts = new Map<string, number>();
  readonly #suspects = new Map<string, readonly string[]>();
  readonly #unfinished = new Map<string, Said>();

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.#address = addressOf(options.baseUrl);
  }

  /** What to send of a request. */
  ready(body: Body, question: Omit<Question, "mode">): Sent {
    const { table: plain, know, memory, mode, tidy } = this.#options;
    const streamed = body.stream === true ? "stream" : "whole";
    const kind = { gateway: this.#address, model: question.model, endpoint: question.endpoint, mode: streamed };
    const key = keyOf(kind);
    const off = mode === "off";
    const begun = off ? undefined : this.#unfinished.get(key);
    this.#unfinished.delete(key);
    const learnt: Said = off ? new Map() : memory.known(kind);
    const filtered = (table: SupportTable) => filterRequest({ ...body }, question, table, know.remedies);
    let table = learnt.size ? plain.withLearnt(learnt) : plain;
    if (begun) table = table.withLearnt(begun);
    let found = filtered(table);
    let triedAgain: string[] = [];
    if (learnt.size && !begun && found.dropped.length) {
      const bare = filtered(plain);
      const more = found.dropped.filter((name) => !bare.dropped.includes(name));
      if (this.#isTurn(key, more.length > 0)) [triedAgain, found, table] = [more, bare, plain];
    }
    const suspects = this.#suspects.get(key) ?? [];
    const asked = { body, sent: found.body, question, table, mode, suspects, tidy, ...(begun ? { begun } : {}) };
    return { body: found.body, kind, triedAgain, repair: new Repair(asked, know) };
  }

  /** An answer has come, whatever it is, with these headers; a refusal with its words. */
  told({ kind }: Sent, headers: Readonly<Record<string, string>>, refusal?: string): void {
    this.#options.told?.(kind.model, headers, refusal);
  }

  /** A request is sent once more. */
  repaired(event: RepairEvent): void {
    this.#options.tell(lineOf(event));
  }

  /** An answer has come: keep what it has taught. */
  answered({ kind, repair, triedAgain }: Sent, version: string | null): void {
    const { memory, mode } = this.#options;
    if (mode === "off") return;
    const taught = memory.version(kind);
    if (version && taught && taught !== version) memory.forget(kind);
    const { said } = repair;
    if (said.size) {
      this.#suspects.delete(keyOf(kind));
      if (repair.suspected.length) keep(this.#suspects, keyOf(kind), repair.suspected);
      memory.learn(kind, version, repair.learnt, repair.saidBy);
    }
    if (!triedAgain.length) return;
    const refused = [...said.keys()].map(fieldOf);
    const taken = triedAgain.map(pathOf).filter((path) => !refused.includes(path));
    memory.forget(kind, (name) => taken.includes(fieldOf(name)));
  }

  /** A request was mended as often as may be, and is refused still: the next of its kind goes on from there. */
  unfinished({ kind, repair }: Sent): void {
    keep(this.#unfinished, keyOf(kind), repair.unfinished);
  }

  /** Whether it is time to see what is taken again; a turn counts only where something learnt changes the request. */
  #isTurn(key: string, changes: boolean): boolean {
    const count = (this.#counts.get(key) ?? 0) + 1;
    const isTurn = count >= TRY_AGAIN_EVERY && changes;
    keep(this.#counts, key, isTurn ? 0 : count);
    return isTurn;
  }
}

/** The field that something learnt is about, whatever its value and company. */
function fieldOf(name: string): string {
  const path = pathOf(name);
  return path.slice(path.lastIndexOf("+") + 1);
}

function keep<Value>(kept: Map<string, Value>, key: string, value: Value): void {
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(key, value);
}
