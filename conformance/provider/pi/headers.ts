/**
 * The headers of refused requests: they say how long to wait, and Pi's streams do not pass them on.
 *
 * Node tells of every answer that its `fetch` gets. A request is recognised by a mark of its own;
 * what other requests get is not looked at, and nothing is changed.
 */

import { subscribe } from "node:diagnostics_channel";
import { isObject } from "./json.ts";

/** The request header that carries the mark. */
export const MARK = "x-litellm-pi-request";

/** At most so many requests are waited for at once; one that never gets an answer is forgotten in the end. */
const MOST = 64;
const awaited = new Map<string, Record<string, string>>();
let watching = false;

/** Watch for the answer to the request with this mark; returns a function that tells its headers, if it was refused. */
export function watchHeaders(mark: string): () => Record<string, string> {
  if (!watching) subscribe("undici:request:headers", note);
  watching = true;
  awaited.set(mark, {});
  for (const oldest of awaited.keys()) {
    if (awaited.size <= MOST) break;
    awaited.delete(oldest);
  }
  return () => {
    const found = awaited.get(mark) ?? {};
    awaited.delete(mark);
    return found;
  };
}

function note(message: unknown): void {
  if (!isObject(message) || !isObject(message.request) || !isObject(message.response)) return;
  const { headers, statusCode } = message.response;
  if (!awaited.size || !Array.isArray(headers) || Number(statusCode) < 400) return;
  const mark = pairs(message.request.headers).get(MARK);
  if (mark !== undefined && awaited.has(mark)) awaited.set(mark, Object.fromEntries(pairs(headers)));
}

/** Names and values, which stand in turn: as texts or bytes, or in older releases in lines of one text. */
function pairs(raw: unknown): Map<string, string> {
  const listed: unknown[] = Array.isArray(raw) ? raw : [];
  const flat = typeof raw === "string" ? raw.split("\r\n").flatMap(split) : listed;
  const found = new Map<string, string>();
  for (let at = 0; at + 1 < flat.length; at += 2) found.set(String(flat[at]).toLowerCase(), String(flat[at + 1]));
  return found;
}

function split(line: string): string[] {
  const colon = line.indexOf(":");
  return colon < 0 ? [] : [line.slice(0, colon), line.slice(colon + 1).trim()];
}
