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

/** Of the requests that something learnt would change, each of this number is sent with one of the fields it would miss. */
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
  /** Requests that something learnt has changed since one was tried again, and how often that was. */
  readonly #counts = new Map<string, readonly [number, number]>();
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
    const learnt: Said = mode === "off" ? new Map() : memory.known(kind);
    const filtered = (table: SupportTable) => filterRequest({ ...body }, question, table, know.remedies);
    let table = learnt.size ? plain.withLearnt(learnt) : plain;
    let found = filtered(table);
    const begun = this.#begun(key, table, found.body, filtered);
    let triedAgain: readonly string[] = [];
    if (begun.size) {
      table = table.withLearnt(begun);
      found = filtered(table);
    } else if (learnt.size) {
      triedAgain = this.#toTryAgain(key, found.dropped, () => filtered(plain).dropped);
      if (triedAgain.length) {
        table = plain.withLearnt(new Map([...learnt].filter(([name]) => !triedAgain.includes(fieldOf(name)))));
        found = filtered(table);
      }
    }
    const suspects = this.#suspects.get(key) ?? [];
    const asked = { body, sent: found.body, question, table, mode, suspects, tidy, ...(begun.size ? { begun } : {}) };
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
    const taken = triedAgain.filter((field) => !refused.includes(field));
    memory.forget(kind, (name) => taken.includes(fieldOf(name)));
  }

  /** A request was mended as often as may be, and is refused still: the next of its kind goes on from there. */
  unfinished({ kind, repair }: Sent): void {
    keep(this.#unfinished, keyOf(kind), repair.unfinished);
  }

  /**
   * What an unfinished request has said that holds for this one. The rest stays for those that it is about.
   *
   * An answer proves what was left out of its request, and nothing else.
   */
  #begun(key: string, table: SupportTable, body: Body, filtered: (table: SupportTable) => { readonly body: Body }): Said {
    const left = this.#unfinished.get(key);
    if (!left) return new Map(); // as nearly always: a long conversation need not be spelled out
    const bare = JSON.stringify(body);
    const changes = (name: string) =>
      JSON.stringify(filtered(table.withLearnt(new Map([[name, false]]))).body) !== bare;
    const begun = new Map([...left].filter(([name, can]) => !can && changes(name)));
    if (!begun.size) return begun;
    const paths = [...begun.keys()].map(pathOf);
    for (const [name, can] of left) if (can && paths.includes(pathOf(name))) begun.set(name, can);
    const rest = new Map([...left].filter(([name]) => !begun.has(name)));
    if (rest.size) keep(this.#unfinished, key, rest);
    else this.#unfinished.delete(key);
    return begun;
  }

  /**
   * Of what was learnt and changes a request, the one field that is sent all the same; most often none.
   *
   * Each has its turn: of several at once, each would have to be refused anew before the request is answered.
   */
  #toTryAgain(key: string, dropped: readonly string[], anyway: () => readonly string[]): string[] {
    if (!dropped.length) return [];
    const [count, turns] = this.#counts.get(key) ?? [0, 0];
    let fields: string[] = [];
    if (count + 1 >= TRY_AGAIN_EVERY) {
      const always = anyway();
      fields = [...new Set(dropped.filter((name) => !always.includes(name)).map(fieldOf))].sort();
    }
    keep(this.#counts, key, fields.length ? [0, turns + 1] : [count + 1, turns]);
    return fields.slice(turns % (fields.length || 1)).slice(0, 1);
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
