// What is looked at: the filters, their place in the page's address, and the rows and columns they leave.

const FILTERS = ["endpoint", "mode", "models", "parameters", "route", "group"];
const LISTS = ["verdict", "only"];

const view = emptyView();

function emptyView() {
  return { endpoint: "", mode: "", models: "", parameters: "", route: "", group: "", verdict: [], only: [], cell: null };
}

/** Read the address's fragment; what is not understood is passed over. */
function readAddress() {
  const fresh = emptyView();
  for (const part of location.hash.slice(1).split("&")) {
    const [name, ...rest] = part.split("=");
    const value = rest.join("=");
    try {
      if (FILTERS.includes(name)) fresh[name] = decodeURIComponent(value);
      else if (LISTS.includes(name)) fresh[name] = decodeURIComponent(value).split(",").filter(Boolean);
      else if (name === "cell") fresh.cell = findCell(value.split("/").map(decodeURIComponent));
    } catch {
      continue;  // a broken escape
    }
  }
  Object.assign(view, fresh);
}

function addressOf(state) {
  const parts = FILTERS.filter((name) => state[name]).map((name) => `${name}=${encode(state[name])}`);
  for (const name of LISTS) if (state[name].length) parts.push(`${name}=${state[name].map(encode).join(",")}`);
  if (state.cell) {
    const { plane, row, column } = state.cell;
    const names = [DATA.planes[plane].endpoint, DATA.planes[plane].mode, DATA.parameters[column].id, DATA.models[row].id];
    parts.push(`cell=${names.map(encode).join("/")}`);
  }
  return `#${parts.join("&")}`;
}

function encode(text) {
  return encodeURIComponent(wellFormed(text));
}

function writeAddress() {
  const address = addressOf(view);
  if (address !== location.hash && !(address === "#" && !location.hash)) {
    history.replaceState(null, "", address === "#" ? location.pathname + location.search : address);
  }
}

function findCell([endpoint, mode, parameter, model]) {
  const plane = DATA.planes.findIndex((each) => each.endpoint === endpoint && each.mode === mode);
  const column = DATA.parameters.findIndex((each) => wellFormed(each.id) === parameter);
  const row = DATA.models.findIndex((each) => wellFormed(each.id) === model);
  return letterAt(plane, row, column) === ABSENT ? null : { plane, row, column };
}

function letterAt(plane, row, column) {
  return DATA.planes[plane]?.verdicts[row]?.[column] ?? ABSENT;
}

function markAt(plane, row, column) {
  const digit = DATA.planes[plane].marks[row]?.[column];
  return digit === undefined ? 0 : parseInt(digit, 32);
}

function routeOf(model) {
  return model.route ?? DATA.no_route;
}

/** The planes that the endpoint and mode switches choose. */
function chosenPlanes() {
  const all = DATA.planes.map((_, number) => number);
  const fits = (number) =>
    (!view.endpoint || DATA.planes[number].endpoint === view.endpoint) && (!view.mode || DATA.planes[number].mode === view.mode);
  return all.filter(fits);
}

/** One cell over several planes: the worst letter, where it is found, all marks, and whether verdicts differ. */
function cellOver(planes, row, column) {
  let letter = ABSENT, plane = -1, marks = 0, worst = -1, mixed = false;
  for (const number of planes) {
    const each = DATA.planes[number].verdicts[row][column];
    if (each === ABSENT) continue;
    const badness = BY_LETTER[each].badness;
    mixed ||= worst >= 0 && badness !== worst;
    if (badness > worst) [letter, plane, worst] = [each, number, badness];
    if (DATA.planes[number].marks[row]) marks = joinMarks(marks, markAt(number, row, column));
  }
  return { letter, plane, marks, mixed };
}

/** Marks of several cells in one: any bit counts, and the worst kind of change. */
function joinMarks(a, b) {
  const kinds = [a >> 2, b >> 2].filter(Boolean);
  return ((a | b) & (MARK.change - 1)) | (kinds.length ? Math.min(...kinds) * MARK.change : 0);
}

/** Whether one of the terms, between commas, is in one of the texts; after a `=`, whether it is the first or second text. */
function wanted(words, ...texts) {
  const terms = words.toLowerCase().split(",").map((term) => term.trim()).filter(Boolean);
  const lower = texts.map((text) => wellFormed(text).toLowerCase());
  const fits = (term) => (term.startsWith("=") ? lower.slice(0, 2).includes(term.slice(1)) : lower.some((text) => text.includes(term)));
  return !terms.length || terms.some(fits);
}

/** True where one cell on one plane passes the verdict and "only" filters. */
function passes(letter, marks) {
  if (letter === ABSENT) return false;
  if (view.verdict.length && !view.verdict.includes(BY_LETTER[letter].id)) return false;
  return view.only.every((name) => (name === "changed" ? marks >= MARK.change : marks & MARK[name]));
}

function narrowed() {
  return view.verdict.length > 0 || view.only.length > 0;
}

/** Rows, columns and the cells among them that the filters leave, and how many cells have each verdict. */
function select() {
  const planes = chosenPlanes();
  const rows = DATA.models.map((_, n) => n).filter((n) => {
    const model = DATA.models[n];
    return (!view.route || routeOf(model) === view.route) && wanted(view.models, model.id, model.id, ...model.served_by);
  });
  const columns = DATA.parameters.map((_, n) => n).filter((n) => {
    const parameter = DATA.parameters[n];
    return (!view.group || parameter.group === view.group) && wanted(view.parameters, parameter.id, parameter.id.split(":")[0]);
  });
  const tally = Object.fromEntries(DATA.verdicts.map((verdict) => [verdict.id, 0]));
  const only = { declared: 0, split: 0, changed: 0 };
  const usedRows = new Set(), usedColumns = new Set(), hits = new Set();
  let shown = 0;
  for (const plane of planes) {
    const { verdicts, marks: marksOf } = DATA.planes[plane];
    for (const row of rows) {
      const letters = verdicts[row], marked = marksOf[row];
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
