/** The last model list that a gateway gave, kept on disk for when it does not answer. */

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Listed } from "./catalogue.ts";
import type { Discovered } from "./discovery.ts";
import { isObject } from "./json.ts";
import type { Target } from "./target.ts";

const SCHEMA_VERSION = 1;

/** Milliseconds for which it holds what a gateway has declared: names are given away anew, and gateways updated. */
const DECLARED_FOR = 86_400_000;

/** Milliseconds after which a list is removed that nobody has renewed: keys that are given anew would leave a file each. */
export const KEPT_FOR = 30 * 86_400_000;

/** The files that are lists, and nothing else in the folder. */
const LIST = /^litellm-models-[0-9a-f]{12}\.json$/;

/** A kept list, and when the gateway gave it (ISO 8601). */
export interface Kept {
  readonly at: string;
  readonly models: readonly Listed[];
  readonly version?: string | undefined;
}

/** Twelve hex digits that tell one gateway, key and set of headers from another, and tell nobody what they are. */
export function fingerprint({ baseUrl, apiKey, headers = {} }: Target): string {
  const parts = [baseUrl, apiKey, ...Object.keys(headers).sort().map((name) => `${name}:${headers[name]}`)];
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 12);
}

/** The list kept for this gateway and key, or undefined where there is none that can be read. */
export function readKept(folder: string, target: Target): Kept | undefined {
  try {
    const data: unknown = JSON.parse(readFileSync(fileOf(folder, target), "utf8"));
    if (!isObject(data) || data.schema_version !== SCHEMA_VERSION || data.base_url !== target.baseUrl) return undefined;
    const kept = Array.isArray(data.models) ? data.models.filter(isListed) : [];
    const isNew = typeof data.at === "string" && Date.now() - Date.parse(data.at) < DECLARED_FOR;
    const rows = isNew ? kept : kept.map(({ parameters: _old, ...row }) => row);
    const version = typeof data.version === "string" ? data.version : undefined;
    return rows.length && typeof data.at === "string" ? { at: data.at, models: rows, version } : undefined;
  } catch {
    return undefined;
  }
}

/** Keep a list, and remove those that are old. A cache that cannot be written is no reason to trouble anybody. */
export function keep(folder: string, target: Target, { models, version }: Discovered): void {
  const file = fileOf(folder, target);
  const partial = `${file}.${process.pid}`;
  const head = { schema_version: SCHEMA_VERSION, base_url: target.baseUrl, at: new Date().toISOString() };
  const data = { ...head, version, models };
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(partial, JSON.stringify(data), { mode: 0o600 });
    renameSync(partial, file);
    removeOld(folder);
  } catch {
    remove(partial);
  }
}

function removeOld(folder: string): void {
  for (const file of readdirSync(folder).filter((name) => LIST.test(name)).map((name) => join(folder, name))) {
    try {
      if (statSync(file).mtimeMs < Date.now() - KEPT_FOR) unlinkSync(file);
    } catch {
      // Another process was faster, or it is no file.
    }
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // It was never written.
  }
}

function fileOf(folder: string, target: Target): string {
  return join(folder, `litellm-models-${fingerprint(target)}.json`);
}

function isListed(row: unknown): row is Listed {
  if (!isObject(row) || typeof row.id !== "string" || row.id === "" || !isObject(row.declared)) return false;
  return [row.served_by ?? [], row.parameters ?? []].every(isTexts);
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}
