// The view in the page's address, there and back.

import { findAgent } from "./agents.js";
import { ABSENT, DATA, letterAt } from "./data.js";
import { wellFormed } from "./text.js";
import { emptyView, FILTERS, LISTS, view } from "./view.js";

/** @import { Cell } from "./data.js" */
/** @import { View } from "./view.js" */

/** Read the address's fragment; what is not understood is passed over. */
export function readAddress() {
  const fresh = emptyView();
  for (const part of location.hash.slice(1).split("&")) {
    const [name, ...rest] = part.split("=");
    const value = rest.join("=");
    try {
      if (FILTERS.includes(name)) fresh[name] = decodeURIComponent(value);
      else if (LISTS.includes(name)) fresh[name] = decodeURIComponent(value).split(",").filter(Boolean);
      else if (name === "cell") fresh.cell = findCell(value.split("/").map(decodeURIComponent));
      else if (name === "agent") fresh.agent = findAgent(value.split("/").map(decodeURIComponent));
    } catch {
      // a broken escape
    }
  }
  Object.assign(view, fresh);
}

/** @param {View} state */
function addressOf(state) {
  const parts = FILTERS.filter((name) => state[name]).map((name) => `${name}=${encode(state[name])}`);
  for (const name of LISTS) if (state[name].length) parts.push(`${name}=${state[name].map(encode).join(",")}`);
  if (state.cell) {
    const { plane, row, column } = state.cell;
    const names = [
      DATA.planes[plane].endpoint,
      DATA.planes[plane].mode,
      DATA.parameters[column].id,
      DATA.models[row].id,
    ];
    parts.push(`cell=${names.map(encode).join("/")}`);
  }
  if (state.agent) {
    const names = [DATA.clients.profiles[state.agent.client].client, DATA.models[state.agent.row].id];
    parts.push(`agent=${names.map(encode).join("/")}`);
  }
  return `#${parts.join("&")}`;
}

function encode(text) {
  return encodeURIComponent(wellFormed(text));
}

export function writeAddress() {
  const address = addressOf(view);
  if (address !== location.hash && !(address === "#" && !location.hash)) {
    history.replaceState(null, "", address === "#" ? location.pathname + location.search : address);
  }
}

/**
 * @param {string[]} names
 * @returns {Cell | null}
 */
function findCell([endpoint, mode, parameter, model]) {
  const plane = DATA.planes.findIndex((each) => each.endpoint === endpoint && each.mode === mode);
  const column = DATA.parameters.findIndex((each) => wellFormed(each.id) === parameter);
  const row = DATA.models.findIndex((each) => wellFormed(each.id) === model);
  return letterAt(plane, row, column) === ABSENT ? null : { plane, row, column };
}
