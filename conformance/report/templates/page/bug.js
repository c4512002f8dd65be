// A cell's fault as a bug report in Markdown, as far as the page holds the exchanges.

import { curl, quoted } from "./commands.js";
import { DATA } from "./data.js";
import { readable } from "./evidence.js";
import { wellFormed } from "./text.js";

/** @import { Cell } from "./data.js" */

/** Who refused, as the words have it. */
const SPEAKERS = { g: "gateway", b: "backend", r: "unknown", i: "ignored" };

/** Characters of an answer, and of a reason. */
const SHOWN = { answer: 4000, reason: 300 };

/** @param {string} letter */
export function isFault(letter) {
  return letter in SPEAKERS;
}

/**
 * The command that makes a report of a cell.
 * @param {Cell} cell
 */
export function reproducing({ plane, row, column }) {
  const { endpoint, mode } = DATA.planes[plane];
  const name = [DATA.models[row].id, endpoint, mode, DATA.parameters[column].id].map(wellFormed).join("/");
  return `python -m conformance reproduce ${quoted(name)}`;
}

/**
 * The report of a cell from its evidence and the two requests that show it.
 * @param {Cell} cell
 * @param {string} letter
 */
export function bugReport({ plane, row, column }, letter, { reason }, probe, baseline) {
  const { endpoint, mode } = DATA.planes[plane];
  const { id, standards } = DATA.parameters[column];
  const standard = standards[endpoint];
  const field = id
    .split("+")
    .map((name) => `\`${name}\``)
    .join(" with ");
  const model = DATA.models[row];
  const who = SPEAKERS[letter];
  const path = `/v1${DATA.paths[endpoint] ?? ""}${probe.told.door ?? ""}`;
  const version = probe.told.headers?.["x-litellm-version"] ?? DATA.gateway.version;
  const release = [DATA.gateway.software, version].filter(Boolean).join(" ");
  const answer = (readable(probe.told.body) ?? []).join("\n…\n");
  const named = model.served_by.length === 1 ? model.served_by[0] : model.id;
  return wellFormed(
    [
      `### ${field} ${DATA.faults.what[who]} for ${span(named)} on \`${path}\`${release ? ` (${release})` : ""}`,
      `**What happens.** \`POST ${path}\`${mode === "stream" ? ", streamed," : ""} with ${field}. ${DATA.faults.speaker[who]} ${span(cut(reason, SHOWN.reason))}`,
      DATA.gateway.simulated && DATA.faults.simulated[who],
      `**What was expected.** ${DATA.faults.expected[who]}${standard ? ` The field's documentation: ${standard}` : ""}`,
      `**A request that shows it.** It is a recorded one, and may have other fields that were asked about at once. \`${reproducing({ plane, row, column })} --ask\` makes it smaller.`,
      fenced(curl(endpoint, probe.told.sent, mode === "stream", probe.told.asked, probe.told.door), "sh"),
      "`LITELLM_BASE_URL` is the gateway's address and `LITELLM_API_KEY` its key.",
      `**What came back.** ${probe.told.status ? `HTTP ${probe.told.status}` : "No answer"}`,
      fenced(cut(answer, SHOWN.answer)),
      baseline && `**Without ${field}.** ${without(baseline)}`,
    ]
      .filter(Boolean)
      .join("\n\n"),
  );
}

function without({ told }) {
  const answered = told.carried ?? told.status;
  return answered === 200
    ? "The recorded baseline succeeds."
    : `The recorded baseline gets ${answered ?? "no answer"}.`;
}

function cut(text, limit) {
  return text.length > limit ? `${text.slice(0, limit)}…` : text;
}

/** A fence that is longer than any run of backticks in the text. */
function fenced(text, language = "") {
  const fence = "`".repeat(1 + Math.max(2, longestRun(text)));
  return `${fence}${language}\n${text}\n${fence}`;
}

/** A text as a code span. */
function span(text) {
  const fence = "`".repeat(1 + longestRun(text));
  const pad = /^[` ]|[` ]$/.test(text) ? " " : "";
  return `${fence}${pad}${text.replace(/\s+/g, " ")}${pad}${fence}`;
}

function longestRun(text) {
  return Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
}
