// What the page was made with, and how one cell or several of it are read.

export const DATA = JSON.parse(document.getElementById("data").textContent);

export const MARK = { declared: 1, split: 2, change: 4 };

export const ABSENT = ".";

/** The verdict that each letter stands for. */
export const BY_LETTER = {};
for (const verdict of DATA.verdicts) for (const letter of verdict.letters) BY_LETTER[letter] = verdict;

export const SPOKEN_BY = { g: "the gateway", b: "the backend", r: "somebody unknown" };

export function letterAt(plane, row, column) {
  return DATA.planes[plane]?.verdicts[row]?.[column] ?? ABSENT;
}

export function markAt(plane, row, column) {
  const digit = DATA.planes[plane].marks[row]?.[column];
  return digit === undefined ? 0 : parseInt(digit, 32);
}

export function routeOf(model) {
  return model.route ?? DATA.no_route;
}

export function differs(plane, row, column) {
  return markAt(plane, row, column) & MARK.declared;
}

/** One cell over several planes: the worst letter, where it is found, all marks, and whether verdicts differ. */
export function cellOver(planes, row, column) {
  let letter = ABSENT,
    plane = -1,
    marks = 0,
    worst = -1,
    mixed = false;
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
