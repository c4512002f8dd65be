// Wiring: controls to the view, the view to the grid and the address, keys and clicks to cells.

import { readAddress, writeAddress } from "./address.js";
import { buildControls, showControls } from "./controls.js";
import { closeDrawer, closed, drawer, markOpen, openCell, small } from "./drawer.js";
import { ids } from "./elements.js";
import { drawGrid, layNear } from "./grid.js";
import { focusStop, move, setStop } from "./moving.js";
import { cellOf, childOf, frame, grid, highlight, placeOf } from "./places.js";
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
  Object.assign(view, emptyView(), { cell: view.cell });
  closedRoutes.clear();
  refresh();
}

async function followAddress() {
  readAddress();
  refresh();
  if (view.cell) await openCell(view.cell);
  else closeDrawer();
  ids("explorer").scrollIntoView();
}

function onKey(event) {
  if (event.key === "Escape" && (drawer.open || view.cell)) {
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

function toggleRoute(route, open = closedRoutes.has(route)) {
  if (open) closedRoutes.delete(route);
  else closedRoutes.add(route);
  refresh();
}

wireTheme();
buildControls(set);
readAddress();
for (const name of ["theme", "explorer", "skip"]) ids(name).hidden = false;
if (small.matches) ids("tools").open = false;
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
if (view.cell) openCell(view.cell).then(() => ids("explorer").scrollIntoView());
performance.mark("usable");
document.documentElement.dataset.ready = "true";
