/** The data files that the Python provider ships and this extension reads: the same ones, wherever they lie. */

import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { EMPTY_TABLE, parseTable, type Rule, SupportTable, TableError } from "./table.ts";

/** A data file of the extension itself cannot be used; the message is one line for the user. */
export class DataError extends Error {}

const HERE = dirname(fileURLToPath(import.meta.url));
// An installed copy has all data beside it; in a checkout or a wheel it lies in the provider's folders.
const ROOMS = ["", "filter", "models", "rate_limits", "refusals", "repair"];
const PLACES = [join(HERE, "data"), ...ROOMS.map((room) => join(dirname(HERE), room))];

/** The path of a data file. */
export function dataFile(name: string): string {
  const file = PLACES.map((place) => join(place, name)).find((path) => existsSync(path));
  if (file === undefined) throw new DataError(`its ${name} is missing; install the extension again`);
  return file;
}

/**
 * A data file's content, in the shape that this version of the extension was written for.
 *
 * @throws DataError where it is missing, no JSON, or of another version.
 */
export function loadData<Content>(name: string): Content {
  const file = dataFile(name);
  let data: { schema_version?: unknown };
  try {
    data = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new DataError(`${file} cannot be read (${reason(error)}); install the extension again`);
  }
  if (data?.schema_version !== 1) throw new DataError(`${file} is of another version; install the extension again`);
  return data as Content;
}

/**
 * The user's table (`LITELLM_SUPPORT_TABLE`) over the shipped one, the defaults of both (their last rules) behind
 * all others: what a user's table says of models that it does not know must not hide what is known of them.
 *
 * A table that cannot be used is told to `warn` and left out: what no table knows is sent.
 */
export function loadTables(own: string | undefined, warn: (line: string) => void): SupportTable {
  const usersFile = own?.trim().replace(/^~(?=[/\\])/, homedir());
  const rulesOf = (file: string): (readonly Rule[])[] => {
    try {
      return [loadTable(file).rules];
    } catch (error) {
      warn(`${reason(error)}; going on without it`);
      return [];
    }
  };
  const users = usersFile ? rulesOf(usersFile) : [];
  const tables = [...users, ...shippedTable(warn).flatMap(rulesOf)];
  const rules = [...tables.flatMap((each) => each.slice(0, -1)), ...tables.flatMap((each) => each.slice(-1))];
  return rules.length ? new SupportTable(rules, users.flatMap((each) => each.slice(0, -1)).length) : EMPTY_TABLE;
}

function shippedTable(warn: (line: string) => void): string[] {
  try {
    return [dataFile("parameter_support.json")];
  } catch (error) {
    warn(`${reason(error)}; going on without it`);
    return [];
  }
}

function loadTable(file: string): SupportTable {
  let data: unknown;
  try {
    data = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new TableError(`the support table ${file} cannot be read (${reason(error)})`);
  }
  return parseTable(data, `the support table ${file}`);
}

function reason(error: unknown): string {
  return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
}
