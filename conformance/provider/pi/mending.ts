/**
 * Send a request, look at the answer, and send what is mended instead where it is a refusal.
 *
 * Pi's streams tell of a refusal too late, and not all of it. So the request is watched where it leaves: at `fetch`.
 * Newer ones take one of our own; for older ones, ours stands in the global place until the request has come by.
 * It knows our requests by the asynchronous context that they are made in, and hands on all others untouched. What
 * was read of an answer goes on to Pi as it came; after that, nothing is held back.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import type { Ledger, Sent } from "./ledger.ts";
import { Peek } from "./peeking.ts";

type Fetch = typeof globalThis.fetch;
type Chunk = Uint8Array<ArrayBuffer>;

const current = new AsyncLocalStorage<Outgoing | undefined>();
/** Requests that have not come by yet, and what puts the global `fetch` back after the last of them. */
const awaited = new Set<Outgoing>();
let putBack = (): void => undefined;

/** One request of ours: what was sent, and what the refusal that remains has told. */
export class Outgoing {
  /** What makes it mendable, known once Pi's body is. */
  sent: Sent | undefined;
  headers: Readonly<Record<string, string>> = {};
  refusal: string | undefined;
  note: string | undefined;
  readonly #ledger: Ledger;
  readonly #base: string;

  /** `base` is how the addresses begin that the request may go to. */
  constructor(ledger: Ledger, base: string) {
    this.#ledger = ledger;
    this.#base = base;
  }

  /** Run what makes the request, now or later. */
  run<Result>(make: () => Result): Result {
    if (!awaited.size) putBack = standIn();
    awaited.add(this);
    try {
      return current.run(this, make);
    } catch (error) {
      this.over();
      throw error;
    }
  }

  /** The request has come by, or never will. */
  over(): void {
    if (awaited.delete(this) && !awaited.size) putBack();
  }

  /** A `fetch` that mends this request. */
  async fetch(inner: Fetch, ...[input, init]: Parameters<Fetch>): Promise<Response> {
    const address = input instanceof Request ? input.url : String(input);
    if (!this.sent || typeof init?.body !== "string" || !address.startsWith(this.#base)) return inner(input, init);
    this.over();
    // What is asked inside is not to be mended again.
    const send = (body: string) => current.run(undefined, () => inner(input, { ...init, body }));
    for (let body = init.body; ; ) {
      const response = await send(body);
      const peek = new Peek(response.status, response.headers);
      const reader = peek.kind && response.body?.getReader();
      if (!reader) {
        this.#judged(this.sent, response, peek);
        return response;
      }
      const seen = await see(reader, peek);
      const again = this.#judged(this.sent, response, peek);
      if (!again) return readOn(response, reader, seen, peek);
      await reader.cancel().catch(() => undefined);
      body = JSON.stringify(again);
    }
  }

  /** The body to send instead, or undefined. What goes wrong here must not cost the user the answer. */
  #judged(sent: Sent, response: Response, { refusal }: Peek): Record<string, unknown> | undefined {
    const headers = pairs(response.headers);
    try {
      this.#ledger.told(sent, headers, refusal);
      if (refusal === undefined) {
        if (response.ok) this.#ledger.answered(sent, headers["x-litellm-version"] ?? null);
      } else {
        const made = this.#mended(sent, response.ok ? 400 : response.status, refusal, headers);
        if (made) return made;
      }
    } catch {
      // Then the answer goes to Pi as it is.
    }
    if (!response.ok || refusal !== undefined) this.headers = headers;
    this.refusal = refusal;
    return undefined;
  }

  #mended(
    sent: Sent,
    status: number,
    refusal: string,
    headers: Readonly<Record<string, string>>,
  ): Record<string, unknown> | undefined {
    const { repair } = sent;
    const made = repair.nextBody(status, refusal, headers);
    if (made && repair.event) this.#ledger.repaired(repair.event);
    else {
      if (repair.unfinished.size) this.#ledger.unfinished(sent);
      this.note = repair.explanation;
    }
    return made;
  }
}

function pairs(headers: Headers): Record<string, string> {
  const found: [string, string][] = [];
  headers.forEach((value, name) => {
    found.push([name, value]);
  });
  return Object.fromEntries(found);
}

/** Put a `fetch` in the global place that mends our requests; returns what puts the one before back. */
function standIn(): () => void {
  const inner = globalThis.fetch;
  const ours: Fetch = (input, init) => current.getStore()?.fetch(inner, input, init) ?? inner(input, init);
  globalThis.fetch = ours;
  return () => {
    // Where somebody has put another there since, that one has ours inside.
    if (globalThis.fetch === ours) globalThis.fetch = inner;
  };
}

/** What was read of an answer, and the error of the wire that ended it, which is for whoever reads on. */
interface Seen {
  readonly chunks: Chunk[];
  readonly failure?: { readonly error: unknown };
}

/** Read as much of an answer as tells what it is. */
async function see(reader: ReadableStreamDefaultReader<Chunk>, peek: Peek): Promise<Seen> {
  const chunks: Chunk[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        peek.end();
        return { chunks };
      }
      chunks.push(value);
      if (peek.feed(value)) return { chunks };
    }
  } catch (error) {
    return { chunks, failure: { error } };
  }
}

/** The answer as it came: what was read already, then the rest. */
function readOn(
  { status, statusText, headers }: Response,
  reader: ReadableStreamDefaultReader<Chunk>,
  { chunks, failure }: Seen,
  { kind, refusal }: Peek,
): Response {
  const body = new ReadableStream<Chunk>(
    {
      async pull(controller) {
        const seen = chunks.shift();
        if (seen) return controller.enqueue(seen);
        if (failure) return controller.error(failure.error);
        const { done, value } = await reader.read();
        return done ? controller.close() : controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  // Pi would look for a stream in what has the status of an answer.
  const isRefusal = kind === "json" && refusal !== undefined;
  return new Response(body, { status: isRefusal ? 400 : status, statusText, headers });
}
