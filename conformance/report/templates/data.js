// What the page was made with, small helpers, and the way from a text to the screen.

const DATA = JSON.parse(document.getElementById("data").textContent);
const MARK = { declared: 1, split: 2, change: 4 };
const ABSENT = ".";

/** The verdict that each letter stands for. */
const BY_LETTER = {};
for (const verdict of DATA.verdicts) for (const letter of verdict.letters) BY_LETTER[letter] = verdict;

const SPOKEN_BY = { g: "the gateway", b: "the backend", r: "somebody unknown" };

const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
const DIRECTIONS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A text with everything in it visible: control characters, direction marks, broken surrogates. */
function visible(text) {
  return wellFormed(String(text))
    .replace(CONTROLS, (char) => (char < " " ? String.fromCharCode(0x2400 + char.charCodeAt(0)) : "\ufffd"))
    .replace(DIRECTIONS, (char) => `\u27e8U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);
}

/** A text that has an encoding: lone surrogates have none. */
function wellFormed(text) {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** An element with attributes, and children that are elements or texts. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/** Somebody else's text, kept from turning the text around it. */
function foreign(text, limit = Infinity) {
  const shown = visible(text);
  return make("bdi", {}, shown.length > limit ? `${shown.slice(0, limit)}…` : shown);
}

function code(text, limit) {
  return make("code", {}, foreign(text, limit));
}

const { format: number } = new Intl.NumberFormat("en");

function plural(count, word) {
  return `${number(count)} ${word}${count === 1 ? "" : "s"}`;
}
