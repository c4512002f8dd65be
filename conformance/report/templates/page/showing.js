// Shows a drawer: beside the page, or over all of a small screen.

import { ids } from "./elements.js";

export const small = matchMedia("(max-width: 900px)");

/**
 * @param {HTMLDialogElement} dialog
 * @param {HTMLElement[]} blocks
 */
export function showIn(dialog, blocks) {
  dialog.replaceChildren(...blocks);
  dialog.scrollTop = 0;
  if (!dialog.open) {
    if (small.matches) dialog.showModal();
    else dialog.show();
  }
  document.body.classList.add("with-drawer");
  ids("drawer-title").focus({ preventScroll: true });
}
