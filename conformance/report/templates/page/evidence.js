// A model's evidence: unpacked when first needed, and read.

import { DATA } from "./data.js";
import { inflate } from "./packets.js";

const packets = new Map();

/** A model's reasons, exchanges, and the references between them. */
function unpack(row) {
  if (!packets.has(row)) packets.set(row, inflate(DATA.evidence[row]).then(JSON.parse));
  return packets.get(row);
}

/** What is known of one cell: its reason, what the gateway declares, and its exchanges with their roles. */
export async function evidenceOf({ plane, row, column }) {
  const packet = await unpack(row);
  const [reason, set, declared, split = null, before = null] = packet.cells[plane][column];
  const [roles, ...numbers] = packet.sets[set];
  const exchanges = numbers.map((each, at) => ({
    role: roles[at],
    ref: packet.refs[each],
    told: packet.exchanges[each],
  }));
  return { reason: packet.reasons[reason], declared, split, before, exchanges, short: packet.short };
}

/** How a client does with a model, and each of its ways; of a proof's exchanges what the page holds. */
export async function readinessOf({ row, client }) {
  const packet = await unpack(row);
  const told = (ref) => packet.exchanges[packet.refs.indexOf(ref)] ?? null;
  const found = packet.clients[DATA.clients.profiles[client].client];
  const ways = found.ways.map((way) => ({
    ...way,
    proofs: way.proofs?.map((proof) => ({
      ...proof,
      exchanges: proof.evidence.map((ref, at) => ({ ref, role: proof.roles[at], told: told(ref) })),
    })),
  }));
  return { ...found, ways };
}

export const ROLES = {
  p: "with the parameter",
  b: "the baseline",
  w: "control: a known field with a wrong type",
  k: "control: a key that nobody knows",
  f: "the stored answer, fetched once more",
  d: "the gateway told to drop what it does not support",
  q: "with the parameter that this one builds on",
  s: "with the same field, asked for another parameter",
};

/** An answer's body, spread over lines where it is whole JSON. */
export function readable(body) {
  if (body?.length !== 1) return body;
  try {
    return [JSON.stringify(JSON.parse(body[0]), null, 2)];
  } catch {
    return body;
  }
}

/** The message of an error that an answer carries, or null. */
export function errorMessage(told) {
  if (told.error) return told.error;
  const text = (told.body ?? []).join("");
  for (const piece of [
    text,
    ...text
      .split("\n")
      .filter((line) => line.startsWith("data:"))
      .map((line) => line.slice(5)),
  ]) {
    try {
      const value = JSON.parse(piece);
      const error = value?.error ?? value?.response?.error;
      if (error) return typeof error === "string" ? error : (error.message ?? JSON.stringify(error));
    } catch {}
  }
  return null;
}
