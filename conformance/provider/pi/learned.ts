/**
 * What refusals have taught, kept in the user's cache folder for a while and shared by all processes, Python's too.
 *
 * The twin of `conformance/provider/repair/learned.py`: `learned.schema.json` has the file's form. A disk that is
 * full or read-only is no error: then a process remembers for itself.
 */

import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { isObject } from "./json.ts";
import type { Said } from "./table.ts";

const SCHEMA_VERSION = 1;
const FILE = "learned.json";
/** Seconds after which something learnt is forgotten; a day is how far a clock may be ahead. */
const MAX_AGE = 30 * 86_400;
const DAY = 86_400;
/** Milliseconds: between two looks at the file, that a writer waits, and after which a lock was left behind. */
const LOOK = 1000;
const LOCK_WAIT = 100;
const LOCK_PAUSE = 5;
const STALE_LOCK = 10_000;

const MAX_ENTRIES = 1000;
const MAX_PARAMETERS = 64;
const MAX_FILE = 1024 * 1024;
const MAX_ID = 256;
const MAX_ADDRESS = 500;
const MAX_VERSION = 64;
/** Changes that wait for the file to be writable again. */
const MAX_WAITING = 100;

const NAME = /^[A-Za-z0-9_$.+[\]-]{1,150}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,40})?$/;
const BY: readonly unknown[] = ["gateway", "backend", "unknown"];
const ENDPOINTS: readonly unknown[] = ["chat_completions", "responses", "messages"];

/** The requests that something is learnt about. */
export interface Kind {
  readonly gateway: string;
  readonly model: string;
  readonly endpoint: string;
  readonly mode: string;
}

interface Learnt {
  readonly supported: boolean;
  readonly by: string;
  readonly learned_at: number;
}

interface Entry {
  readonly kind: Kind;
  readonly version: string | null;
  readonly parameters: Map<string, Learnt>;
}

type Entries = Map<string, Entry>;
type Change = (entries: Entries) => void;

/** This package's folder in the user's cache, as the Python provider has it. */
export function cacheFolder(environment = process.env, platform: string = process.platform): string {
  const home = homedir();
  if (platform === "win32")
    return join(environment.LOCALAPPDATA || join(home, "AppData", "Local"), "litellm-conformance");
  if (platform === "darwin") return join(home, "Library", "Caches", "litellm-conformance");
  return join(environment.XDG_CACHE_HOME || join(home, ".cache"), "litellm-conformance");
}

/** A gateway's address as the memory has it: without credentials, query, `/v1` and endpoint. */
export function addressOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  let path = pathname.replace(/\/+$/, "");
  for (const ending of ["/chat/completions", "/responses", "/messages", "/v1"]) {
    if (path.endsWith(ending)) path = path.slice(0, -ending.length).replace(/\/+$/, "");
  }
  return `${protocol}//${host}${path}`;
}

/** One text for each kind of requests. */
export function keyOf({ gateway, model, endpoint, mode }: Kind): string {
  return JSON.stringify([gateway, model, endpoint, mode]);
}

/** What was learnt, of all gateways. Never throws; `generation` grows whenever anything may have changed. */
export class Memory {
  generation = 0;
  readonly #folder: string;
  #entries: Entries = new Map();
  #waiting: Change[] = [];
  #looked = Number.NEGATIVE_INFINITY;
  #stamp: string | undefined;
  /** When the oldest of it was learnt, in seconds since 1970. */
  #oldest = Number.POSITIVE_INFINITY;

  constructor(folder: string = cacheFolder()) {
    this.#folder = folder;
  }

  /** What can and cannot be sent with requests of this kind; empty where nothing was learnt. */
  known(kind: Kind): Said {
    this.look();
    const entry = this.#entries.get(keyOf(kind));
    return new Map([...(entry?.parameters ?? [])].map(([name, { supported }]) => [name, supported]));
  }

  /** The gateway's version that taught what is known. */
  version(kind: Kind): string | null {
    return this.#entries.get(keyOf(kind))?.version ?? null;
  }

  /** Keep what an answer has taught. */
  learn(kind: Kind, version: string | null, said: Said, by: string): void {
    const learned_at = Math.floor(Date.now() / 1000);
    const taught = [...said].filter(([name]) => NAME.test(name));
    const { gateway, model } = kind;
    if (!taught.length || !model || model.length > MAX_ID || gateway.length > MAX_ADDRESS) return;
    const told = version?.slice(0, MAX_VERSION) || null;
    this.#apply((entries) => {
      const known = entries.get(keyOf(kind));
      const another = told && known?.version && known.version !== told;
      // An answer that tells no version is no other version's.
      const version = told ?? known?.version ?? null;
      const entry = { kind, version, parameters: new Map(another ? [] : known?.parameters) };
      for (const [name, supported] of taught) entry.parameters.set(name, { supported, by, learned_at });
      entries.set(keyOf(kind), entry);
    });
  }

  /** Forget what is known of requests of a kind: all of it, or the parameters that are wanted forgotten. */
  forget(kind: Kind, wanted: (name: string) => boolean = () => true): void {
    const names = [...(this.#entries.get(keyOf(kind))?.parameters.keys() ?? [])];
    if (!names.some(wanted)) return;
    this.#apply((entries) => {
      const parameters = entries.get(keyOf(kind))?.parameters;
      for (const name of [...(parameters?.keys() ?? [])]) if (wanted(name)) parameters?.delete(name);
      if (!parameters?.size) entries.delete(keyOf(kind));
    });
  }

  /** Read the file again, if it has changed, or holds what is too old by now, and was not looked at just now. */
  look(): void {
    const now = performance.now();
    if (now - this.#looked < LOOK) return;
    this.#looked = now;
    const stamp = this.#stamped();
    const isOld = this.#oldest <= Date.now() / 1000 - MAX_AGE;
    if (stamp !== this.#stamp || isOld) this.#take(read(this.#file), stamp);
  }

  get #file(): string {
    return join(this.#folder, FILE);
  }

  #take(entries: Entries, stamp: string | undefined): void {
    for (const change of this.#waiting) change(entries);
    this.#hold(entries, stamp);
  }

  #hold(entries: Entries, stamp: string | undefined): void {
    const young = Date.now() / 1000 - MAX_AGE;
    this.#oldest = Number.POSITIVE_INFINITY;
    for (const [key, { parameters }] of [...entries]) {
      for (const [name, { learned_at }] of [...parameters]) {
        if (learned_at <= young) parameters.delete(name);
        else this.#oldest = Math.min(this.#oldest, learned_at);
      }
      if (!parameters.size) entries.delete(key);
    }
    this.#entries = entries;
    this.#stamp = stamp;
    this.generation += 1;
  }

  #stamped(): string | undefined {
    try {
      const { mtimeNs, size, ino } = statSync(this.#file, { bigint: true });
      return `${mtimeNs} ${size} ${ino}`;
    } catch {
      return undefined;
    }
  }

  #apply(change: Change): void {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      locked(`${this.#file}.lock`, () => {
        const entries = read(this.#file);
        for (const each of [...this.#waiting, change]) each(entries);
        writeWhole(this.#file, textOf(entries));
        this.#waiting = [];
        this.#take(entries, this.#stamped());
      });
    } catch {
      change(this.#entries);
      this.#hold(this.#entries, this.#stamp);
      if (this.#waiting.length < MAX_WAITING) this.#waiting.push(change);
    }
  }
}

/** Hold a lock file, which every system and language can make alone. @throws where it is another's. */
function locked(file: string, act: () => void): void {
  const until = performance.now() + LOCK_WAIT;
  for (let holds = false; !holds; ) {
    try {
      closeSync(openSync(file, "wx", 0o600));
      holds = true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (isStale(file)) rmSync(file, { force: true });
      else if (performance.now() > until) throw error;
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_PAUSE);
    }
  }
  try {
    act();
  } finally {
    rmSync(file, { force: true });
  }
}

function isStale(file: string): boolean {
  try {
    return Date.now() - statSync(file).mtimeMs > STALE_LOCK;
  } catch {
    return false; // it has just gone
  }
}

function writeWhole(file: string, text: string): void {
  const partial = `${file}.${process.pid}`;
  try {
    writeFileSync(partial, text, { mode: 0o600 });
    renameSync(partial, file);
  } finally {
    rmSync(partial, { force: true });
  }
}

/** What a file holds that is whole and not too old; nothing where it cannot be read. */
function read(file: string): Entries {
  const entries: Entries = new Map();
  try {
    if (statSync(file).size > MAX_FILE) return entries;
    const document: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (!isObject(document) || document.schema_version !== SCHEMA_VERSION || !Array.isArray(document.entries))
      return entries;
    for (const row of document.entries.slice(0, MAX_ENTRIES)) {
      const entry = entryOf(row);
      if (entry?.parameters.size) entries.set(keyOf(entry.kind), entry);
    }
  } catch {
    // There is no file yet, or none that can be read.
  }
  return entries;
}

function entryOf(row: unknown): Entry | undefined {
  if (!isObject(row) || !isObject(row.parameters)) return undefined;
  const { gateway, model, endpoint, mode, version } = row;
  if (typeof gateway !== "string" || typeof model !== "string" || typeof endpoint !== "string") return undefined;
  if (!ENDPOINTS.includes(endpoint) || (mode !== "whole" && mode !== "stream")) return undefined;
  if (typeof version !== "string" && version !== null) return undefined;
  const parameters = new Map<string, Learnt>();
  const now = Date.now() / 1000;
  for (const [name, said] of Object.entries(row.parameters).slice(0, MAX_PARAMETERS)) {
    if (!NAME.test(name) || !isObject(said)) continue;
    const { supported, by, learned_at } = said;
    if (typeof supported !== "boolean" || typeof by !== "string" || !BY.includes(by)) continue;
    if (typeof learned_at !== "number" || !Number.isInteger(learned_at)) continue;
    // A time to come is a clock that went wrong: what it says would be there for ever.
    if (now - MAX_AGE < learned_at && learned_at <= now + DAY) parameters.set(name, { supported, by, learned_at });
  }
  return { kind: { gateway, model, endpoint, mode }, version, parameters };
}

/** The file's text: the newest, as much as there is room for and can be read again. */
function textOf(entries: Entries): string {
  const newestOf = ({ parameters }: Entry): number =>
    Math.max(0, ...[...parameters.values()].map((each) => each.learned_at));
  const newest = [...entries.values()].sort((one, other) => newestOf(other) - newestOf(one)).slice(0, MAX_ENTRIES);
  let rows = newest.map(({ kind, version, parameters }) => ({
    ...kind,
    version,
    parameters: Object.fromEntries(
      [...parameters].sort(([, one], [, other]) => other.learned_at - one.learned_at).slice(0, MAX_PARAMETERS),
    ),
  }));
  for (;;) {
    const text = JSON.stringify({ schema_version: SCHEMA_VERSION, entries: rows });
    if (text.length <= MAX_FILE / 2) return text;
    rows = rows.slice(0, Math.floor(rows.length / 2));
  }
}
