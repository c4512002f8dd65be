// The drawer: a cell's evidence, or a client with a model, beside the page, or over all of a small screen.

import { writeAddress } from "./address.js";
import { agentContentOf } from "./agent.js";
import { agents, elementOfAgent, setAgentStop } from "./agents.js";
import { contentOf } from "./cell.js";
import { ids } from "./elements.js";
import { reveal, setStop } from "./moving.js";
import { elementOf, grid } from "./places.js";
import { showIn, small } from "./showing.js";
import { view } from "./view.js";

/** @import { Agent, Cell } from "./data.js" */

/** @type {HTMLDialogElement} */
export const drawer = ids("drawer");

/**
 * The element that the focus goes back to.
 * @type {HTMLElement | null}
 */
let opener = null;

/** @param {Cell} cell */
export function openCell(cell) {
  return show({ cell, agent: null }, contentOf(cell, { open: openCell, close: closeDrawer }));
}

/** @param {Agent} agent */
export function openAgent(agent) {
  return show({ cell: null, agent }, agentContentOf(agent, { openCell, close: closeDrawer }));
}

/**
 * @param {{ cell: Cell | null, agent: Agent | null }} opened
 * @param {Promise<HTMLElement[]>} content
 */
async function show(opened, content) {
  opener = elementOfOpen(opened) ?? opener;
  Object.assign(view, opened);
  writeAddress();
  const blocks = await content;
  if (view.cell !== opened.cell || view.agent !== opened.agent) return; // another one was opened meanwhile
  showIn(drawer, blocks);
  if (!small.matches && opener?.isConnected && grid.contains(opener)) reveal(opener);
  markOpen();
}

/** @param {{ cell: Cell | null, agent: Agent | null }} opened */
function elementOfOpen({ cell, agent }) {
  return cell ? elementOf(cell) : agent && elementOfAgent(agent);
}

/** Close the drawer, or keep it shut where a cell's evidence is still being unpacked. */
export function closeDrawer() {
  if (!drawer.open && !view.cell && !view.agent) return;
  drawer.close();
  leave();
}

/** The browser closed the drawer. It says so a task after `close()`: by then the cell is left, or another one opens. */
export function closed() {
  if (!drawer.open && document.body.classList.contains("with-drawer")) leave();
}

function leave() {
  document.body.classList.remove("with-drawer");
  const back = elementOfOpen(view) ?? opener;
  Object.assign(view, { cell: null, agent: null });
  writeAddress();
  markOpen();
  if (!back?.isConnected) return;
  if (agents.contains(back)) setAgentStop(back, true);
  else setStop(back, true);
}

export function markOpen() {
  for (const each of document.querySelectorAll("#grid [aria-current], #agents [aria-current]"))
    each.removeAttribute("aria-current");
  elementOfOpen(view)?.setAttribute("aria-current", "true");
}
