// What is known of a version of LiteLLM: measured, between two measured ones, newer than all, or older.

import { DATA, fateOf } from "./data.js";
import { BETWEEN } from "./words.js";

/** @typedef {{ how: "measured" | "between" | "newer" | "older" | "unreadable", first: number, second: number }} Found */

/** The numbers that a version begins with, or null. What follows them (`rc1`, `-stable`) is passed over. */
function numbersOf(text) {
  const found = /^v?(\d+(?:\.\d+){0,3})/.exec(text);
  return found ? found[1].split(".").map(Number) : null;
}

function compare(one, other) {
  for (let at = 0; at < 4; at += 1) {
    const difference = (one[at] ?? 0) - (other[at] ?? 0);
    if (difference) return difference;
  }
  return 0;
}

/**
 * Where a version stands among the measured releases.
 * @param {string} text
 * @returns {Found}
 */
export function findVersion(text) {
  const wanted = numbersOf(text);
  if (!wanted) return { how: "unreadable", first: 0, second: 0 };
  const places = DATA.releases.map((release) => compare(numbersOf(release), wanted));
  const same = places.indexOf(0);
  if (same >= 0) return { how: "measured", first: same, second: same };
  const second = places.findIndex((place) => place > 0);
  const last = places.length - 1;
  if (second < 0) return { how: "newer", first: last, second: last };
  if (second === 0) return { how: "older", first: 0, second: 0 };
  return { how: "between", first: second - 1, second };
}

/**
 * A model's letter at a version: what both neighbours say, or that they disagree.
 * @param {string} history
 * @param {Found} found
 */
export function letterFor(history, { first, second }) {
  const [before, after] = [history[first], history[second]];
  if (before === after) return before;
  if (fateOf(before) !== fateOf(after)) return BETWEEN;
  return fateOf(before) === "refused" ? "r" : after;
}

/** What has to be said of the answer as a whole. */
export function caveatOf({ how, first, second }, text) {
  const version = `LiteLLM ${text.replace(/^v/, "")}`;
  const [before, after] = [DATA.releases[first], DATA.releases[second]];
  return {
    measured: `${version} was measured.`,
    between: `${version} was not measured. Where ${before} and ${after} agree, it is taken to do the same.`,
    newer: `${version} is newer than all measured releases. This is what the newest of them does, ${after}.`,
    older: `${version} is older than the oldest measured release, ${after}. Nothing is known of it.`,
    unreadable: "Write a version such as 1.90.7.",
  }[how];
}
