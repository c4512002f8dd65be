// What a reader copies: a command that repeats a request, and the settings that mend a refusal.

import { DATA } from "./data.js";
import { wellFormed } from "./text.js";

export function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A command that repeats a request. Its body is ASCII, as it was sent, so it survives any terminal. */
export function curl(endpoint, sent, streams, headers = {}, door = "") {
  const path = `${DATA.paths[endpoint] ?? "/"}${door}`;
  return [
    `curl -sS${streams ? "N" : ""} "\${LITELLM_BASE_URL%/v1}/v1${path}"`,
    `  -H "Authorization: Bearer $LITELLM_API_KEY"`,
    `  -H 'Content-Type: application/json'`,
    ...Object.entries(headers).map(([name, value]) => `  -H ${quoted(`${name}: ${value}`)}`),
    `  --data-raw ${quoted(sent)}`,
  ].join(" \\\n");
}

/** A YAML value: JSON is YAML, and plain words need no quotes. */
function yaml(value) {
  return typeof value === "string" &&
    /^[A-Za-z][\w./-]*$/.test(value) &&
    !/^(true|false|null|yes|no|on|off|y|n)$/i.test(value)
    ? value
    : JSON.stringify(wellFormedAll(value));
}

function wellFormedAll(value) {
  return Array.isArray(value) ? value.map(wellFormedAll) : typeof value === "string" ? wellFormed(value) : value;
}

/** A model's entry in LiteLLM's configuration with one setting more. */
export function litellmSetting(model, name, fields) {
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
export function piSetting(model, part) {
  return `${JSON.stringify({ providers: { litellm: { models: [{ id: wellFormed(model.id), ...part }] } } }, null, 2)}\n`;
}

/** The command that shows a model's settings in a client's own configuration. */
export function exporting(client, model) {
  return `python -m conformance export --for ${client} --models ${quoted(wellFormed(model.id))}\n`;
}
