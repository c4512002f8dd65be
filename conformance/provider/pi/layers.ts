/** The table that holds: the user's rules first, then the shipped ones. The twin of `conformance/provider/table/layers.py`. */

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dataFile, reason } from "./data.ts";
import { EMPTY_TABLE, parseTable, type Rule, SupportTable, TableError } from "./table.ts";

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
