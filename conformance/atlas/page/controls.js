// The fields in which the reader chooses.

import { DATA } from "./data.js";
import { ids, make } from "./elements.js";
import { CHOICES, view } from "./view.js";

const MODES = { "": "both: the worse of the two", whole: "whole answers", stream: "streams" };

const FIELDS = ["route", "who", "endpoint", "mode", "litellm"];

function option(value, title) {
  return make("option", { value }, title);
}

export function fillControls() {
  ids("route").append(...CHOICES.route.map((route) => option(route, route)));
  ids("endpoint").append(...CHOICES.endpoint.map((each) => option(each, each.replaceAll("_", " "))));
  ids("mode").append(...["", ...CHOICES.mode].map((mode) => option(mode, MODES[mode] ?? mode)));
  ids("releases").append(...[...DATA.releases].reverse().map((release) => option(release, release)));
}

/** Show what is chosen; the models are those of the route. */
export function showControls() {
  const models = DATA.models.filter((model) => model.route === view.route);
  const families = [...new Set(models.map((model) => model.family).filter(Boolean))].sort();
  ids("who").replaceChildren(
    option("", `all ${models.length} models`),
    make(
      "optgroup",
      { label: "Families" },
      families.map((family) => option(`family:${family}`, family)),
    ),
    make(
      "optgroup",
      { label: "Models" },
      models.map((model) => option(`model:${model.id}`, model.id)),
    ),
  );
  for (const name of FIELDS) if (ids(name).value !== view[name]) ids(name).value = view[name];
  ids("only").checked = Boolean(view.only);
}

/** @param {() => void} redraw */
export function wireControls(redraw) {
  for (const name of FIELDS) {
    ids(name).addEventListener(name === "litellm" ? "input" : "change", () => {
      view[name] = ids(name).value;
      if (name === "route") view.who = "";
      redraw();
    });
  }
  ids("only").addEventListener("change", () => {
    view.only = ids("only").checked ? "changed" : "";
    redraw();
  });
}
