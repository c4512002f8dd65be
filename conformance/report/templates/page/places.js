// What is drawn of the grid, and where each cell stands in it.

import { cellOver } from "./data.js";
import { passing } from "./view.js";

export const frame = document.getElementById("frame");

export const grid = document.getElementById("grid");

/** Pixels of a line's height. */
export const LINE = 28;

/** The selection that is drawn, the column heads and lines that show it, and those lines that are laid out ahead. */
export const drawn = { rows: [], columns: [], planes: [], hits: null, heads: [], lines: [], near: new Set() };

export function placeOf(element) {
  const cell = element.closest("[role=gridcell], [role=rowheader]");
  if (!cell || !grid.contains(cell)) return null;
  const line = cell.parentNode;
  return { line, at: [...line.children].indexOf(cell), row: line.dataset.row, route: line.dataset.route };
}

/** The place in the newly drawn grid that a place in the old one has become. */
export function keptPlace({ row, route, at }) {
  const line = drawn.lines.find((each) => each.dataset.row === row && each.dataset.route === route);
  return line ? line.children[Math.min(at, line.children.length - 1)] : null;
}

export function firstCell() {
  const line = drawn.lines.find((each) => each.dataset.row !== undefined) ?? drawn.lines[0];
  return line ? line.children[Math.min(1, line.children.length - 1)] : null;
}

export function elementOf({ row, column }) {
  const line = drawn.lines.find((each) => each.dataset.row === String(row));
  return line?.children[drawn.columns.indexOf(column) + 1] ?? null;
}

/** The cell of the data that an element of the grid shows, or null. */
export function cellOf(element) {
  const place = element && placeOf(element);
  if (!place || place.row === undefined || place.at === 0) return null;
  const row = Number(place.row),
    column = drawn.columns[place.at - 1];
  const planes = drawn.hits ? passing(drawn.planes, row, column) : drawn.planes;
  const { plane } = cellOver(planes, row, column);
  return plane < 0 ? null : { plane, row, column };
}

export function highlight(element) {
  for (const lit of grid.querySelectorAll(".label.lit")) lit.classList.remove("lit");
  const place = element && placeOf(element);
  if (place?.at && place.row !== undefined) drawn.heads[place.at - 1]?.classList.add("lit");
}
