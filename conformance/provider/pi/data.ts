/** The data files that the Python provider ships and this extension reads: the same ones, wherever they lie. */

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** A data file of the extension itself cannot be used; the message is one line for the user. */
export class DataError extends Error {}

const HERE = dirname(fileURLToPath(import.meta.url));
// An installed copy has all data beside it; in a checkout or a wheel it lies in the provider's folders.
const ROOMS = ["", "filter", "models", "rate_limits", "refusals", "repair", "table"];
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

/** What went wrong, in a word: the code of a system error, else its message. */
export function reason(error: unknown): string {
  return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
}
