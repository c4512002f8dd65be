// Moving about the grid: one cell at a time can be reached with Tab, arrow keys move from there.

import { drawn, firstCell, frame, grid, LINE } from "./places.js";

/** The one element of the grid that Tab reaches. */
let stop = null;

export function setStop(element, focus = false) {
  const next = element ?? firstCell();
  if (stop && stop !== next) stop.tabIndex = -1;
  stop = next;
  if (!stop) return;
  stop.tabIndex = 0;
  if (focus) stop.focus({ preventScroll: true });
  if (focus) reveal(stop);
}

export function focusStop() {
  setStop(stop, true);
}

/** Scroll a cell out from under the headers. */
export function reveal(element) {
  const box = element.getBoundingClientRect(),
    outer = frame.getBoundingClientRect();
  const top = outer.top + grid.firstChild.offsetHeight;
  const corner = grid.querySelector(".corner").offsetWidth;
  if (box.top < top) frame.scrollTop -= top - box.top;
  else if (box.bottom > outer.bottom - 12) frame.scrollTop += box.bottom - outer.bottom + 16;
  if (outer.top < 0 || outer.bottom > innerHeight) frame.scrollIntoView({ block: "nearest" });
  if (element.matches("[role=rowheader]")) return;
  if (box.left < outer.left + corner) frame.scrollLeft -= outer.left + corner - box.left + 8;
  else if (box.right > outer.right - 12) frame.scrollLeft += box.right - outer.right + 24;
}

/** The column that moves up and down keep to, over the lines of routes, which have but one. */
let wantedColumn = 1;

export function move(place, key, whole) {
  const lines = drawn.lines,
    line = lines.indexOf(place.line),
    last = (n) => lines[n].children.length - 1;
  const page = Math.max(1, Math.floor((frame.clientHeight - grid.firstChild.offsetHeight) / LINE) - 1);
  const down = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }[key];
  let [toLine, toCell] = [line, place.at];
  if (down) toLine = Math.min(lines.length - 1, Math.max(0, line + down));
  else if (key === "ArrowRight") toCell += 1;
  else if (key === "ArrowLeft") toCell -= 1;
  else if (key === "Home") [toLine, toCell] = [whole ? 0 : line, 0];
  else if (key === "End") [toLine, toCell] = [whole ? lines.length - 1 : line, Infinity];
  else return false;
  wantedColumn = down && place.at === 0 && place.line.dataset.route !== undefined ? wantedColumn : toCell;
  setStop(lines[toLine].children[Math.max(0, Math.min(last(toLine), down ? wantedColumn : toCell))], true);
  return true;
}
