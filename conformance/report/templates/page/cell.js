// A cell's evidence as the drawer shows it.

import { bugReport, isFault, reproducing } from "./bug.js";
import { curl } from "./commands.js";
import { ABSENT, BY_LETTER, DATA, differs, letterAt, SPOKEN_BY } from "./data.js";
import { company, diffLines } from "./diff.js";
import { code, copyable, foreign, make, prose, section } from "./elements.js";
import { errorMessage, evidenceOf, ROLES, readable } from "./evidence.js";
import { mendBlock } from "./mend.js";
import { commas, visible } from "./text.js";

/** @import { Cell } from "./data.js" */

/** Characters of somebody's prose that are shown; the body below has the rest. */
const LONG = 3000;

/**
 * Each verdict in a sentence, and whether to send the parameter.
 * @type {Record<string, string[]>}
 */
const SENTENCES = {
  h: ["works here: the request succeeds, and its effect was seen.", "Send it."],
  a: [
    "is accepted: the request succeeds, and nothing is visible either way.",
    "It is safe to send. Whether it does anything, the reason says as far as it is known.",
  ],
  i: [
    "is silently ignored: the request succeeds, but the effect that must show is absent.",
    "Sending it breaks nothing and does nothing. Do not rely on it.",
  ],
  g: ["is rejected by the gateway: it refuses the request itself, before any backend sees it.", "Do not send it."],
  b: ["is rejected by the backend: the gateway passes it on, and the upstream refuses it.", "Do not send it."],
  r: ["is rejected, and the answer does not tell by whom.", "Do not send it."],
  q: ["is inconclusive: what came back shows neither a yes nor a no.", "Unknown: measure it again."],
  n: ["does not apply here: there is nothing to ask, as the reason says.", "There is nothing to send."],
};

/**
 * What the drawer shows of a cell. `doors` are the two ways out of it: `open` another cell, and `close`.
 * @param {Cell} cell
 * @param {{ open: (cell: Cell) => void, close: () => void }} doors
 */
export async function contentOf(cell, doors) {
  try {
    return evidenceBlocks(cell, doors, await evidenceOf(cell));
  } catch (error) {
    return trouble(cell, doors, error);
  }
}

function evidenceBlocks(cell, doors, found) {
  const { plane, row, column } = cell;
  const { endpoint, mode } = DATA.planes[plane];
  const letter = letterAt(plane, row, column);
  const probe =
    found.exchanges.find(({ role, told }) => role === "p" && told) ?? found.exchanges.find(({ told }) => told);
  const baseline = found.exchanges.find(({ role, told }) => role === "b" && told && told !== probe?.told);
  return [
    heading(cell, doors),
    variants(cell, doors),
    verdictBlock(cell, letter, found),
    facts(cell, letter, found, probe),
    mendBlock(cell, letter),
    probe && requestBlock(cell, probe, baseline),
    probe && section("What came back", answerOf(probe.told)),
    probe?.told.sent &&
      section(
        "Repeat it",
        copyable(curl(endpoint, probe.told.sent, mode === "stream", probe.told.asked, probe.told.door)),
        make(
          "p",
          { class: "hint" },
          "With ",
          make("code", {}, "LITELLM_BASE_URL"),
          " and ",
          make("code", {}, "LITELLM_API_KEY"),
          " set.",
        ),
      ),
    isFault(letter) && reportBlock(cell, letter, found, probe, baseline),
    otherExchanges(found, probe),
    about(plane, column),
  ].filter(Boolean);
}

function trouble(cell, doors, error) {
  const old = typeof DecompressionStream === "undefined";
  return [
    heading(cell, doors),
    make(
      "p",
      { class: "notice notice-warn" },
      old
        ? "This browser is too old to unpack the evidence. The cassettes hold it."
        : `The evidence could not be read (${visible(error.message ?? error)}).`,
    ),
  ];
}

function heading({ row, column }, doors) {
  return make(
    "div",
    { class: "drawer-head" },
    make(
      "div",
      {},
      make("h2", { id: "drawer-title", tabindex: "-1" }, code(DATA.parameters[column].id, 300)),
      make("p", { class: "of-model" }, foreign(DATA.models[row].id, 300)),
    ),
    make("button", { type: "button", class: "button close", "aria-label": "Close", onclick: doors.close }, "✕"),
  );
}

/** The same parameter and model on each endpoint and in each mode. */
/**
 * @param {Cell} cell
 * @param {{ open: (cell: Cell) => void }} doors
 */
function variants(cell, doors) {
  const buttons = DATA.planes.map(({ endpoint, mode }, plane) => {
    const letter = letterAt(plane, cell.row, cell.column);
    if (letter === ABSENT) return null;
    const verdict = BY_LETTER[letter];
    return make(
      "button",
      {
        type: "button",
        class: "variant",
        "aria-pressed": String(plane === cell.plane),
        onclick: () => doors.open({ ...cell, plane }),
      },
      make("span", { class: `c v-${verdict.id}`, "aria-hidden": "true" }),
      make("span", {}, `${endpoint}, ${mode}`, make("span", { class: "sr" }, `: ${verdict.title}`)),
    );
  });
  return make("div", { class: "variants", role: "group", "aria-label": "Endpoint and mode" }, buttons);
}

function verdictBlock({ column }, letter, { reason, split, before, exchanges }) {
  const verdict = BY_LETTER[letter];
  const [sentence, advice] = SENTENCES[letter];
  return make(
    "div",
    { class: `verdict edge-${verdict.id}` },
    make(
      "p",
      { class: "sentence" },
      code(DATA.parameters[column].id, 300),
      ` ${sentence} `,
      make("strong", {}, advice),
    ),
    make("blockquote", {}, foreign(reason, LONG)),
    split &&
      make(
        "p",
        {},
        "Its deployments disagree: ",
        Object.entries(split).map(([name, each], at) => [at ? ", " : "", code(name, 200), ` ${each}`]),
        ".",
      ),
    before &&
      make(
        "p",
        {},
        `Before: ${BY_LETTER[before[0]].title}`,
        SPOKEN_BY[before[0]] ? ` by ${SPOKEN_BY[before[0]]}` : "",
        ". ",
        foreign(before[1], LONG),
      ),
    !exchanges.some(({ told }) => told) &&
      make("p", { class: "hint" }, "This page does not hold the exchanges; they lie in the cassette."),
  );
}

function facts(cell, letter, { declared, exchanges }, probe) {
  const headers = probe?.told.headers ?? {};
  const first = probe ?? exchanges[0];
  const rows = [
    SPOKEN_BY[letter] && ["Who said no", SPOKEN_BY[letter]],
    declared !== null && [
      "The gateway declares",
      `${declared ? "supported" : "not supported"}${differs(cell) ? ", and the measurement differs" : ""}`,
    ],
    headers["x-litellm-model-name"] && ["Answered by", foreign(headers["x-litellm-model-name"], 300)],
    probe && ["Measured", foreign(when(probe.told.at), 300)],
    [
      "Gateway version",
      foreign(
        [DATA.gateway.software, headers["x-litellm-version"] ?? DATA.gateway.version].filter(Boolean).join(" ") ||
          "unknown",
        300,
      ),
    ],
    DATA.gateway.simulated && ["Upstream", "a simulator, not the vendor"],
    first && ["Cassette", make("code", { class: "ref" }, foreign(first.ref, 300))],
  ];
  return make(
    "dl",
    { class: "pairs" },
    rows.filter(Boolean).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))),
  );
}

function when(text) {
  const time = new Date(text ?? "");
  return Number.isNaN(time.valueOf())
    ? String(text ?? "unknown")
    : `${time.toLocaleString("en-GB", { timeZone: "UTC", dateStyle: "long", timeStyle: "medium" })} UTC`;
}

/**
 * @param {Cell} cell
 * @param {string} letter
 */
function reportBlock(cell, letter, found, probe, baseline) {
  return section(
    "Report it",
    probe?.role === "p" && // another role shows another value of the field
      probe.told.sent &&
      make(
        "details",
        {},
        make("summary", {}, "A bug report, ready to paste"),
        copyable(bugReport(cell, letter, found, probe, baseline)),
      ),
    make("p", {}, "Or make one with the smallest request, and with a script:"),
    copyable(`${reproducing(cell)} --ask`),
  );
}

function parsed(told) {
  try {
    const body = JSON.parse(told.sent);
    return body && typeof body === "object" ? body : null;
  } catch {
    return null;
  }
}

function requestBlock({ plane, column }, probe, baseline) {
  const after = parsed(probe.told);
  const before = baseline && parsed(baseline.told);
  if (!after)
    return section("The request", make("p", { class: "hint" }, "It is too long for this page; the cassette holds it."));
  const alone = probe.role === "b" || !before;
  const lines = alone
    ? JSON.stringify(after, null, 2)
        .split("\n")
        .map((line) => [" ", line])
    : diffLines(before, after, DATA.mends[DATA.parameters[column].id]?.[DATA.planes[plane].endpoint]?.fields ?? []);
  const together = alone ? [] : company(before, after);
  const classes = { "+": "add", "-": "cut-line", "+ ": "add company", "- ": "cut-line company", " ": "same" };
  return section(
    alone ? "The request" : "The request, against its baseline",
    make(
      "pre",
      { class: "diff", tabindex: "0" },
      lines.map(([sign, line]) => make("span", { class: classes[sign] }, `${sign[0]} ${visible(line)}\n`)),
    ),
    together.length > 1 &&
      make(
        "p",
        { class: "hint" },
        `${together.length} fields were asked about together. Where one is refused, it is taken out, and the rest is asked again.`,
      ),
  );
}

/** What came back, as far as the page holds it. */
export function answerOf(told) {
  const carried = told.carried ? `, and an error ${told.carried} inside it` : "";
  const message = errorMessage(told);
  const body = readable(told.body) ?? [];
  const shown =
    body.length > 1
      ? [
          visible(body[0]),
          make("span", { class: "left" }, `\n… ${commas(told.left)} characters are left out here …\n`),
          visible(body[1]),
        ]
      : body.map(visible);
  return [
    make(
      "p",
      { class: "answer" },
      make("strong", {}, told.status ? `HTTP ${told.status}` : "No answer"),
      `${carried} after ${commas(told.ms ?? 0)} ms`,
    ),
    message && make("p", { class: "message" }, foreign(message, LONG)),
    Object.keys(told.headers).length > 0 &&
      make(
        "dl",
        { class: "headers-list" },
        Object.entries(told.headers).map(([name, value]) =>
          make("div", {}, make("dt", {}, visible(name)), make("dd", {}, foreign(value, 300))),
        ),
      ),
    shown.length > 0 &&
      make("details", { open: !message }, make("summary", {}, "Body"), make("pre", { tabindex: "0" }, shown)),
  ];
}

function otherExchanges({ exchanges, short }, probe) {
  const others = exchanges.filter((each) => each !== probe);
  if (!others.length) return null;
  return section(
    "The other evidence",
    others.map(({ role, ref, told }) =>
      make(
        "details",
        {},
        make("summary", {}, ROLES[role] ?? "an exchange", told ? `: ${told.status ?? "no answer"}` : ""),
        make("p", {}, make("code", { class: "ref" }, foreign(ref, 300))),
        told
          ? [
              role !== "f" &&
                make("pre", { class: "diff", tabindex: "0" }, visible(told.sent ?? "… too long for this page")),
              answerOf(told),
            ]
          : make("p", { class: "hint" }, "Not in this page; it lies in the cassette."),
      ),
    ),
    short &&
      make(
        "p",
        { class: "hint" },
        "So that the page stays small, it holds only the telling exchanges of this model, cut short.",
      ),
  );
}

function about(plane, column) {
  const { why, standards } = DATA.parameters[column];
  const standard = standards[DATA.planes[plane].endpoint];
  if (!why && !standard) return null;
  return section(
    "Why it matters",
    why && make("p", {}, prose(why)),
    standard &&
      /^https?:\/\//.test(standard) &&
      make("p", {}, make("a", { href: standard, rel: "noreferrer noopener" }, "Its documentation")),
  );
}
