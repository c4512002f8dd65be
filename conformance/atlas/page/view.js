// What the reader chose, and the way to the page's address and back.

import { channelsOf, DATA, joinedHistory } from "./data.js";
import { wellFormed } from "./text.js";

/** @typedef {{ parameter: string, release: string, mode: string, model: string }} Opened */

const ROUTES = [...new Set(DATA.models.map((model) => model.route))].sort();
const ENDPOINTS = [...new Set(DATA.channels.map((channel) => channel.endpoint))].sort();
const MODES = [...new Set(DATA.channels.map((channel) => channel.mode))];

export const CHOICES = { route: ROUTES, endpoint: ENDPOINTS, mode: MODES };

/** What is chosen by a text; `who` is `family:NAME`, `model:ID`, or empty for all models of the route. */
const FIELDS = ["route", "who", "endpoint", "mode", "litellm", "only"];

const START = { route: ROUTES[0] ?? "", who: "", endpoint: ENDPOINTS[0] ?? "", mode: "", litellm: "", only: "" };

/** @type {Record<string, any> & { cell: Opened | null }} */
export const view = { ...START, cell: null };

/** The numbers of the models that the reader chose. */
export function chosenModels() {
  const [kind, name] = parted(view.who);
  return [...DATA.models.keys()].filter((number) => {
    const model = DATA.models[number];
    if (model.route !== view.route) return false;
    return !kind || (kind === "family" ? model.family : model.id) === name;
  });
}

function parted(who) {
  const at = who.indexOf(":");
  return at < 0 ? ["", ""] : [who.slice(0, at), who.slice(at + 1)];
}

/** Each parameter of the chosen endpoint, with the history of each chosen model that was asked. */
export function chosenRows() {
  const channels = channelsOf(view.endpoint, view.mode);
  const models = chosenModels();
  const parameters = [...new Set(channels.flatMap((channel) => channel.parameters))].sort();
  return parameters.map((parameter) => rowOf(parameter, models, channels)).filter((row) => row.models.length);
}

function rowOf(parameter, models, channels) {
  const all = models.map((model) => ({ model, history: joinedHistory(model, channels, parameter) }));
  const asked = all.filter(({ history }) => /[^.]/.test(history));
  return { parameter, models: asked.map(({ model }) => model), histories: asked.map(({ history }) => history) };
}

/** Read the address's fragment; what is not understood is passed over. */
export function readAddress() {
  /** @type {Record<string, any> & { cell: Opened | null }} */
  const fresh = { ...START, cell: null };
  for (const part of location.hash.slice(1).split("&")) {
    const [name, ...rest] = part.split("=");
    try {
      const value = rest.join("=");
      if (FIELDS.includes(name)) fresh[name] = decodeURIComponent(value);
      else if (name === "cell") fresh.cell = opened(value.split("/").map(decodeURIComponent));
    } catch {
      // a broken escape
    }
  }
  for (const [name, known] of Object.entries(CHOICES)) {
    if (!known.includes(fresh[name]) && !(name === "mode" && !fresh.mode)) fresh[name] = START[name];
  }
  Object.assign(view, fresh);
  if (!chosenModels().length) view.who = "";
  if (view.cell && !chosenRows().some((row) => row.parameter === view.cell?.parameter)) view.cell = null;
}

/**
 * @param {string[]} names
 * @returns {Opened | null}
 */
function opened([parameter, release, mode = "", model = ""]) {
  return DATA.releases.includes(release) ? { parameter, release, mode, model } : null;
}

export function writeAddress() {
  const parts = FIELDS.filter((name) => view[name] && (name === "route" || view[name] !== START[name])).map(
    (name) => `${name}=${encode(view[name])}`,
  );
  if (view.cell) {
    const { parameter, release, mode, model } = view.cell;
    parts.push(`cell=${[parameter, release, ...(model ? [mode, model] : [])].map(encode).join("/")}`);
  }
  const address = `#${parts.join("&")}`;
  if (address !== location.hash) history.replaceState(null, "", address);
}

function encode(text) {
  return encodeURIComponent(wellFormed(text));
}
