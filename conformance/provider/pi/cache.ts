/** The last model list that a gateway gave, kept on disk for when it does not answer. */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Listed } from "./catalogue.ts";
import type { Discovered } from "./discovery.ts";
import { isObject } from "./json.ts";
import type { Target } from "./target.ts";

const SCHEMA_VERSION = 1;

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
    const rows = Array.isArray(data.models) ? data.models.filter(isListed) : [];
    const version = typeof data.version === "string" ? data.version : undefined;
    return rows.length && typeof data.at === "string" ? { at: data.at, models: rows, version } : undefined;
  } catch {
    return undefined;
  }
}

/** Keep a list. A cache that cannot be written is no reason to trouble anybody. */
export function keep(folder: string, target: Target, { models, version }: Discovered): void {
  const file = fileOf(folder, target);
  const partial = `${file}.${process.pid}`;
  const head = { schema_version: SCHEMA_VERSION, base_url: target.baseUrl, at: new Date().toISOString() };
  const data = { ...head, version, models };
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(partial, JSON.stringify(data), { mode: 0o600 });
    renameSync(partial, file);
  } catch {
    remove(partial);
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
  const served = row.served_by ?? [];
  return Array.isArray(served) && served.every((each) => typeof each === "string");
}
