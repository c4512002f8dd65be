// Wiring: controls to the view, the view to the grid.

const ids = (name) => document.getElementById(name);
let selection = null;

/** Draw what the view says, in the controls, the address and the grid. */
function refresh() {
  selection = select();
  drawGrid(selection);
  showControls();
  writeAddress();
  markOpen();
}

function buildControls() {
  const distinct = (values) => [...new Set(values)];
  radios("endpoint", distinct(DATA.planes.map(({ endpoint }) => endpoint)), "both");
  radios("mode", distinct(DATA.planes.map(({ mode }) => mode)), "both");
  options("route", distinct(DATA.models.map(routeOf)), "all routes");
  options("group", distinct(DATA.parameters.map(({ group }) => group)), "all purposes");
  const legend = ids("legend");
  for (const verdict of DATA.verdicts) {
    legend.append(toggle("verdict", verdict.id, [make("span", { class: `c v-${verdict.id}`, "aria-hidden": "true" }), verdict.title], verdict.meaning));
  }
  legend.append(make("span", { class: "divider" }));
  legend.append(toggle("only", "declared", "differs from declared", "The gateway's own list of supported parameters says otherwise."));
  legend.append(toggle("only", "split", "split verdicts", "Deployments behind one model disagree."));
  if (DATA.kinds.length) legend.append(toggle("only", "changed", "changed since", "Not what it was in the baseline."));
  for (const name of ["models", "parameters"]) ids(name).addEventListener("input", debounced(() => set(name, ids(name).value)));
}

function radios(name, values, every) {
  const box = ids(name);
  for (const value of values.length > 1 ? ["", ...values] : values) {
    const input = make("input", { type: "radio", name, value, onchange: () => set(name, value) });
    box.append(make("label", {}, input, make("span", {}, value ? value.replaceAll("_", " ") : every)));
  }
}

function options(name, values, every) {
  const box = ids(name);
  box.append(make("option", { value: "" }, every));
  for (const value of values) box.append(make("option", { value }, visible(value).slice(0, 80)));
  box.addEventListener("change", () => set(name, box.value));
}

function toggle(list, value, content, title) {
  const press = () => set(list, view[list].includes(value) ? view[list].filter((each) => each !== value) : [...view[list], value]);
  return make("button", { type: "button", class: "toggle", "data-list": list, "data-value": value, title, onclick: press }, content, make("span", { class: "count" }));
}

function set(name, value) {
  view[name] = value;
  refresh();
}

function debounced(act) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, 80);
  };
}

function showControls() {
  for (const name of ["endpoint", "mode"]) {
    const inputs = [...ids(name).querySelectorAll("input")];
    for (const input of inputs) input.checked = input.value === view[name] || inputs.length === 1;
  }
  for (const name of ["models", "parameters", "route", "group"]) if (ids(name).value !== view[name]) ids(name).value = view[name];
  for (const button of ids("legend").querySelectorAll("button")) {
    const { list, value } = button.dataset;
    const count = list === "verdict" ? selection.tally[value] : selection.only[value];
    const pressed = view[list].includes(value);
    button.setAttribute("aria-pressed", String(pressed));
    button.lastChild.textContent = number(count);
    button.hidden = !count && !pressed;
  }
  const { rows, columns, shown } = selection;
  ids("status").textContent = rows.length
    ? `${plural(shown, "cell")}: ${plural(rows.length, "model")}, ${plural(columns.length, "parameter")}`
    : "Nothing fits these filters.";
  ids("clear").hidden = !FILTERS.some((name) => view[name]) && !narrowed();
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
  if (event.key === "Escape" && drawer.open) {
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
  setStop(place.line.children[place.at]);
  if (place.route !== undefined) toggleRoute(place.route);
  const cell = cellOf(element);
  if (cell) openCell(cell);
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  ids("theme").textContent = name === "dark" ? "Light" : "Dark";
  ids("theme").setAttribute("aria-label", `Switch to the ${name === "dark" ? "light" : "dark"} scheme`);
}

function wireTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const stored = (() => {
    try {
      return localStorage.getItem("conformance-theme");
    } catch {
      return null;  // storage is shut where pages are opened from disk in some browsers
    }
  })();
  theme(stored ?? (dark.matches ? "dark" : "light"));
  if (!stored) dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
  ids("theme").addEventListener("click", () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    theme(next);
    try {
      localStorage.setItem("conformance-theme", next);
    } catch {
      return;
    }
  });
}

wireTheme();
buildControls();
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
  setStop(stop, true);
});
addEventListener("hashchange", followAddress);
refresh();
if (view.cell) openCell(view.cell).then(() => ids("explorer").scrollIntoView());
performance.mark("usable");
document.documentElement.dataset.ready = "true";
