// Each parameter over the releases: in words, and as a strip of cells that arrow keys move through.

import { classOf, DATA, fateOf } from "./data.js";
import { code, ids, make } from "./elements.js";
import { commas, plural } from "./text.js";
import { chosenModels, chosenRows, view } from "./view.js";
import { inWords, roughly, summaryOf, told } from "./words.js";

const strips = ids("strips");

/** The summary of each release. */
export function summariesOf(histories) {
  return DATA.releases.map((_, at) => summaryOf(histories.map((history) => history[at])));
}

function hasChanged(histories) {
  return histories.some((history) => new Set([...history].map(fateOf).filter(Boolean)).size > 1);
}

/** Draw what the reader chose. Returns what is shown, in words. */
export function drawStrips() {
  const all = chosenRows();
  const rows = view.only ? all.filter((row) => hasChanged(row.histories)) : all;
  strips.replaceChildren(header(), ...rows.map(line));
  strips.hidden = !rows.length;
  const first = strips.querySelector(".c");
  if (first) first.tabIndex = 0;
  const changed = all.filter((row) => hasChanged(row.histories)).length;
  const models = plural(chosenModels().length, "model");
  return `${plural(all.length, "parameter")} of ${models}; ${commas(changed)} changed${rows.length ? "." : ": nothing to show."}`;
}

function header() {
  return make(
    "div",
    { role: "row", class: "strip-row heads" },
    make("span", { role: "columnheader", class: "strip-name" }, "Parameter"),
    make("span", { role: "columnheader", class: "strip-words" }, "What became of it"),
    make(
      "div",
      { role: "presentation", class: "strip" },
      DATA.releases.map((release) =>
        make("span", { role: "columnheader", class: "release" }, make("span", {}, release)),
      ),
    ),
  );
}

function line({ parameter, histories }) {
  const summaries = summariesOf(histories);
  const words = summaries.map(told);
  return make(
    "div",
    { role: "row", class: "strip-row", "data-parameter": parameter },
    make("span", { role: "rowheader", class: "strip-name" }, code(parameter)),
    make("span", { role: "gridcell", class: "strip-words" }, inWords(summaries.map(roughly), DATA.releases)),
    make(
      "div",
      { role: "presentation", class: "strip" },
      summaries.map(({ letter, mixed }, at) => {
        const label = `LiteLLM ${DATA.releases[at]}: ${words[at]}`;
        return make("span", {
          role: "gridcell",
          class: `c ${classOf(letter)}${mixed ? " cut" : ""}`,
          "aria-label": label,
          title: label,
          tabindex: "-1",
          "data-release": DATA.releases[at],
        });
      }),
    ),
  );
}

/** The cell of a parameter at a release, or null. */
export function cellAt({ parameter, release }) {
  const row = [...strips.children].find((each) => each.dataset.parameter === parameter);
  return row?.querySelector(`[data-release="${release}"]`) ?? null;
}

/** What a cell of the strips is about, or null for another element. */
export function openedAt(element) {
  const cell = element.closest?.("#strips .c");
  if (!cell) return null;
  return {
    parameter: cell.closest(".strip-row").dataset.parameter,
    release: cell.dataset.release,
    mode: "",
    model: "",
  };
}

/** Give a cell the one place of the strips that Tab reaches, and the focus. */
export function focusCell(cell) {
  for (const each of strips.querySelectorAll("[tabindex='0']")) each.tabIndex = -1;
  cell.tabIndex = 0;
  cell.focus();
}

/** Move the focus as a key says. Returns false for any other key. */
export function moveBy(cell, key, whole) {
  const row = cell.closest(".strip-row");
  const rows = [...strips.querySelectorAll(".strip-row:not(.heads)")];
  const cells = [...row.querySelectorAll(".c")];
  let [down, right] = [rows.indexOf(row), cells.indexOf(cell)];
  if (key === "ArrowDown") down += 1;
  else if (key === "ArrowUp") down -= 1;
  else if (key === "ArrowRight") right += 1;
  else if (key === "ArrowLeft") right -= 1;
  else if (key === "Home") [down, right] = [whole ? 0 : down, 0];
  else if (key === "End") [down, right] = [whole ? rows.length - 1 : down, cells.length - 1];
  else return false;
  const target = rows[down]?.querySelectorAll(".c")[right];
  if (target) focusCell(target);
  return true;
}
