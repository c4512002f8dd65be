/**
 * Shows Pi the models of a LiteLLM proxy, and sends each of them only what it supports.
 * What is refused all the same is mended once, and remembered.
 *
 * Where the proxy cannot be asked, the last list that it gave is used; whatever goes wrong is one line
 * on standard error, and never stops Pi from starting.
 */

import { join } from "node:path";
import { getAgentDir } from "@mariozechner/pi-coding-agent";
import type { ExtensionAPI } from "@mariozechner/pi-coding-agent";
import { keep, readKept } from "./cache.ts";
import { discover, type Discovered } from "./discovery.ts";
import { Gateway, loadKnowledge } from "./gateway.ts";
import { loadTables } from "./layers.ts";
import { Memory } from "./learned.ts";
import { Ledger, repairMode } from "./ledger.ts";
import { KEY_PLACEHOLDER, makeStreamSimple } from "./stream.ts";
import { type Target, targetFromEnv, withoutSecrets } from "./target.ts";

const PROVIDER = "litellm";
/** Milliseconds. With a list at hand, nobody has to wait long for a proxy that is down. */
const TIMEOUT = 10_000;
const TIMEOUT_WITH_LIST = 3_000;
const UNSET = "set LITELLM_BASE_URL and LITELLM_API_KEY to see a LiteLLM proxy's models";

type Say = (line: string) => void;

export default async function litellm(pi: ExtensionAPI): Promise<void> {
  // On a terminal that Pi draws on, lines of ours belong into what it draws; with `-p`, standard output is the answer.
  let tell: Say = toStderr;
  pi.on("session_start", (_event, { hasUI, ui }) => {
    tell = hasUI ? (line) => ui.notify(`litellm: ${line}`, "info") : toStderr;
  });
  pi.on("session_shutdown", () => {
    tell = toStderr;
  });
  const tellNow: Say = (line) => tell(line);
  try {
    await register(pi, toStderr, tellNow, TIMEOUT_WITH_LIST);
  } catch (error) {
    toStderr(lineOf(error));
  }
  pi.registerCommand("litellm-refresh", {
    description: "Ask the LiteLLM proxy for its models again",
    handler: async (_arguments, { hasUI, ui }) => {
      const warn: Say = (line) => (hasUI ? ui.notify(`litellm: ${line}`, "warning") : toStderr(line));
      try {
        const count = await register(pi, warn, tellNow, TIMEOUT);
        if (count === undefined) warn(UNSET);
        else ui.notify(`litellm: ${count} models`, "info");
      } catch (error) {
        warn(lineOf(error));
      }
    },
  });
}

function toStderr(line: string): void {
  process.stderr.write(`litellm: ${line}\n`);
}

/** Register the provider with the models it has now; returns how many, or undefined where no proxy is named. */
async function register(
  pi: ExtensionAPI,
  warn: Say,
  tell: Say,
  timeoutWithList: number,
): Promise<number | undefined> {
  const target = targetFromEnv(process.env);
  if (!target) {
    if (process.argv.some((word) => word === PROVIDER || word.startsWith(`${PROVIDER}/`))) warn(UNSET);
    return undefined;
  }
  const table = loadTables(process.env.LITELLM_SUPPORT_TABLE, warn);
  const { models, version } = await currentModels(target, warn, timeoutWithList);
  const gateway = new Gateway(target, loadKnowledge(table), models, { maxTokens: wantedMaxTokens(warn), version });
  const ledger = new Ledger({
    baseUrl: target.baseUrl,
    table,
    know: gateway.knowledge.repair,
    memory: new Memory(),
    mode: repairMode(process.env.LITELLM_REPAIR, warn),
    tell,
    told: (model, headers, refusal) => gateway.told(model, headers, refusal),
    tidy: (text) => withoutSecrets(text, target),
  });
  pi.registerProvider(PROVIDER, {
    name: "LiteLLM",
    baseUrl: `${target.baseUrl}/v1`,
    apiKey: KEY_PLACEHOLDER,
    api: PROVIDER,
    models: gateway.models(),
    streamSimple: makeStreamSimple(gateway, ledger),
  });
  return gateway.listed.length;
}

/** The user's own figure for the longest answer, undefined for the conservative one. */
function wantedMaxTokens(warn: Say): number | undefined {
  const text = process.env.LITELLM_MAX_TOKENS?.trim();
  if (text && !/^[1-9][0-9]{0,8}$/.test(text)) warn("LITELLM_MAX_TOKENS is no number of tokens; going on without it");
  else if (text) return Number(text);
  return undefined;
}

async function currentModels(target: Target, warn: Say, timeoutWithList: number): Promise<Discovered> {
  const folder = join(getAgentDir(), "cache");
  const kept = readKept(folder, target);
  try {
    const discovered = await discover(target, kept ? timeoutWithList : TIMEOUT);
    keep(folder, target, discovered);
    return discovered;
  } catch (error) {
    if (!kept) throw error;
    warn(`${lineOf(error)}; using the ${kept.models.length} models that it listed on ${kept.at}`);
    return kept;
  }
}

function lineOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
