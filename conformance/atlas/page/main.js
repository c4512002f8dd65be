// The atlas page: what each LiteLLM release does with a parameter, drawn from data in this file.

import { drawAnswer } from "./answer.js";
import { fillControls, showControls, wireControls } from "./controls.js";
import { closeDrawer, openCell, wireDrawer } from "./drawer.js";
import { ids } from "./elements.js";
import { cellAt, drawStrips, moveBy, openedAt } from "./strips.js";
import { wireTheme } from "./theme.js";
import { readAddress, view, writeAddress } from "./view.js";

function draw() {
  showControls();
  drawAnswer();
  ids("status").textContent = drawStrips();
}

/** What the reader chose is another one: an open cell belonged to the one before. */
function redraw() {
  closeDrawer();
  writeAddress();
  draw();
}

/** Show what the address says. */
function follow() {
  readAddress();
  const { cell } = view;
  if (!cell) ids("drawer").close();
  document.body.classList.toggle("with-drawer", Boolean(cell));
  draw();
  if (!cell) return;
  cellAt(cell)?.scrollIntoView({ block: "center" });
  openCell(cell);
}

function wireStrips() {
  const strips = ids("strips");
  strips.addEventListener("click", (event) => {
    const opened = openedAt(event.target);
    if (!opened) return;
    event.target.focus({ preventScroll: true });
    openCell(opened);
  });
  strips.addEventListener("keydown", (event) => {
    const opened = openedAt(event.target);
    if (!opened || event.altKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") openCell(opened);
    else if (!moveBy(event.target, event.key, event.ctrlKey)) return;
    event.preventDefault();
  });
  ids("answer").addEventListener("click", (event) => {
    const chip = event.target.closest(".chip");
    if (chip) openCell({ parameter: chip.dataset.parameter, release: chip.dataset.release, mode: "", model: "" });
  });
}

ids("explorer").hidden = false;
ids("theme").hidden = false;
fillControls();
wireTheme();
wireControls(redraw);
wireStrips();
wireDrawer();
addEventListener("hashchange", follow);
follow();
document.documentElement.dataset.ready = "";
