// What the page was made with, and how one cell or several of it are read.

import { ids } from "./elements.js";

/**
 * @typedef {{ plane: number, row: number, column: number }} Cell
 * @typedef {{ id: string, route: string | null, served_by: string[], deployments: number }} Model
 * @typedef {{ id: string, group: string, why: string | null, standards: Record<string, string> }} Parameter
 * @typedef {{ endpoint: string, mode: string, verdicts: string[], marks: string[] }} Plane
 * @typedef {{ id: string, title: string, letters: string, meaning: string, badness: number }} Verdict
 * @typedef {{ cost: string | null, advice: string | null, drop: string[], allow: string[], pi: object[], fields: string[], exports: Record<string, Condition[]> }} Mend
 * @typedef {{ unless: string[], every: string[] }} Condition
 * @typedef {{ row: number, client: number }} Agent
 * @typedef {{ client: string, title: string, version: string, captured_at: string, setup?: Record<string, string> }} Profile
 * @typedef {{ letter: string, title: string, meaning: string, verdict: string }} Readiness
 * @typedef {{ name: string, software: string | null, version: string | null, simulated: boolean }} Gateway
 */

/**
 * What `page.py` wrote. Rows are models, columns are parameters, and a plane is one endpoint in one mode.
 * `clients` is null where the matrix tells of none; its rows have a letter for each client,
 * which is a capital where the client works in some of its ways and breaks in others.
 * @type {{
 *   verdicts: Verdict[],
 *   models: Model[],
 *   parameters: Parameter[],
 *   planes: Plane[],
 *   kinds: { id: string, title: string }[],
 *   mends: Record<string, Record<string, Mend>>,
 *   paths: Record<string, string>,
 *   gateway: Gateway,
 *   exports: Record<string, string>,
 *   faults: Record<string, Record<string, string>>,
 *   no_route: string,
 *   evidence: string[],
 *   clients: { profiles: Profile[], rows: string[], readiness: Readiness[] },
 * }}
 */
export const DATA = JSON.parse(ids("data").textContent);

/** Whether settings of LiteLLM help; a gateway that does not say what it is may be one. */
export const IS_LITELLM = DATA.gateway.software === "litellm" || !DATA.gateway.software;

export const MARK = { declared: 1, split: 2, change: 4 };

export const ABSENT = ".";

/**
 * The verdict that each letter stands for.
 * @type {Record<string, Verdict>}
 */
export const BY_LETTER = {};
for (const verdict of DATA.verdicts) for (const letter of verdict.letters) BY_LETTER[letter] = verdict;

/**
 * What each letter of a client with a model stands for.
 * @type {Record<string, Readiness>}
 */
export const AGENT_BY_LETTER = {};
for (const readiness of DATA.clients?.readiness ?? []) AGENT_BY_LETTER[readiness.letter] = readiness;

/** @param {Agent} agent */
function agentLetterAt({ row, client }) {
  return DATA.clients.rows[row][client];
}

/**
 * How a client does with a model; undefined where the matrix does not tell.
 * @param {Agent} agent
 */
export function agentAt(agent) {
  return AGENT_BY_LETTER[agentLetterAt(agent).toLowerCase()];
}

/**
 * True where only some ways of a client work.
 * @param {Agent} agent
 */
export function isPartial(agent) {
  return agentLetterAt(agent) !== agentLetterAt(agent).toLowerCase();
}

/** @type {Record<string, string>} */
export const SPOKEN_BY = { g: "the gateway", b: "the backend", r: "somebody unknown" };

/**
 * @param {number} plane
 * @param {number} row
 * @param {number} column
 */
export function letterAt(plane, row, column) {
  return DATA.planes[plane]?.verdicts[row]?.[column] ?? ABSENT;
}

/**
 * @param {number} plane
 * @param {number} row
 * @param {number} column
 */
export function markAt(plane, row, column) {
  const digit = DATA.planes[plane].marks[row]?.[column];
  return digit === undefined ? 0 : parseInt(digit, 32);
}

/** @param {Model} model */
export function routeOf(model) {
  return model.route ?? DATA.no_route;
}

/** @param {Cell} cell */
export function differs({ plane, row, column }) {
  return markAt(plane, row, column) & MARK.declared;
}

/**
 * One cell over several planes: the worst letter, where it is found, all marks, and whether verdicts differ.
 * @param {number[]} planes
 * @param {number} row
 * @param {number} column
 */
export function cellOver(planes, row, column) {
  let letter = ABSENT;
  let plane = -1;
  let marks = 0;
  let worst = -1;
  let mixed = false;
  for (const number of planes) {
    const each = DATA.planes[number].verdicts[row][column];
    if (each === ABSENT) continue;
    const badness = BY_LETTER[each].badness;
    mixed ||= worst >= 0 && badness !== worst;
    if (badness > worst) [letter, plane, worst] = [each, number, badness];
    if (DATA.planes[number].marks[row]) marks = joinMarks(marks, markAt(number, row, column));
  }
  return { letter, plane, marks, mixed };
}

/** Marks of several cells in one: any bit counts, and the worst kind of change. */
function joinMarks(a, b) {
  const kinds = [a >> 2, b >> 2].filter(Boolean);
  return ((a | b) & (MARK.change - 1)) | (kinds.length ? Math.min(...kinds) * MARK.change : 0);
}
