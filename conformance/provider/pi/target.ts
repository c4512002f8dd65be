/** The gateway to talk to, read from the environment: the same pairs and rules as the Python provider's. */

import { parseHeaders, secretsIn, VARIABLE } from "./gateway_headers.ts";

/** A gateway's address, without trailing slash and `/v1`; its key, empty where headers alone open it; those headers. */
export interface Target {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The address or the key is malformed; the message is one line for the user. */
export class TargetError extends Error {}

const PAIRS = [
  ["LITELLM_BASE_URL", "LITELLM_API_KEY"],
  ["OPENAI_BASE_URL", "OPENAI_API_KEY"],
] as const;
const OWN = PAIRS[0][0];

/**
 * The gateway that the environment names, or undefined where it names none.
 *
 * LITELLM_HEADERS belongs to LITELLM_BASE_URL, as the key does: no secret goes to a stranger.
 *
 * @throws TargetError for an address that is no HTTP address, or one without a key or headers.
 * @throws HeaderError for malformed headers.
 */
export function targetFromEnv(environment: Readonly<Record<string, string | undefined>>): Target | undefined {
  for (const [urlName, keyName] of PAIRS) {
    const url = environment[urlName]?.trim();
    if (!url) continue;
    const text = environment[VARIABLE] ?? "";
    if (text.trim() && urlName !== OWN) {
      throw new TargetError(`${VARIABLE} is set, and ${OWN} is not; name the gateway of these headers in ${OWN}`);
    }
    return makeTarget(url, environment[keyName] ?? "", urlName, keyName, parseHeaders(text));
  }
  return undefined;
}

/** What opens the gateway: the key as Bearer, unless a header takes its place, and the headers. */
export function requestHeaders({ apiKey, headers }: Target): Record<string, string> {
  return { ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}), ...headers };
}

/** A text with `[key]` where the key or what a header holds stood, the longest first. */
export function withoutSecrets(text: string, { apiKey, headers = {} }: Target): string {
  const secrets = [apiKey, ...secretsIn(headers)].filter((each) => each !== "");
  return secrets.sort((a, b) => b.length - a.length).reduce((told, secret) => told.replaceAll(secret, "[key]"), text);
}

function makeTarget(
  address: string,
  apiKey: string,
  urlName: string,
  keyName: string,
  headers: Readonly<Record<string, string>>,
): Target {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new TargetError(`${urlName} is not an HTTP address; write it as https://host[:port][/v1]`);
  }
  if ((url.protocol !== "http:" && url.protocol !== "https:") || !/^https?:\/\/[^/]/i.test(address)) {
    throw new TargetError(`${urlName} is not an HTTP address; write it as https://host[:port][/v1]`);
  }
  if (url.username || url.password) {
    throw new TargetError(`${urlName} holds credentials; put the key into ${keyName} instead`);
  }
  if (/[?#]/.test(address)) {
    throw new TargetError(`${urlName} holds a query or fragment; write it as https://host[:port][/v1]`);
  }
  const key = apiKey.trim();
  if (!key && !Object.keys(headers).length) throw new TargetError(`${keyName} is not set; it must hold the key for ${urlName}`);
  if (!/^[\x21-\x7e]*$/.test(key)) {
    throw new TargetError(`${keyName} holds a character that an HTTP header cannot carry; check it for stray bytes`);
  }
  const baseUrl = address.replace(/\/+$/, "").replace(/\/v1$/, "").replace(/\/+$/, "");
  return { baseUrl, apiKey: key, headers };
}

/** The host, with the port where it is not the scheme's own: how rules of the table name a gateway. */
export function gatewayName(baseUrl: string): string {
  const url = new URL(baseUrl);
  const host = url.hostname.replace(/^\[|\]$/g, "").replaceAll(":", "-");
  return url.port ? `${host}-${url.port}` : host;
}
