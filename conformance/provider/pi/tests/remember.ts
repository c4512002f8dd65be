/** Learns what its arguments say, or prints what is known: pytest holds the file against the Python provider's. */

import { Memory } from "../learned.ts";

const [folder = "", model = "", ...names] = process.argv.slice(2);
const kind = { gateway: "http://127.0.0.1:4000", model, endpoint: "responses", mode: "stream" };
const memory = new Memory(folder);
for (const name of names) memory.learn(kind, "1.2.3", new Map([[name, false]]), "gateway");
const isThere = (): boolean => {
  const known = new Memory(folder).known(kind);
  return names.every((name) => known.has(name));
};
for (let tries = 100; tries > 0 && !isThere(); tries -= 1) {
  memory.learn(kind, "1.2.3", new Map([[names.at(-1) ?? "", false]]), "gateway");
}
process.stdout.write(JSON.stringify([Object.fromEntries(memory.known(kind)), memory.version(kind)]));
