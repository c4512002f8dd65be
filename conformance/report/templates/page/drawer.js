// The drawer: a cell's evidence beside the grid, or over all of a small screen.

import { writeAddress } from "./address.js";
import { contentOf } from "./cell.js";
import { ids } from "./elements.js";
import { reveal, setStop } from "./moving.js";
import { elementOf, grid } from "./places.js";
import { view } from "./view.js";

/** @import { Cell } from "./data.js" */

/** @type {HTMLDialogElement} */
export const drawer = ids("drawer");

export const small = matchMedia("(max-width: 900px)");

/**
 * The element of the grid that the focus goes back to.
 * @type {HTMLElement | null}
 */
let opener = null;

/** @param {Cell} cell */
export async function openCell(cell) {
  opener = elementOf(cell) ?? opener;
  view.cell = cell;
  writeAddress();
  const content = await contentOf(cell, { open: openCell, close: closeDrawer });
  if (view.cell !== cell) return; // another one was opened meanwhile
  drawer.replaceChildren(...content);
  drawer.scrollTop = 0;
  if (!drawer.open) {
    if (small.matches) drawer.showModal();
    else drawer.show();
  }
  document.body.classList.add("with-drawer");
  ids("drawer-title").focus({ preventScroll: true });
  if (!small.matches && opener?.isConnected) reveal(opener);
  markOpen();
}

/** Close the drawer, or keep it shut where a cell's evidence is still being unpacked. */
export function closeDrawer() {
  if (!drawer.open && !view.cell) return;
  drawer.close();
  leave();
}

/** The browser closed the drawer. It says so a task after `close()`: by then the cell is left, or another one opens. */
export function closed() {
  if (!drawer.open && document.body.classList.contains("with-drawer")) leave();
}

function leave() {
  document.body.classList.remove("with-drawer");
  const cell = view.cell;
  view.cell = null;
  writeAddress();
  markOpen();
  const back = (cell && elementOf(cell)) ?? opener;
  if (back?.isConnected) setStop(back, true);
}

export function markOpen() {
  for (const each of grid.querySelectorAll("[aria-current]")) each.removeAttribute("aria-current");
  if (view.cell) elementOf(view.cell)?.setAttribute("aria-current", "true");
}
