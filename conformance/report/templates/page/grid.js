// The grid: every row stands in the document, so that it can be searched, printed and read aloud; the
// browser lays out only those in sight (`content-visibility`).

import { ABSENT, BY_LETTER, cellOver, DATA, MARK, routeOf } from "./data.js";
import { foreign, make } from "./elements.js";
import { setStop } from "./moving.js";
import { drawn, frame, grid, keptPlace, LINE, placeOf } from "./places.js";
import { plural, visible } from "./text.js";
import { closedRoutes, passing } from "./view.js";

/** Pixels: a column, the gap before a group, a letter of a group's name, and the steps by which it is given more room. */
const CELL = 26;
const GAP = 9;
const LETTER = 7.2;
const STEP = 8;

/** Pixels that paper has for the grid, and those of its first column there. */
const PAPER = 960;
const PAPER_HEAD = 190;

/** Characters of a parameter's id that stand above its column. */
const LABEL = 30;

export function drawGrid(selection) {
  const focused = document.activeElement && placeOf(document.activeElement);
  const scroll = [frame.scrollLeft, frame.scrollTop];
  const { rows, columns } = selection;
  const { element: headers, heads, width } = drawHeaders(columns);
  const template = drawTemplate(columns);
  const lines = [];
  const body = document.createDocumentFragment();
  let route;
  let open = true;
  for (const row of rows) {
    const name = routeOf(DATA.models[row]);
    if (name !== route) {
      route = name;
      open = !closedRoutes.has(route);
      const line = drawRoute(route, rows, open);
      lines.push(line);
      body.append(line);
    }
    if (!open) continue;
    const line = drawRow(template, row, columns, selection);
    lines.push(line);
    body.append(line);
  }
  grid.style.setProperty("--columns-width", `${width}px`);
  frame.style.setProperty("--print-zoom", Math.min(0.8, PAPER / (width + PAPER_HEAD)).toFixed(3));
  grid.replaceChildren(headers, body);
  Object.assign(drawn, selection, { heads, lines, near: new Set() });
  frame.classList.toggle("empty", !rows.length);
  if (scroll.some(Boolean)) frame.scrollTo(scroll[0], scroll[1]);
  layNear();
  setStop(focused && keptPlace(focused), focused !== null);
}

/** Have the rows in sight, and some beyond, laid out before the next frame: left alone, the browser does so a frame late. */
export function layNear() {
  const margin = frame.clientHeight / 2;
  const first = Math.max(0, Math.floor((frame.scrollTop - margin) / LINE));
  const near = new Set(drawn.lines.slice(first, Math.ceil((frame.scrollTop + frame.clientHeight + margin) / LINE)));
  for (const line of drawn.near) if (!near.has(line)) line.classList.remove("near");
  for (const line of near) if (!drawn.near.has(line)) line.classList.add("near");
  drawn.near = near;
}

/** Groups of neighbouring columns. */
function groupsOf(columns) {
  const groups = [];
  for (const column of columns) {
    const name = DATA.parameters[column].group;
    if (groups.at(-1)?.name !== name) groups.push({ name, columns: [] });
    groups.at(-1).columns.push(column);
  }
  return groups;
}

function drawHeaders(columns) {
  const groups = groupsOf(columns);
  const heads = [];
  let width = 0;
  const names = make(
    "div",
    { role: "row", class: "line names" },
    make("span", { role: "columnheader", class: "corner" }, "purpose"),
  );
  const labels = make(
    "div",
    { role: "row", class: "line labels" },
    make("span", { role: "columnheader", class: "corner" }, "model"),
  );
  for (const group of groups) {
    const span = group.columns.length * CELL + roomOf(group) * STEP;
    const name = make(
      "span",
      { role: "columnheader", "aria-colspan": group.columns.length, class: "name", title: group.name },
      group.name,
    );
    name.style.width = `${span}px`;
    names.append(name);
    width += span + GAP;
    for (const column of group.columns) {
      const { id, why } = DATA.parameters[column];
      const head = make(
        "span",
        { role: "columnheader", class: `label ${edges(group, column)}`, title: visible(why ? `${id}: ${why}` : id) },
        make("span", {}, foreign(shortened(id))),
      );
      labels.append(head);
      heads.push(head);
    }
  }
  return { element: make("div", { role: "rowgroup", class: "headers" }, names, labels), heads, width };
}

function edges(group, column) {
  const room = column === group.columns.at(-1) ? roomOf(group) : 0;
  return (column === group.columns[0] ? " first" : "") + (room ? ` room-${room}` : "");
}

/** How many steps more than its columns the name of a group needs. */
function roomOf({ name, columns }) {
  return Math.max(0, Math.min(5, Math.ceil((name.length * LETTER - columns.length * CELL) / STEP)));
}

/** A long id without its middle: ids that begin alike differ in their ends. */
function shortened(id) {
  return id.length <= LABEL ? id : `${id.slice(0, 13)}…${id.slice(-16)}`;
}

/** A row with a cell for each column, to be copied. */
function drawTemplate(columns) {
  const line = make(
    "div",
    { role: "row", "aria-level": "2", class: "line" },
    make("span", { role: "rowheader", class: "model", tabindex: "-1" }),
  );
  for (const group of groupsOf(columns)) {
    for (const column of group.columns)
      line.append(make("span", { role: "gridcell", tabindex: "-1", "data-edges": edges(group, column) }));
  }
  return line;
}

function drawRow(template, row, columns, { planes, hits }) {
  const line = template.cloneNode(true);
  const model = DATA.models[row];
  const header = line.firstChild;
  line.dataset.row = row;
  header.append(foreign(model.id, 200));
  header.title = visible(model.served_by.length ? `${model.id} (${model.served_by.join(", ")})` : model.id).slice(
    0,
    2000,
  );
  let cell = header;
  let refused = 0;
  for (const column of columns) {
    cell = cell.nextSibling;
    const hit = !hits || hits.has(row * DATA.parameters.length + column);
    const { letter, marks, mixed } = cellOver(hits && hit ? passing(planes, row, column) : planes, row, column);
    const edge = cell.dataset.edges;
    if (letter === ABSENT) {
      cell.className = `c none${edge}`;
      cell.setAttribute("aria-label", "not asked");
      continue;
    }
    const verdict = BY_LETTER[letter];
    if (verdict.id === "rejected") refused += 1;
    let style = `c v-${verdict.id}${edge}`;
    let label = verdict.title;
    if (mixed || marks & MARK.split) [style, label] = [`${style} cut`, `${label}, differs`];
    if (marks >= MARK.change) [style, label] = [`${style} changed`, `${label}, ${DATA.kinds[(marks >> 2) - 1].title}`];
    if (!hit) style += " faint";
    cell.className = style;
    cell.setAttribute("aria-label", label);
  }
  if (refused)
    header.append(
      make("span", { class: "refused", title: `${plural(refused, "parameter")} rejected here` }, String(refused)),
    );
  return line;
}

function drawRoute(route, rows, open) {
  const mine = rows.filter((row) => routeOf(DATA.models[row]) === route);
  const header = make(
    "span",
    { role: "rowheader", class: "route", tabindex: "-1" },
    make("span", { class: "arrow", "aria-hidden": "true" }, open ? "▾" : "▸"),
    make("strong", {}, foreign(route, 80)),
    make("span", { class: "hint" }, plural(mine.length, "model")),
  );
  return make(
    "div",
    { role: "row", "aria-level": "1", "aria-expanded": String(open), class: "line route-line", "data-route": route },
    header,
  );
}
