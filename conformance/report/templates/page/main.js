// Wiring: controls to the view, the view to the grid and the address, keys and clicks to cells.

import { readAddress, writeAddress } from "./address.js";
import { agentOf, agents, drawAgents, moveAgent, setAgentStop, showAllAgents } from "./agents.js";
import { buildControls, showControls } from "./controls.js";
import { closeDrawer, closed, drawer, markOpen, openAgent, openCell } from "./drawer.js";
import { ids } from "./elements.js";
import { drawGrid, layNear } from "./grid.js";
import { focusStop, move, setStop } from "./moving.js";
import { cellOf, childOf, frame, grid, highlight, placeOf } from "./places.js";
import { small } from "./showing.js";
import { wireTheme } from "./theme.js";
import { closedRoutes, emptyView, select, view } from "./view.js";

/** Draw what the view says, in the controls, the address and the grid. */
function refresh() {
  const selection = select();
  drawGrid(selection);
  showControls(selection);
  writeAddress();
  markOpen();
}

function set(name, value) {
  view[name] = value;
  refresh();
}

function clearFilters() {
  Object.assign(view, emptyView(), { cell: view.cell, agent: view.agent });
  closedRoutes.clear();
  refresh();
}

async function followAddress() {
  readAddress();
  refresh();
  if (!(await openNamed())) closeDrawer();
  ids(view.agent ? "clients" : "explorer").scrollIntoView();
}

/** Open what the address names; false where it names nothing. */
async function openNamed() {
  const { cell, agent } = view;
  if (cell) await openCell(cell);
  else if (agent) await openAgent(agent);
  return cell !== null || agent !== null;
}

function onKey(event) {
  if (event.key === "Escape" && (drawer.open || view.cell || view.agent)) {
    event.preventDefault();
    closeDrawer();
    return;
  }
  if (event.altKey || event.metaKey) return;
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey) {
    event.preventDefault();
    ids("tools").open = true;
    ids("models").focus();
    return;
  }
  const agent = agents.contains(event.target) && agentOf(event.target);
  if (agent && moveAgent(agent, event.key)) event.preventDefault();
  const place = grid.contains(event.target) && placeOf(event.target);
  if (!place) return;
  const { route } = place;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    act(event.target);
  } else if (route !== undefined && event.key === "ArrowLeft" && !closedRoutes.has(route)) toggleRoute(route, false);
  else if (route !== undefined && event.key === "ArrowRight" && closedRoutes.has(route)) toggleRoute(route, true);
  else if (!move(place, event.key, event.ctrlKey)) return;
  event.preventDefault();
}

/** What a click or Enter on an element of the grid does. */
function act(element) {
  const place = placeOf(element);
  if (!place) return;
  setStop(childOf(place.line, place.at));
  if (place.route !== undefined) toggleRoute(place.route);
  const cell = cellOf(element);
  if (cell) openCell(cell);
}

/** What a click or Enter on a button of the clients does. */
function actOnAgent(element) {
  const agent = agentOf(element);
  if (!agent) return;
  setAgentStop(element.closest("button"));
  openAgent(agent);
}

function toggleRoute(route, open = closedRoutes.has(route)) {
  if (open) closedRoutes.delete(route);
  else closedRoutes.add(route);
  refresh();
}

wireTheme();
buildControls(set);
drawAgents();
readAddress();
for (const name of ["theme", "explorer", "skip"]) ids(name).hidden = false;
if (small.matches) ids("tools").open = false;
agents.addEventListener("click", (event) => actOnAgent(event.target));
ids("more-agents").addEventListener("click", showAllAgents);
grid.addEventListener("click", (event) => act(event.target));
grid.addEventListener("focusin", (event) => highlight(event.target));
grid.addEventListener("pointerover", (event) => highlight(event.target));
document.addEventListener("keydown", onKey);
frame.addEventListener("scroll", layNear, { passive: true });
addEventListener("resize", layNear);
drawer.addEventListener("close", closed);
ids("clear").addEventListener("click", clearFilters);
ids("skip").addEventListener("click", () => {
  ids("explorer").scrollIntoView();
  focusStop();
});
addEventListener("hashchange", followAddress);
refresh();
openNamed().then((opened) => opened && ids(view.agent ? "clients" : "explorer").scrollIntoView());
performance.mark("usable");
document.documentElement.dataset.ready = "true";
