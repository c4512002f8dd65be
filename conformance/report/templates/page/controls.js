// The filters and the legend.

import { DATA, routeOf } from "./data.js";
import { ids, make } from "./elements.js";
import { commas, plural, visible } from "./text.js";
import { FILTERS, narrowed, view } from "./view.js";

/** Fill the controls; `set` takes the name of a part of the view and its new value. */
export function buildControls(set) {
  const distinct = (values) => [...new Set(values)];
  radios(set, "endpoint", distinct(DATA.planes.map(({ endpoint }) => endpoint)), "all");
  radios(set, "mode", distinct(DATA.planes.map(({ mode }) => mode)), "both");
  options(set, "route", distinct(DATA.models.map(routeOf)), "all routes");
  options(set, "group", distinct(DATA.parameters.map(({ group }) => group)), "all purposes");
  const legend = ids("legend");
  for (const verdict of DATA.verdicts) {
    legend.append(
      toggle(
        set,
        "verdict",
        verdict.id,
        [make("span", { class: `c v-${verdict.id}`, "aria-hidden": "true" }), verdict.title],
        verdict.meaning,
      ),
    );
  }
  legend.append(make("span", { class: "divider" }));
  legend.append(
    toggle(
      set,
      "only",
      "declared",
      "differs from declared",
      "The gateway's own list of supported parameters says otherwise.",
    ),
  );
  legend.append(toggle(set, "only", "split", "split verdicts", "Deployments behind one model disagree."));
  if (DATA.kinds.length)
    legend.append(toggle(set, "only", "changed", "changed since", "Not what it was in the baseline."));
  for (const name of ["models", "parameters"])
    ids(name).addEventListener(
      "input",
      debounced(() => set(name, ids(name).value)),
    );
}

function radios(set, name, values, every) {
  const box = ids(name);
  for (const value of values.length > 1 ? ["", ...values] : values) {
    const input = make("input", { type: "radio", name, value, onchange: () => set(name, value) });
    box.append(make("label", {}, input, make("span", {}, value ? value.replaceAll("_", " ") : every)));
  }
}

function options(set, name, values, every) {
  const box = ids(name);
  box.append(make("option", { value: "" }, every));
  for (const value of values) box.append(make("option", { value }, visible(value).slice(0, 80)));
  box.addEventListener("change", () => set(name, box.value));
}

function toggle(set, list, value, content, title) {
  const press = () =>
    set(list, view[list].includes(value) ? view[list].filter((each) => each !== value) : [...view[list], value]);
  return make(
    "button",
    { type: "button", class: "toggle", "data-list": list, "data-value": value, title, onclick: press },
    content,
    make("span", { class: "count" }),
  );
}

function debounced(act) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, 80);
  };
}

/** Show the view in the controls, and what a selection holds in the legend and the status line. */
export function showControls(selection) {
  for (const name of ["endpoint", "mode"]) {
    const inputs = [...ids(name).querySelectorAll("input")];
    for (const input of inputs) input.checked = input.value === view[name] || inputs.length === 1;
  }
  for (const name of ["models", "parameters", "route", "group"])
    if (ids(name).value !== view[name]) ids(name).value = view[name];
  for (const button of ids("legend").querySelectorAll("button")) {
    const { list, value } = button.dataset;
    const count = list === "verdict" ? selection.tally[value] : selection.only[value];
    const pressed = view[list].includes(value);
    button.setAttribute("aria-pressed", String(pressed));
    button.lastChild.textContent = commas(count);
    button.hidden = !count && !pressed;
  }
  const { rows, columns, shown } = selection;
  ids("status").textContent = rows.length
    ? `${plural(shown, "cell")}: ${plural(rows.length, "model")}, ${plural(columns.length, "parameter")}`
    : "Nothing fits these filters.";
  ids("clear").hidden = !FILTERS.some((name) => view[name]) && !narrowed();
}
