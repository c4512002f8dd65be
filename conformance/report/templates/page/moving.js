// Moving about the grid: one cell at a time can be reached with Tab, arrow keys move from there.

import { childOf, drawn, firstCell, frame, grid, LINE } from "./places.js";

/** @import { Place } from "./places.js" */

/**
 * The one element of the grid that Tab reaches.
 * @type {HTMLElement | null}
 */
let stop = null;

/**
 * @param {HTMLElement | null} element
 * @param {boolean} [focus]
 */
export function setStop(element, focus = false) {
  const next = element ?? firstCell();
  if (stop && stop !== next) stop.tabIndex = -1;
  stop = next;
  if (!stop) return;
  stop.tabIndex = 0;
  if (focus) stop.focus({ preventScroll: true });
  if (focus) reveal(stop);
}

function headersHeight() {
  return /** @type {HTMLElement} */ (grid.firstChild).offsetHeight;
}

export function focusStop() {
  setStop(stop, true);
}

/**
 * Scroll a cell out from under the headers.
 * @param {HTMLElement} element
 */
export function reveal(element) {
  const box = element.getBoundingClientRect();
  const outer = frame.getBoundingClientRect();
  const top = outer.top + headersHeight();
  const corner = /** @type {HTMLElement} */ (grid.querySelector(".corner")).offsetWidth;
  if (box.top < top) frame.scrollTop -= top - box.top;
  else if (box.bottom > outer.bottom - 12) frame.scrollTop += box.bottom - outer.bottom + 16;
  if (outer.top < 0 || outer.bottom > innerHeight) frame.scrollIntoView({ block: "nearest" });
  if (element.matches("[role=rowheader]")) return;
  if (box.left < outer.left + corner) frame.scrollLeft -= outer.left + corner - box.left + 8;
  else if (box.right > outer.right - 12) frame.scrollLeft += box.right - outer.right + 24;
}

/** The column that moves up and down keep to, over the lines of routes, which have but one. */
let wantedColumn = 1;

/**
 * Move from a place as a key says; `whole` is a move over the whole grid. Returns false for any other key.
 * @param {Place} place
 * @param {string} key
 * @param {boolean} whole
 */
export function move(place, key, whole) {
  const lines = drawn.lines;
  const line = lines.indexOf(place.line);
  const page = Math.max(1, Math.floor((frame.clientHeight - headersHeight()) / LINE) - 1);
  const down = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }[key];
  let [toLine, toCell] = [line, place.at];
  if (down) toLine = Math.min(lines.length - 1, Math.max(0, line + down));
  else if (key === "ArrowRight") toCell += 1;
  else if (key === "ArrowLeft") toCell -= 1;
  else if (key === "Home") [toLine, toCell] = [whole ? 0 : line, 0];
  else if (key === "End") [toLine, toCell] = [whole ? lines.length - 1 : line, Infinity];
  else return false;
  wantedColumn = down && place.at === 0 && place.line.dataset.route !== undefined ? wantedColumn : toCell;
  setStop(childOf(lines[toLine], down ? wantedColumn : toCell), true);
  return true;
}
