// Will my agent work: a table of models by clients, with a button in each cell.

import { agentAt, DATA, isPartial } from "./data.js";
import { foreign, ids, make } from "./elements.js";
import { plural, visible, wellFormed } from "./text.js";

/** @import { Agent } from "./data.js" */

/** Models that are shown at first; a button shows the others. */
const FIRST = 40;

/** @type {HTMLElement} */
export const agents = ids("agents");

/** How many models are shown. */
let shown = FIRST;

/**
 * The one button that Tab reaches.
 * @type {HTMLElement | null}
 */
let agentStop = null;

export function drawAgents() {
  if (!DATA.clients) return;
  const heads = DATA.clients.profiles.map(({ title, version }) =>
    make(
      "th",
      { scope: "col", class: "agent", title: visible(`${title} ${version}`) },
      make("span", {}, foreign(title, 40)),
    ),
  );
  const rows = DATA.models.slice(0, shown).map(drawModel);
  const table = make(
    "table",
    { role: "grid", "aria-labelledby": "will-it-work", "aria-describedby": "agents-help" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "model"), heads)),
    make("tbody", {}, rows),
  );
  agents.replaceChildren(table);
  ids("agents-help").hidden = false;
  setAgentStop(table.querySelector("button"));
  const hidden = DATA.models.length - shown;
  ids("more-agents").hidden = hidden <= 0;
  ids("more-agents").textContent = `Show ${plural(hidden, "more model")}`;
}

export function showAllAgents() {
  shown = DATA.models.length;
  drawAgents();
  agents.querySelector("tbody")?.children[FIRST]?.querySelector("button")?.focus();
}

function drawModel({ id }, row) {
  const cells = DATA.clients.profiles.map(({ title }, client) => {
    const readiness = agentAt({ row, client });
    if (!readiness) return make("td", {}, make("span", { class: "c none", role: "img", "aria-label": "not told" }));
    const partial = isPartial({ row, client });
    const label = `${visible(title)} with ${visible(id)}: ${readiness.title}${partial ? ", but only in some ways" : ""}`;
    const button = make("button", {
      type: "button",
      class: `c v-${readiness.verdict}${partial ? " cut" : ""}`,
      tabindex: "-1",
      title: label,
      "aria-label": label,
      "data-agent": `${row} ${client}`,
    });
    return make("td", {}, button);
  });
  return make("tr", {}, make("th", { scope: "row", title: visible(id) }, foreign(id, 200)), cells);
}

/**
 * The client and model that a button of the table stands for, or null.
 * @param {Element} element
 * @returns {Agent | null}
 */
export function agentOf(element) {
  const button = element.closest("[data-agent]");
  if (!button) return null;
  const [row, client] = (button.getAttribute("data-agent") ?? "").split(" ").map(Number);
  return { row, client };
}

/**
 * The button of a client and model, or null where it is not shown.
 * @param {Agent} agent
 * @returns {HTMLElement | null}
 */
export function elementOfAgent({ row, client }) {
  return agents.querySelector(`[data-agent="${row} ${client}"]`);
}

/**
 * @param {HTMLElement | null} element
 * @param {boolean} [focus]
 */
export function setAgentStop(element, focus = false) {
  if (!element) return;
  if (agentStop) agentStop.tabIndex = -1;
  agentStop = element;
  agentStop.tabIndex = 0;
  if (focus) agentStop.focus();
}

/**
 * Move from a button as a key says. Returns false for any other key.
 * @param {Agent} agent
 * @param {string} key
 */
export function moveAgent({ row, client }, key) {
  const last = { row: Math.min(shown, DATA.models.length) - 1, client: DATA.clients.profiles.length - 1 };
  /** @type {Record<string, number[]>} */
  const places = {
    ArrowDown: [row + 1, client],
    ArrowUp: [row - 1, client],
    ArrowRight: [row, client + 1],
    ArrowLeft: [row, client - 1],
    Home: [row, 0],
    End: [row, last.client],
  };
  const to = places[key];
  if (!to) return false;
  const kept = (at, end) => Math.max(0, Math.min(end, at));
  setAgentStop(elementOfAgent({ row: kept(to[0], last.row), client: kept(to[1], last.client) }), true);
  return true;
}

/**
 * The client and model that an address names, or null.
 * @param {string[]} names
 * @returns {Agent | null}
 */
export function findAgent([name, model]) {
  const client = DATA.clients ? DATA.clients.profiles.findIndex((each) => wellFormed(each.client) === name) : -1;
  const row = DATA.models.findIndex((each) => wellFormed(each.id) === model);
  return client < 0 || row < 0 || !agentAt({ row, client }) ? null : { row, client };
}
