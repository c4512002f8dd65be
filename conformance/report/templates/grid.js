// The grid: every row stands in the document, so that it can be searched, printed and read aloud; the
// browser lays out only those in sight (`content-visibility`).

const frame = document.getElementById("frame");
const grid = document.getElementById("grid");
const closedRoutes = new Set();
let drawn = { rows: [], columns: [], planes: [], heads: [], lines: [], near: new Set() };

/** Pixels: a column, the gap before a group, a letter of a group's name, and the steps by which it is given more room. */
const CELL = 26, LINE = 28, GAP = 9, LETTER = 7.2, STEP = 8;
/** Pixels that paper has for the grid, and those of its first column there. */
const PAPER = 960, PAPER_HEAD = 190;
/** Characters of a parameter's id that stand above its column. */
const LABEL = 30;

function drawGrid(selection) {
  const focused = grid.contains(document.activeElement) ? placeOf(document.activeElement) : null;
  const scroll = [frame.scrollLeft, frame.scrollTop];
  const { rows, columns } = selection;
  const { element: headers, heads, width } = drawHeaders(columns);
  const template = drawTemplate(columns);
  const lines = [];
  const body = document.createDocumentFragment();
  let route, open = true;
  for (const row of rows) {
    const name = routeOf(DATA.models[row]);
    if (name !== route) {
      route = name;
      open = !closedRoutes.has(route);
      const line = drawRoute(route, rows, columns, selection, open);
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
  drawn = { ...selection, heads, lines, near: new Set() };
  frame.classList.toggle("empty", !rows.length);
  if (scroll.some(Boolean)) frame.scrollTo(...scroll);
  layNear();
  setStop(focused && keptPlace(focused), focused !== null);
}

/** Have the rows in sight, and some beyond, laid out before the next frame: left alone, the browser does so a frame late. */
function layNear() {
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
  const names = make("div", { role: "row", class: "line names" }, make("span", { role: "columnheader", class: "corner" }, "purpose"));
  const labels = make("div", { role: "row", class: "line labels" }, make("span", { role: "columnheader", class: "corner" }, "model"));
  for (const group of groups) {
    const span = group.columns.length * CELL + roomOf(group) * STEP;
    const name = make("span", { role: "columnheader", "aria-colspan": group.columns.length, class: "name", title: group.name }, group.name);
    name.style.width = `${span}px`;
    names.append(name);
    width += span + GAP;
    for (const column of group.columns) {
      const { id, why } = DATA.parameters[column];
      const head = make("span", { role: "columnheader", class: `label ${edges(group, column)}`, title: visible(why ? `${id}: ${why}` : id) }, make("span", {}, foreign(shortened(id))));
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
  const line = make("div", { role: "row", "aria-level": "2", class: "line" }, make("span", { role: "rowheader", class: "model", tabindex: "-1" }));
  for (const group of groupsOf(columns)) {
    for (const column of group.columns) line.append(make("span", { role: "gridcell", tabindex: "-1", "data-edges": edges(group, column) }));
  }
  return line;
}

function drawRow(template, row, columns, { planes, hits }) {
  const line = template.cloneNode(true);
  const model = DATA.models[row];
  const header = line.firstChild;
  line.dataset.row = row;
  header.append(foreign(model.id, 200));
  header.title = visible(model.served_by.length ? `${model.id} (${model.served_by.join(", ")})` : model.id).slice(0, 2000);
  let cell = header, refused = 0;
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
    let style = `c v-${verdict.id}${edge}`, label = verdict.title;
    if (mixed || marks & MARK.split) [style, label] = [`${style} cut`, `${label}, differs`];
    if (marks >= MARK.change) [style, label] = [`${style} changed`, `${label}, ${DATA.kinds[(marks >> 2) - 1].title}`];
    if (!hit) style += " faint";
    cell.className = style;
    cell.setAttribute("aria-label", label);
  }
  if (refused) header.append(make("span", { class: "refused", title: `${plural(refused, "parameter")} rejected here` }, String(refused)));
  return line;
}

function drawRoute(route, rows, columns, { planes }, open) {
  const mine = rows.filter((row) => routeOf(DATA.models[row]) === route);
  const header = make(
    "span",
    { role: "rowheader", class: "route", tabindex: "-1" },
    make("span", { class: "arrow", "aria-hidden": "true" }, open ? "▾" : "▸"),
    make("strong", {}, foreign(route, 80)),
    make("span", { class: "hint" }, plural(mine.length, "model")),
  );
  return make("div", { role: "row", "aria-level": "1", "aria-expanded": String(open), class: "line route-line", "data-route": route }, header);
}

// Moving about: one cell at a time can be reached with Tab, arrow keys move from there.

let stop = null;

function placeOf(element) {
  const cell = element.closest("[role=gridcell], [role=rowheader]");
  if (!cell || !grid.contains(cell)) return null;
  const line = cell.parentNode;
  return { line, at: [...line.children].indexOf(cell), row: line.dataset.row, route: line.dataset.route };
}

/** The place in the newly drawn grid that a place in the old one has become. */
function keptPlace({ row, route, at }) {
  const line = drawn.lines.find((each) => each.dataset.row === row && each.dataset.route === route);
  return line ? line.children[Math.min(at, line.children.length - 1)] : null;
}

function setStop(element, focus = false) {
  const next = element ?? firstCell();
  if (stop && stop !== next) stop.tabIndex = -1;
  stop = next;
  if (!stop) return;
  stop.tabIndex = 0;
  if (focus) stop.focus({ preventScroll: true });
  if (focus) reveal(stop);
}

function firstCell() {
  const line = drawn.lines.find((each) => each.dataset.row !== undefined) ?? drawn.lines[0];
  return line ? line.children[Math.min(1, line.children.length - 1)] : null;
}

/** Scroll a cell out from under the headers. */
function reveal(element) {
  const box = element.getBoundingClientRect(), outer = frame.getBoundingClientRect();
  const top = outer.top + grid.firstChild.offsetHeight;
  const corner = grid.querySelector(".corner").offsetWidth;
  if (box.top < top) frame.scrollTop -= top - box.top;
  else if (box.bottom > outer.bottom - 12) frame.scrollTop += box.bottom - outer.bottom + 16;
  if (outer.top < 0 || outer.bottom > innerHeight) frame.scrollIntoView({ block: "nearest" });
  if (element.matches("[role=rowheader]")) return;
  if (box.left < outer.left + corner) frame.scrollLeft -= outer.left + corner - box.left + 8;
  else if (box.right > outer.right - 12) frame.scrollLeft += box.right - outer.right + 24;
}

function move(place, key, whole) {
  const lines = drawn.lines, line = lines.indexOf(place.line), last = (n) => lines[n].children.length - 1;
  const page = Math.max(1, Math.floor((frame.clientHeight - grid.firstChild.offsetHeight) / LINE) - 1);
  const down = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }[key];
  let [toLine, toCell] = [line, place.at];
  if (down) toLine = Math.min(lines.length - 1, Math.max(0, line + down));
  else if (key === "ArrowRight") toCell += 1;
  else if (key === "ArrowLeft") toCell -= 1;
  else if (key === "Home") [toLine, toCell] = [whole ? 0 : line, 0];
  else if (key === "End") [toLine, toCell] = [whole ? lines.length - 1 : line, Infinity];
  else return false;
  wantedColumn = down && place.at === 0 && place.line.dataset.route !== undefined ? wantedColumn : toCell;
  setStop(lines[toLine].children[Math.max(0, Math.min(last(toLine), down ? wantedColumn : toCell))], true);
  return true;
}

let wantedColumn = 1;

function toggleRoute(route, open = closedRoutes.has(route)) {
  if (open) closedRoutes.delete(route);
  else closedRoutes.add(route);
  refresh();
}

/** The cell of the data that an element of the grid shows, or null. */
function cellOf(element) {
  const place = element && placeOf(element);
  if (!place || place.row === undefined || place.at === 0) return null;
  const row = Number(place.row), column = drawn.columns[place.at - 1];
  const planes = drawn.hits ? passing(drawn.planes, row, column) : drawn.planes;
  const { plane } = cellOver(planes, row, column);
  return plane < 0 ? null : { plane, row, column };
}

/** Of the planes shown, those whose cell passes the filters. */
function passing(planes, row, column) {
  const kept = planes.filter((plane) => passes(letterAt(plane, row, column), markAt(plane, row, column)));
  return kept.length ? kept : planes;
}

function elementOf({ row, column }) {
  const line = drawn.lines.find((each) => each.dataset.row === String(row));
  return line?.children[drawn.columns.indexOf(column) + 1] ?? null;
}

function highlight(element) {
  for (const lit of grid.querySelectorAll(".label.lit")) lit.classList.remove("lit");
  const place = element && placeOf(element);
  if (place?.at && place.row !== undefined) drawn.heads[place.at - 1]?.classList.add("lit");
}
