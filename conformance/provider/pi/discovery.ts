/** Ask the gateway what it serves. Whatever goes wrong is one line, without the key. */

import { catalogue, type Listed } from "./catalogue.ts";
import { isObject } from "./json.ts";
import { requestHeaders, type Target } from "./target.ts";

/** The gateway's models could not be read; the message is one line for the user. */
export class DiscoveryError extends Error {}

type Row = Record<string, unknown>;

/** The header of an answer that tells the version of LiteLLM. */
export const VERSION_HEADER = "x-litellm-version";

const MAX_BYTES = 64 * 1024 * 1024;

const STATUS_HELP: Readonly<Record<number, string>> = {
  401: "refuses the key (401); check the API key",
  403: "does not let this key list models (403); use a key with that right",
  404: "has no /v1/models (404); give the address without /v1",
  429: "limits the rate of requests (429); try again later",
};

/** The models that a gateway offers, and its version of LiteLLM where it tells. */
export interface Discovered {
  readonly models: readonly Listed[];
  readonly version?: string | undefined;
}

/**
 * The models that chat, with what the gateway declares about each where the key may read that.
 *
 * @throws DiscoveryError when the gateway does not answer within `timeout` milliseconds, or lists none.
 */
export async function discover(target: Target, timeout: number): Promise<Discovered> {
  const signal = AbortSignal.timeout(timeout);
  const [{ rows, version: told }, groups, deployments] = await Promise.all([
    listedRows(target, signal),
    declaredRows(target, "/model_group/info", signal),
    declaredRows(target, "/model/info", signal),
  ]);
  const models = catalogue(rows, groups, deployments);
  if (!models.length) {
    throw new DiscoveryError(
      `${target.baseUrl} lists ${rows.length} models, but no chat model; ` +
        "give the key access to one, or try another key",
    );
  }
  return { models, version: told ?? (await readyVersion(target, signal)) };
}

/** Where LiteLLM gives its version, which its model list does not; older releases have only the second. */
const VERSION_PATHS = ["/health/readiness/details", "/health/readiness"];

async function readyVersion(target: Target, signal: AbortSignal): Promise<string | undefined> {
  for (const path of VERSION_PATHS) {
    try {
      const [status, body] = await getJson(target, path, signal);
      const version = status === 200 && isObject(body) ? body.litellm_version : undefined;
      if (typeof version === "string" && /^[\w.+-]{1,100}$/.test(version)) return version;
    } catch {
      // It is welcome, never needed.
    }
  }
  return undefined;
}

async function listedRows(target: Target, signal: AbortSignal): Promise<{ rows: Row[]; version: string | undefined }> {
  const base = target.baseUrl;
  let status: number;
  let rows: Row[] | undefined;
  let version: string | undefined;
  try {
    [status, rows, version] = await getRows(target, "/v1/models", signal);
  } catch (error) {
    throw new DiscoveryError(`${base} ${whyUnread(error)}`);
  }
  if (status !== 200) {
    const help = STATUS_HELP[status] ?? `answers ${status} to GET /v1/models; check the address`;
    throw new DiscoveryError(`${base} ${help}`);
  }
  if (!rows) throw new DiscoveryError(`${base} answers GET /v1/models without a list of models; check the address`);
  return { rows, version };
}

/** What the gateway declares is welcome, never needed. */
async function declaredRows(target: Target, path: string, signal: AbortSignal): Promise<Row[]> {
  try {
    return (await getRows(target, path, signal))[1] ?? [];
  } catch {
    return [];
  }
}

type Answer = [status: number, rows: Row[] | undefined, version: string | undefined];

async function getRows(target: Target, path: string, signal: AbortSignal): Promise<Answer> {
  const [status, body, version] = await getJson(target, path, signal);
  return [status, isObject(body) && Array.isArray(body.data) ? body.data.filter(isObject) : undefined, version];
}

type Told = [status: number, body: unknown, version: string | undefined];

async function getJson(target: Target, path: string, signal: AbortSignal): Promise<Told> {
  const response = await fetch(target.baseUrl + path, {
    headers: { accept: "application/json", ...requestHeaders(target) },
    redirect: "manual", // a key goes where it was meant to go and no further
    signal,
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    return [response.status, undefined, undefined];
  }
  const body: unknown = JSON.parse(await readText(response));
  return [200, body, response.headers.get(VERSION_HEADER) ?? undefined];
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_BYTES) throw new RangeError("too large");
  }
  return text + decoder.decode();
}

function whyUnread(error: unknown): string {
  if (error instanceof SyntaxError) return "answers GET /v1/models with something that is not JSON; check the address";
  if (error instanceof RangeError) return "answers GET /v1/models with more than 64 MiB; check the address";
  if (error instanceof Error && error.name === "TimeoutError") return "did not answer in time; is the gateway up?";
  const cause = error instanceof Error && isObject(error.cause) ? error.cause.code : undefined;
  if (cause === "ECONNREFUSED") return "refuses the connection; is the gateway running, and is the port right?";
  if (cause === "ENOTFOUND" || cause === "EAI_AGAIN") return "has no such host; check the name in the address";
  return `cannot be reached${typeof cause === "string" ? ` (${cause})` : ""}; check the address and the network`;
}
