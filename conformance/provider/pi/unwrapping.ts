/**
 * Every text and every error object inside a refusal: JSON inside text inside JSON, Python's repr of bytes.
 *
 * The twin of `conformance/provider/refusals/unwrapping.py`: pure, and bounded whatever a server sends.
 */

import { isObject } from "./json.ts";

/** What is read of a refusal: characters, levels of nesting, texts. */
export const MAX_TEXT = 65_536;
const MAX_DEPTH = 16;
const MAX_TEXTS = 200;
/** Places in one text where something else may begin. */
const MAX_TRIES = 20;

const OPENING = /b(?=['"])|[{[]|"(?=\s*[{[])/g;
/** Bytes as Python's `repr` writes them. */
const BYTES = /b(?:'(?:[ -&(-[\]-~]|\\(?:x[0-9a-f]{2}|[\\'nrt]))*'|"(?:[ !#-[\]-~]|\\(?:x[0-9a-f]{2}|[\\nrt]))*")/y;
const ESCAPE = /\\(?:x([0-9a-f]{2})|(.))/g;
const NAMED: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** Every text and every error object, outermost first. */
export function* unwrap(text: string): Generator<string | Record<string, unknown>> {
  const queue: [unknown, number][] = [[text.slice(0, MAX_TEXT), 0]];
  for (let at = 0; at < queue.length && at < MAX_TEXTS; at += 1) {
    const [value, depth] = queue[at] ?? [];
    let inner: unknown[] = [];
    if (typeof value === "string") {
      yield value;
      inner = (depth ?? 0) < MAX_DEPTH ? embedded(value) : [];
    } else if (isObject(value)) {
      yield value;
      inner = Object.values(value);
    } else if (Array.isArray(value)) inner = value;
    const parts = inner.filter((part) => typeof part === "string" || (typeof part === "object" && part !== null));
    // No more of them can be read than there is room for.
    for (const part of parts.slice(0, MAX_TEXTS)) queue.push([part, (depth ?? 0) + 1]);
  }
}

/** The JSON values and Python literals that a text holds, found from left to right. */
function embedded(text: string): unknown[] {
  const found: unknown[] = [];
  let position = 0;
  for (let tries = MAX_TRIES; tries > 0; tries -= 1) {
    OPENING.lastIndex = position;
    const opening = OPENING.exec(text);
    if (!opening) break;
    const [value, end] = opening[0] === "b" ? bytes(text, opening.index) : json(text, opening.index);
    if (value !== undefined) found.push(value);
    position = end;
  }
  return found;
}

type Found = readonly [value: unknown, end: number];

function bytes(text: string, start: number): Found {
  BYTES.lastIndex = start;
  const [literal] = BYTES.exec(text) ?? [];
  if (literal === undefined) return [undefined, start + 1];
  const plain = literal
    .slice(2, -1)
    .replace(ESCAPE, (_all, hex: string | undefined, char: string) =>
      hex === undefined ? (NAMED[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16)),
    );
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return [decoder.decode(Uint8Array.from(plain, (char) => char.charCodeAt(0))), start + literal.length];
}

function json(text: string, start: number): Found {
  const end = endOf(text, start);
  try {
    return [JSON.parse(text.slice(start, end)), end];
  } catch {
    return [undefined, start + 1];
  }
}

/** Where a JSON value that begins here must end, if it is one. */
function endOf(text: string, start: number): number {
  let depth = 0;
  let inString = false;
  for (let at = start; at < text.length; at += 1) {
    const char = text[at];
    if (inString && char === "\\") at += 1;
    else if (char === '"') inString = !inString;
    else if (!inString && (char === "{" || char === "[")) depth += 1;
    else if (!inString && (char === "}" || char === "]")) depth -= 1;
    if (!inString && depth === 0) return at + 1;
  }
  return text.length;
}
