/**
 * Look at the beginning of an answer, and tell a refusal before any of it reaches Pi.
 *
 * The twin of `conformance/provider/refusals/peeking.py`: no I/O. What is no refusal is not held
 * back any longer than it takes to know that.
 */

import { isObject } from "./json.ts";

/** Bytes that are read of an answer to tell what it is. */
const MAX_PEEK = 131_072;
/** Events before the first that tells anything: an answer can still be refused after them. */
const PREAMBLE: readonly unknown[] = [
  "response.created",
  "response.queued",
  "response.in_progress",
  "message_start",
  "ping",
];
const END_OF_EVENT = /\r\n\r\n|\n\n|\r\r/g;
const KINDS: Readonly<Record<string, "events" | "json">> = {
  "text/event-stream": "events",
  "application/json": "json",
};

/** What the first bytes of an answer tell: `refusal` is its text where it is one. */
export class Peek {
  refusal: string | undefined;
  /** How the answer is looked at; undefined where it is not. */
  readonly kind: "error" | "events" | "json" | undefined;
  readonly #chunks: Uint8Array[] = [];
  #size = 0;
  #at = 0;

  constructor(status: number, headers: Headers) {
    const type = (headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
    if (status >= 400) this.kind = "error";
    else if (status >= 200 && status < 300) this.kind = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  }

  /** Take in a piece; true once enough has been seen. */
  feed(chunk: Uint8Array): boolean {
    const piece = chunk.subarray(0, MAX_PEEK - this.#size);
    this.#chunks.push(piece);
    this.#size += piece.length;
    const isFull = this.#size >= MAX_PEEK;
    if (this.kind === "events") return this.#seen() || isFull;
    if (isFull && this.kind === "error") this.refusal = this.#text();
    return isFull;
  }

  /** The answer is over. */
  end(): void {
    if (this.kind === "events") return;
    const text = this.#text();
    if (this.kind === "error" || (text.includes('"error"') && isError(parsed(text)))) this.refusal = text;
  }

  /** Read the events that are whole; true once one of them tells what the answer is. */
  #seen(): boolean {
    const text = this.#text();
    END_OF_EVENT.lastIndex = this.#at;
    for (let end = END_OF_EVENT.exec(text); end; end = END_OF_EVENT.exec(text)) {
      const lines = text.slice(this.#at, end.index).split(/\r\n|\n|\r/);
      this.#at = END_OF_EVENT.lastIndex;
      const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).replace(/^ /, ""));
      const name = lines
        .find((line) => line.startsWith("event:"))
        ?.slice(6)
        .trim();
      if (!data.length) continue; // a comment that keeps the connection alive
      const said = data.join("\n");
      const event = parsed(said);
      const type = isObject(event) ? event.type : undefined;
      if (PREAMBLE.includes(type)) continue;
      if (name === "error" || type === "error" || type === "response.failed" || isError(event)) this.refusal = said;
      return true;
    }
    return false;
  }

  #text(): string {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.concat(this.#chunks));
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** True for an object, or a list of one, that tells an error and no answer. */
function isError(said: unknown): boolean {
  const told: unknown = Array.isArray(said) ? said[0] : said;
  return isObject(told) && isFilled(told.error) && !isFilled(told.choices) && !isFilled(told.output);
}

/** What Python takes for true. */
function isFilled(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return isObject(value) ? Object.keys(value).length > 0 : Boolean(value);
}
