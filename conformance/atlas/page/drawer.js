// The drawer: what is behind a cell, beside the page, or over all of a small screen.

import { contentOf } from "./detail.js";
import { ids } from "./elements.js";
import { showIn } from "./showing.js";
import { cellAt, focusCell } from "./strips.js";
import { view, writeAddress } from "./view.js";

/** @import { Opened } from "./view.js" */

/** @type {HTMLDialogElement} */
const drawer = ids("drawer");

/**
 * What has the focus again when the drawer is closed.
 * @type {HTMLElement | null}
 */
let opener = null;

/** @param {Opened} opened */
export async function openCell(opened) {
  if (!drawer.open) opener = /** @type {HTMLElement | null} */ (document.activeElement);
  view.cell = opened;
  writeAddress();
  const blocks = await contentOf(opened, { open: openCell, close: closeDrawer });
  if (view.cell !== opened) return; // another one was opened meanwhile, or none is wanted any more
  showIn(drawer, blocks);
  mark();
}

export function closeDrawer() {
  if (drawer.open) drawer.close();
  if (!view.cell) return;
  const cell = cellAt(view.cell);
  view.cell = null;
  document.body.classList.remove("with-drawer");
  writeAddress();
  mark();
  if (opener?.isConnected && opener !== document.body && !drawer.contains(opener)) opener.focus();
  else if (cell) focusCell(cell);
}

function mark() {
  for (const each of document.querySelectorAll("#strips [aria-current]")) each.removeAttribute("aria-current");
  if (view.cell) cellAt(view.cell)?.setAttribute("aria-current", "true");
}

export function wireDrawer() {
  drawer.addEventListener("cancel", (event) => {
    event.preventDefault();
    closeDrawer();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && drawer.open) closeDrawer();
  });
}
