// What the page was made with, and how a cell's history is read.

import { ids } from "./elements.js";

/**
 * @typedef {{ id: string, route: string, family: string }} Model
 * @typedef {{ endpoint: string, mode: string, parameters: string[] }} Channel
 * @typedef {{ id: string, title: string, letters: string, meaning: string }} Verdict
 */

/**
 * What `packing.py` wrote. `cells` has the number of a history for each model, channel and parameter, and a history
 * has a letter for each release.
 * @type {{
 *   releases: string[],
 *   models: Model[],
 *   channels: Channel[],
 *   verdicts: Verdict[],
 *   fates: Record<string, string>,
 *   histories: string[],
 *   cells: number[][][],
 *   packets: string[],
 * }}
 */
export const DATA = JSON.parse(ids("data").textContent);

export const ABSENT = ".";

/** Letters, worst first: where whole answers and streams are shown as one, the first of the two stands for both. */
const WORST_FIRST = "gbriahqn.";

/** @type {Record<string, Verdict>} */
const BY_LETTER = {};
for (const verdict of DATA.verdicts) for (const letter of verdict.letters) BY_LETTER[letter] = verdict;

/** What becomes of a parameter: taken, dropped or refused; null where nothing is known. */
export function fateOf(letter) {
  return DATA.fates[BY_LETTER[letter]?.id] ?? null;
}

/** The class that gives a cell its colour and its sign. */
export function classOf(letter) {
  return letter === ABSENT ? "none" : `v-${BY_LETTER[letter].id}`;
}

/** @param {string[]} letters */
export function worstOf(letters) {
  return WORST_FIRST[Math.min(...letters.map((letter) => WORST_FIRST.indexOf(letter)))] ?? ABSENT;
}

/** The channels of an endpoint, in one mode or in all. */
export function channelsOf(endpoint, mode) {
  return DATA.channels.filter((each) => each.endpoint === endpoint && (!mode || each.mode === mode));
}

/**
 * A model's history of a parameter on one channel.
 * @param {number} model
 * @param {Channel} channel
 * @param {string} parameter
 */
export function historyOf(model, channel, parameter) {
  const at = channel.parameters.indexOf(parameter);
  if (at < 0) return ABSENT.repeat(DATA.releases.length);
  return DATA.histories[DATA.cells[model][DATA.channels.indexOf(channel)][at]];
}

/** A model's history of a parameter, the worse of all these channels at each release. */
export function joinedHistory(model, channels, parameter) {
  const each = channels.map((channel) => historyOf(model, channel, parameter));
  if (each.length === 1) return each[0];
  return DATA.releases.map((_, at) => worstOf(each.map((history) => history[at]))).join("");
}
