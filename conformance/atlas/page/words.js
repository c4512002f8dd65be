// What becomes of a parameter, in words: at one release, and over all of them.

import { fateOf, worstOf } from "./data.js";

/** Stands for what two measured releases disagree on, at a release between them. */
export const BETWEEN = "≠";

const NOT_KNOWN = "not known";

/**
 * What models do with a parameter at one release, counted.
 * @param {string[]} letters one for each model
 */
export function summaryOf(letters) {
  const counts = { refused: 0, dropped: 0, taken: 0 };
  const speakers = new Set();
  for (const letter of letters) {
    const fate = fateOf(letter);
    if (fate) counts[fate] += 1;
    if (fate === "refused") speakers.add(letter);
  }
  const fates = new Set(letters.map(fateOf).filter(Boolean));
  const between = letters.filter((letter) => letter === BETWEEN).length;
  const known = letters.filter((letter) => letter !== BETWEEN);
  return { counts, speakers, of: letters.length, between, letter: worstOf(known), mixed: fates.size > 1 };
}

/** Who refuses, where all refusals come from the same. */
function speakerOf(speakers) {
  const [first] = speakers;
  if (speakers.size !== 1) return "";
  return { g: " by the gateway", b: " by the backend" }[first] ?? "";
}

/** A summary in words, such as `refused by the gateway for 3 of 12 models`. */
export function told(summary) {
  return worded(summary, (count) => `${count} of ${summary.of}`);
}

/** The same without the count: a history in which it counts up and down would be long, and say little. */
export function roughly(summary) {
  return worded(summary, () => `some of ${summary.of}`);
}

function worded({ counts, speakers, of }, shareOf) {
  const share = (count) => (count === of ? "" : ` for ${shareOf(count)} models`);
  const parts = [];
  if (counts.refused) parts.push(`refused${speakerOf(speakers)}${share(counts.refused)}`);
  if (counts.dropped) parts.push(`dropped silently${share(counts.dropped)}`);
  if (parts.length) return parts.join(" and ");
  return counts.taken ? "taken" : NOT_KNOWN;
}

/**
 * A history in words: `refused since 1.81.16` and so on, oldest first.
 * @param {string[]} words what is told of each release
 * @param {string[]} releases
 */
export function inWords(words, releases) {
  const seen = new Set();
  return stretchesOf(words)
    .map(([from, to]) => {
      const word = seen.has(words[from]) && words[from] !== NOT_KNOWN ? again(words[from]) : words[from];
      seen.add(words[from]);
      return `${word} ${spanOf(from, to, releases)}`;
    })
    .join(", ");
}

/** The runs of neighbours that are the same, as the first and the last place of each. */
export function stretchesOf(values) {
  /** @type {[number, number][]} */
  const runs = [];
  for (const [at, value] of [...values].entries()) {
    const last = runs.at(-1);
    if (last && values[last[0]] === value) last[1] = at;
    else runs.push([at, at]);
  }
  return runs;
}

function again(word) {
  return word.replace(/^(refused|dropped silently|taken)/, "$1 again");
}

/** The releases from one place to another, in words. */
export function spanOf(from, to, releases) {
  if (to === releases.length - 1) return `since ${releases[from]}`;
  return from === to ? `in ${releases[from]}` : `${releases[from]}–${releases[to]}`;
}
