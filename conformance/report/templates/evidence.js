// A model's evidence: unpacked when first needed, and put into words, diffs and commands.

const packets = new Map();

/** A model's reasons, exchanges, and the references between them. */
function unpack(row) {
  if (!packets.has(row)) packets.set(row, inflate(DATA.evidence[row]).then(JSON.parse));
  return packets.get(row);
}

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

/** What is known of one cell: its reason, what the gateway declares, and its exchanges with their roles. */
async function evidenceOf({ plane, row, column }) {
  const packet = await unpack(row);
  const [reason, set, declared, split = null, before = null] = packet.cells[plane][column];
  const [roles, ...numbers] = packet.sets[set];
  const exchanges = numbers.map((each, at) => ({ role: roles[at], ref: packet.refs[each], told: packet.exchanges[each] }));
  return { reason: packet.reasons[reason], declared, split, before, exchanges, short: packet.short };
}

const ROLES = {
  p: "with the parameter",
  b: "the baseline",
  w: "control: a known field with a wrong type",
  k: "control: a key that nobody knows",
  f: "the stored answer, fetched once more",
  d: "the gateway told to drop what it does not support",
};

/** Lines of a diff between two request bodies: the fields asked about in full, all others short. */
function diffLines(before, after, fields) {
  const lines = [];
  const written = (sign, name, value) => {
    const own = fields.includes(name);
    const text = JSON.stringify(value, null, own ? 2 : undefined) ?? "";
    `${JSON.stringify(name)}: ${text}`.split("\n").forEach((line) => lines.push([own || sign === " " ? sign : `${sign} `, line]));
  };
  const names = new Set([...Object.keys(after), ...Object.keys(before)]);
  for (const name of names) {
    if (Object.hasOwn(before, name) && Object.hasOwn(after, name) && same(before[name], after[name])) written(" ", name, after[name]);
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
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]));
}

/** The top-level fields that a request has beyond a parameter's own: what was asked together with it. */
function company(before, after) {
  return Object.keys(after).filter((name) => !Object.hasOwn(before, name) || !same(before[name], after[name]));
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A command that repeats a request. Its body is ASCII, as it was sent, so it survives any terminal. */
function curl(endpoint, sent, streams) {
  const path = DATA.paths[endpoint] ?? "/";
  return [
    `curl -sS${streams ? "N" : ""} "\${LITELLM_BASE_URL%/v1}/v1${path}"`,
    `  -H "Authorization: Bearer $LITELLM_API_KEY"`,
    `  -H 'Content-Type: application/json'`,
    `  --data-raw ${quoted(sent)}`,
  ].join(" \\\n");
}

/** An answer's body, spread over lines where it is whole JSON. */
function readable(body) {
  if (!body || body.length !== 1) return body;
  try {
    return [JSON.stringify(JSON.parse(body[0]), null, 2)];
  } catch {
    return body;
  }
}

/** The message of an error that an answer carries, or null. */
function errorMessage(told) {
  if (told.error) return told.error;
  const text = (told.body ?? []).join("");
  for (const piece of [text, ...text.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5))]) {
    try {
      const value = JSON.parse(piece);
      const error = value?.error ?? value?.response?.error;
      if (error) return typeof error === "string" ? error : (error.message ?? JSON.stringify(error));
    } catch {
      continue;
    }
  }
  return null;
}

/** A YAML value: JSON is YAML, and plain words need no quotes. */
function yaml(value) {
  return typeof value === "string" && /^[A-Za-z][\w./-]*$/.test(value) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(value)
    ? value
    : JSON.stringify(wellFormedAll(value));
}

function wellFormedAll(value) {
  return Array.isArray(value) ? value.map(wellFormedAll) : typeof value === "string" ? wellFormed(value) : value;
}

/** A model's entry in LiteLLM's configuration with one setting more. */
function litellmSetting(model, name, fields) {
  const served = model.served_by.length === 1 ? yaml(model.served_by[0]) : "…  # each deployment behind it";
  return [
    "model_list:",
    `  - model_name: ${yaml(model.id)}`,
    "    litellm_params:",
    `      model: ${served}`,
    `      ${name}: [${fields.map(yamlItem).join(", ")}]`,
    "",
  ].join("\n");
}

function yamlItem(text) {
  return JSON.stringify(wellFormed(text));
}

/** What a model's entry in Pi's `models.json` needs besides what it has. */
function piSetting(model, part) {
  return `${JSON.stringify({ providers: { litellm: { models: [{ id: wellFormed(model.id), ...part }] } } }, null, 2)}\n`;
}
