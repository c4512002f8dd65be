/** Headers that a gateway wants beside its key: read, checked, and known as secrets, as the Python provider does. */

import { isObject } from "./json.ts";

/** A header is malformed; the message is one line for the user, and holds no value. */
export class HeaderError extends Error {}

/** The variable that holds them, for the gateway that LITELLM_BASE_URL names. */
export const VARIABLE = "LITELLM_HEADERS";

const SHORTEST_SECRET = 8;
const OPEN: readonly string[] = [
  ...["accept", "accept-language", "anthropic-beta", "anthropic-version", "openai-beta", "origin", "referer"],
  "user-agent",
];
const CLIENTS_OWN: readonly string[] = [
  ...["accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host"],
  ...["keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"],
];
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^[\x20-\x7e]+$/;
const TELLING = /key|token|secret|passw|auth|credential|session|cookie/i;
const FORM = "one 'Name: value' on each line";

/**
 * The headers in a text (a JSON object, or one `Name: value` a line), by lower-case name.
 *
 * @throws HeaderError for what no request can carry.
 */
export function parseHeaders(text: string, where: string = VARIABLE): Record<string, string> {
  const stripped = strip(text);
  if (!stripped.startsWith("{")) {
    const lines = stripped.split("\n").map(strip).filter((line) => line !== "");
    return checked(lines.map(split), where);
  }
  let found: unknown;
  try {
    found = JSON.parse(stripped);
  } catch {
    throw new HeaderError(`${where} begins like a JSON object, but is not valid JSON; write one, or ${FORM}`);
  }
  return checked(isObject(found) ? Object.entries(found) : [], where);
}

function strip(text: string): string {
  return text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
}

function split(line: string): [string, unknown] {
  const colon = line.indexOf(":");
  return colon < 0 ? ["", line] : [line.slice(0, colon), line.slice(colon + 1)];
}

function checked(pairs: readonly [string, unknown][], where: string): Record<string, string> {
  const headers = new Map<string, string>();
  for (const [index, [name, given]] of pairs.entries()) {
    const place = `${where}: header ${index + 1}`;
    const value = typeof given === "string" ? strip(given) : "";
    if (!NAME.test(name)) throw new HeaderError(`${place} has no valid name; write ${FORM}`);
    if (!VALUE.test(value)) {
      throw new HeaderError(`${place} (${name}) needs a value of printable ASCII characters on one line`);
    }
    if (CLIENTS_OWN.includes(name.toLowerCase())) {
      throw new HeaderError(`${place} (${name}) is one that the client sets itself; leave it out`);
    }
    headers.set(name.toLowerCase(), value);
  }
  return Object.fromEntries(headers);
}

/** All that must not be told of these headers: their values, and the keys inside them. */
export function secretsIn(headers: Readonly<Record<string, string>>): string[] {
  const found = Object.entries(headers)
    .filter(([name]) => !OPEN.includes(name))
    .flatMap(([, value]) => [value, ...inside(value)]);
  return [...new Set(found)].filter((each) => each.length >= SHORTEST_SECRET);
}

function inside(value: string): string[] {
  const found: string[] = [];
  const [, credentials] = /^[A-Za-z]+ (.*)$/.exec(value) ?? [];
  if (credentials !== undefined) found.push(strip(credentials));
  for (const pair of value.split(";")) {
    const equals = pair.indexOf("=");
    if (equals < 0 || !NAME.test(strip(pair.slice(0, equals)))) continue;
    found.push(strip(pair.slice(equals + 1)).replace(/^"+|"+$/g, ""));
  }
  if (!/^[[{]/.test(value)) return found;
  try {
    return [...found, ...telling(JSON.parse(value), false)];
  } catch {
    return found;
  }
}

function telling(value: unknown, told: boolean): string[] {
  if (Array.isArray(value)) return value.flatMap((each) => telling(each, told));
  if (isObject(value)) {
    return Object.entries(value).flatMap(([name, each]) => telling(each, told || TELLING.test(name)));
  }
  return typeof value === "string" && told ? [value] : [];
}
