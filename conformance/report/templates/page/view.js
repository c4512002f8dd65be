// What is looked at: the filters, and the rows, columns and cells that they leave.

import { ABSENT, BY_LETTER, DATA, letterAt, MARK, markAt, routeOf } from "./data.js";
import { wellFormed } from "./text.js";

/** @import { Agent, Cell } from "./data.js" */

export const FILTERS = ["endpoint", "mode", "models", "parameters", "route", "group"];

export const LISTS = ["verdict", "only"];

/**
 * @typedef {{
 *   endpoint: string, mode: string, models: string, parameters: string, route: string, group: string,
 *   verdict: string[], only: string[], cell: Cell | null, agent: Agent | null,
 *   [filter: string]: any,
 * }} View
 */

export const view = emptyView();

/** @type {Set<string>} */
export const closedRoutes = new Set();

/** @returns {View} */
export function emptyView() {
  return {
    endpoint: "",
    mode: "",
    models: "",
    parameters: "",
    route: "",
    group: "",
    verdict: [],
    only: [],
    cell: null,
    agent: null,
  };
}

/** The planes that the endpoint and mode switches choose. */
function chosenPlanes() {
  const all = DATA.planes.map((_, number) => number);
  const fits = (number) =>
    (!view.endpoint || DATA.planes[number].endpoint === view.endpoint) &&
    (!view.mode || DATA.planes[number].mode === view.mode);
  return all.filter(fits);
}

/** Whether one of the terms, between commas, is in one of the texts; after a `=`, whether it is the first or second text. */
function wanted(words, ...texts) {
  const terms = words
    .toLowerCase()
    .split(",")
    .map((term) => term.trim())
    .filter(Boolean);
  const lower = texts.map((text) => wellFormed(text).toLowerCase());
  const fits = (term) =>
    term.startsWith("=") ? lower.slice(0, 2).includes(term.slice(1)) : lower.some((text) => text.includes(term));
  return !terms.length || terms.some(fits);
}

/** True where one cell on one plane passes the verdict and "only" filters. */
function passes(letter, marks) {
  if (letter === ABSENT) return false;
  if (view.verdict.length && !view.verdict.includes(BY_LETTER[letter].id)) return false;
  return view.only.every((name) => (name === "changed" ? marks >= MARK.change : marks & MARK[name]));
}

/**
 * Of the planes shown, those whose cell passes the filters.
 * @param {number[]} planes
 * @param {number} row
 * @param {number} column
 */
export function passing(planes, row, column) {
  const kept = planes.filter((plane) => passes(letterAt(plane, row, column), markAt(plane, row, column)));
  return kept.length ? kept : planes;
}

export function narrowed() {
  return view.verdict.length > 0 || view.only.length > 0;
}

/** Rows, columns and the cells among them that the filters leave, and how many cells have each verdict. */
export function select() {
  const planes = chosenPlanes();
  const rows = DATA.models
    .map((_, n) => n)
    .filter((n) => {
      const model = DATA.models[n];
      return (
        (!view.route || routeOf(model) === view.route) && wanted(view.models, model.id, model.id, ...model.served_by)
      );
    });
  const columns = DATA.parameters
    .map((_, n) => n)
    .filter((n) => {
      const parameter = DATA.parameters[n];
      return (
        (!view.group || parameter.group === view.group) &&
        wanted(view.parameters, parameter.id, parameter.id.split(":")[0])
      );
    });
  const tally = Object.fromEntries(DATA.verdicts.map((verdict) => [verdict.id, 0]));
  const only = { declared: 0, split: 0, changed: 0 };
  const usedRows = new Set();
  const usedColumns = new Set();
  const hits = new Set();
  let shown = 0;
  for (const plane of planes) {
    const { verdicts, marks: marksOf } = DATA.planes[plane];
    for (const row of rows) {
      const letters = verdicts[row];
      const marked = marksOf[row];
      for (const column of columns) {
        const letter = letters[column];
        if (letter === ABSENT) continue;
        const marks = marked ? parseInt(marked[column], 32) : 0;
        tally[BY_LETTER[letter].id] += 1;
        if (marks & MARK.declared) only.declared += 1;
        if (marks & MARK.split) only.split += 1;
        if (marks >= MARK.change) only.changed += 1;
        if (narrowed() && !passes(letter, marks)) continue;
        shown += 1;
        usedRows.add(row);
        usedColumns.add(column);
        if (narrowed()) hits.add(row * DATA.parameters.length + column);
      }
    }
  }
  return {
    planes,
    rows: rows.filter((row) => usedRows.has(row)),
    columns: columns.filter((column) => usedColumns.has(column)),
    hits: narrowed() ? hits : null,
    tally,
    only,
    shown,
  };
}
