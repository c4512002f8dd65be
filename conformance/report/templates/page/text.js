// How numbers and somebody else's texts are written.

/** Control characters but for tab and line end. */
const CONTROLS = /[^\P{Control}\t\n]/gu;

const DIRECTIONS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A text with everything in it visible: control characters, direction marks, broken surrogates. */
export function visible(text) {
  return wellFormed(String(text))
    .replace(CONTROLS, (char) => (char < " " ? String.fromCharCode(0x2400 + char.charCodeAt(0)) : "\ufffd"))
    .replace(DIRECTIONS, (char) => `\u27e8U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);
}

/**
 * A text that has an encoding: lone surrogates have none.
 * @param {string} text
 */
export function wellFormed(text) {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** A number as it is written in English, with commas. */
export const commas = new Intl.NumberFormat("en").format;

/**
 * @param {number} count
 * @param {string} word
 */
export function plural(count, word) {
  return `${commas(count)} ${word}${count === 1 ? "" : "s"}`;
}
