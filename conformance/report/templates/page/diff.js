// What one request body has that another lacks.

/** Lines of a diff between two request bodies: the fields asked about in full, all others short. */
export function diffLines(before, after, fields) {
  const lines = [];
  const written = (sign, name, value) => {
    const own = fields.includes(name);
    const text = JSON.stringify(value, null, own ? 2 : undefined) ?? "";
    for (const line of `${JSON.stringify(name)}: ${text}`.split("\n")) {
      lines.push([own || sign === " " ? sign : `${sign} `, line]);
    }
  };
  const names = new Set([...Object.keys(after), ...Object.keys(before)]);
  for (const name of names) {
    if (Object.hasOwn(before, name) && Object.hasOwn(after, name) && same(before[name], after[name]))
      written(" ", name, after[name]);
    else {
      if (Object.hasOwn(before, name)) written("-", name, before[name]);
      if (Object.hasOwn(after, name)) written("+", name, after[name]);
    }
  }
  return lines;
}

/** Whether two JSON values are one, in whatever order their keys stand. */
function same(a, b) {
  if (a === b) return true;
  if (!a || !b || typeof a !== "object" || typeof b !== "object" || Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]))
  );
}

/** The top-level fields that a request has beyond a parameter's own: what was asked together with it. */
export function company(before, after) {
  return Object.keys(after).filter((name) => !Object.hasOwn(before, name) || !same(before[name], after[name]));
}
