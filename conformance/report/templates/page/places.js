// What is drawn of the grid, and where each cell stands in it.

import { cellOver } from "./data.js";
import { ids } from "./elements.js";
import { passing } from "./view.js";

/** @import { Cell } from "./data.js" */

/** @type {HTMLElement} */
export const frame = ids("frame");

/** @type {HTMLElement} */
export const grid = ids("grid");

/** Pixels of a line's height. */
export const LINE = 28;

/**
 * The selection that is drawn, the column heads and lines that show it, and those lines that are laid out ahead.
 * @type {{
 *   rows: number[], columns: number[], planes: number[], hits: Set<number> | null,
 *   heads: HTMLElement[], lines: HTMLElement[], near: Set<HTMLElement>,
 * }}
 */
export const drawn = { rows: [], columns: [], planes: [], hits: null, heads: [], lines: [], near: new Set() };

/**
 * Where an element of the grid stands: its line, its place in that, and the row or route that the line shows.
 * @typedef {{ line: HTMLElement, at: number, row: string | undefined, route: string | undefined }} Place
 */

/**
 * @param {Element} element
 * @returns {Place | null}
 */
export function placeOf(element) {
  const cell = element.closest("[role=gridcell], [role=rowheader]");
  if (!cell || !grid.contains(cell)) return null;
  const line = /** @type {HTMLElement} */ (cell.parentNode);
  return { line, at: [...line.children].indexOf(cell), row: line.dataset.row, route: line.dataset.route };
}

/**
 * The place in the newly drawn grid that a place in the old one has become.
 * @param {Place} place
 */
export function keptPlace({ row, route, at }) {
  const line = drawn.lines.find((each) => each.dataset.row === row && each.dataset.route === route);
  return line ? childOf(line, at) : null;
}

export function firstCell() {
  const line = drawn.lines.find((each) => each.dataset.row !== undefined) ?? drawn.lines[0];
  return line ? childOf(line, 1) : null;
}

/**
 * The element at a place in a line, or the nearest one.
 * @param {HTMLElement} line
 * @param {number} at
 */
export function childOf(line, at) {
  const nearest = Math.max(0, Math.min(line.children.length - 1, at));
  return /** @type {HTMLElement} */ (line.children[nearest]);
}

/**
 * @param {Cell} cell
 * @returns {HTMLElement | null}
 */
export function elementOf({ row, column }) {
  const line = drawn.lines.find((each) => each.dataset.row === String(row));
  const at = drawn.columns.indexOf(column);
  return line ? childOf(line, at + 1) : null;
}

/**
 * The cell of the data that an element of the grid shows, or null.
 * @param {Element} element
 * @returns {Cell | null}
 */
export function cellOf(element) {
  const place = element && placeOf(element);
  if (!place || place.row === undefined || place.at === 0) return null;
  const row = Number(place.row);
  const column = drawn.columns[place.at - 1];
  const planes = drawn.hits ? passing(drawn.planes, row, column) : drawn.planes;
  const { plane } = cellOver(planes, row, column);
  return plane < 0 ? null : { plane, row, column };
}

export function highlight(element) {
  for (const lit of grid.querySelectorAll(".label.lit")) lit.classList.remove("lit");
  const place = element && placeOf(element);
  if (place?.at && place.row !== undefined) drawn.heads[place.at - 1]?.classList.add("lit");
}
