// Elements, and the way from a text to the screen.

import { visible } from "./text.js";

/**
 * The element with an id, of whatever kind it is.
 * @type {(id: string) => any}
 */
export const ids = (name) => document.getElementById(name);

/**
 * An element with attributes, and children that are elements or texts.
 * @param {string} tag
 * @param {Record<string, any>} attributes
 * @param {any[]} children
 * @returns {any}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/** Somebody else's text, kept from turning the text around it. */
export function foreign(text, limit = Infinity) {
  const shown = visible(text);
  return make("bdi", {}, shown.length > limit ? `${shown.slice(0, limit)}…` : shown);
}

/**
 * @param {unknown} text
 * @param {number} [limit]
 */
export function code(text, limit) {
  return make("code", {}, foreign(text, limit));
}

/** A text with what stands between backticks as code. */
export function prose(text) {
  return text.split("`").map((part, at) => (at % 2 ? code(part) : foreign(part)));
}

export function section(title, ...content) {
  return make("section", {}, make("h3", {}, title), content);
}

export function copyable(text) {
  const button = make("button", { type: "button", class: "button copy", onclick: () => copy(text, button) }, "Copy");
  return make("div", { class: "code" }, make("pre", { tabindex: "0" }, visible(text)), button);
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    getSelection()?.selectAllChildren(button.previousSibling);
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}
