// One client with one model, as the drawer shows it: the fields, the evidence and the mend.

import { answerOf } from "./cell.js";
import { exporting, litellmSetting, piSetting, quoted } from "./commands.js";
import { ABSENT, AGENT_BY_LETTER, agentAt, BY_LETTER, DATA, IS_LITELLM, letterAt, SPOKEN_BY } from "./data.js";
import { code, copyable, foreign, make, prose, section } from "./elements.js";
import { readinessOf } from "./evidence.js";
import { onTheWay, piPart } from "./mend.js";
import { visible } from "./text.js";

/** @import { Agent, Cell } from "./data.js" */

const UNMEASURED =
  "Not measured: no parameter of the registry asks about it, or this run left it out. Measure what the client needs:";

const UNSENT = "The client sends it back only where an answer held it, and no answer of this model did.";

/**
 * What the drawer shows of a client with a model. `doors` are the ways out of it: `openCell`, and `close`.
 * @param {Agent} agent
 * @param {{ openCell: (cell: Cell) => void, close: () => void }} doors
 */
export async function agentContentOf(agent, doors) {
  try {
    const found = await readinessOf(agent);
    return [
      agentHeading(agent, doors),
      verdict(agent, found),
      pairs(agent, found),
      found.ways.map((way) => wayBlock(agent, way, doors)),
    ].flat(Infinity);
  } catch (error) {
    return [agentHeading(agent, doors), unreadable(error)];
  }
}

/** @param {any} error */
function unreadable(error) {
  const what = `The evidence could not be read (${visible(error.message ?? error)}).`;
  return make("p", { class: "notice notice-warn" }, what);
}

function agentHeading({ row, client }, doors) {
  const { title, version } = DATA.clients.profiles[client];
  return make(
    "div",
    { class: "drawer-head" },
    make(
      "div",
      {},
      make("h2", { id: "drawer-title", tabindex: "-1" }, foreign(`${title} ${version}`, 120)),
      make("p", { class: "of-model" }, "with ", foreign(DATA.models[row].id, 300)),
    ),
    make("button", { type: "button", class: "button close", "aria-label": "Close", onclick: doors.close }, "✕"),
  );
}

function verdict({ row, client }, { ways, reason }) {
  const readiness = agentAt({ row, client });
  return make(
    "div",
    { class: `verdict edge-${readiness.verdict}` },
    make("p", { class: "sentence" }, sentence(readiness, ways)),
    reason !== ways[0]?.reason && make("blockquote", {}, foreign(reason, 3000)),
  );
}

/** What a readiness means; where the ways of the client differ, which of them do what. */
function sentence(readiness, ways) {
  const there = DATA.clients.readiness
    .map(({ letter, title }) => ({ title, names: ways.filter((way) => way.readiness[0] === letter) }))
    .filter(({ names }) => names.length > 0);
  if (there.length < 2) return [make("strong", {}, readiness.title), ". ", readiness.meaning];
  return there.map(({ title, names }, at) => [
    at > 0 && "; ",
    make("strong", {}, title),
    " by ",
    names.map(({ way }, number) => [number > 0 && ", ", code(way, 80)]),
  ]);
}

function pairs({ client }, { family, ways }) {
  const { title, version, captured_at } = DATA.clients.profiles[client];
  const rows = [
    ["Captured", foreign(`${title} ${version}, ${captured_at}. A newer release may send other fields.`, 300)],
    [
      "Requests",
      [
        "as it sends them to models of the family ",
        foreign(family, 80),
        ". Request 1 is the first of a run. A later one mostly brings back what a tool said.",
      ],
    ],
    [
      "Measured",
      ways.some(({ proofs }) => proofs)
        ? "Whole requests were asked: that is proof. Prompts in them are one word, and of the tools one of each kind is there. The rest is a forecast from the cells."
        : "A forecast: what the cells of this model say about each field that the client sends.",
    ],
    ...(DATA.gateway.simulated ? [["Upstream", "a simulator, not the vendor"]] : []),
  ];
  return make(
    "dl",
    { class: "pairs" },
    rows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))),
  );
}

/** One way to run the client: what becomes of its fields, and how to mend what is refused. */
function wayBlock(agent, way, doors) {
  return section(
    [
      make("span", { class: `c small v-${AGENT_BY_LETTER[way.readiness[0]].verdict}`, "aria-hidden": "true" }),
      foreign(` ${way.way} `, 80),
      make("span", { class: "hint" }, foreign(`${way.endpoint}, ${way.mode}`)),
    ],
    setupOf(agent, way),
    make("p", {}, foreign(way.reason, 3000)),
    (way.proofs ?? []).map(proofBlock),
    way.fields.length > 0 &&
      make(
        "ul",
        { class: "agent-fields" },
        way.fields.map((field) => fieldLine(agent, field, doors)),
      ),
    !way.proofs &&
      way.fields.some(({ parameter }) => parameter === null) && [
        make("p", { class: "hint" }, UNMEASURED),
        copyable(`pytest --live --clients=${quoted(DATA.clients.profiles[agent.client].client)}\n`),
      ],
    agentMend(agent, way),
  );
}

/** What a user sets in the client to get a way; a way to several endpoints has their names behind its own. */
function setupOf({ client }, { way, endpoint }) {
  const { setup = {} } = DATA.clients.profiles[client];
  const told = setup[way] ?? setup[way.replace(` (${endpoint})`, "")];
  return told && make("p", { class: "hint" }, prose(told));
}

/** What became of one whole request, with its exchanges. */
function proofBlock({ turn, verdict, reason, exchanges }) {
  return make(
    "details",
    {},
    make(
      "summary",
      {},
      make("span", { class: `c small v-${verdict}`, "aria-hidden": "true" }),
      ` Request ${turn}, asked whole: ${verdict}`,
    ),
    make("blockquote", {}, foreign(reason, 3000)),
    exchanges.map(({ ref, role, told }) =>
      make(
        "details",
        {},
        make("summary", {}, role === "baseline" ? "the baseline" : "the client's request", `: ${told?.status ?? "…"}`),
        make("p", {}, make("code", { class: "ref" }, foreign(ref, 300))),
        told
          ? [
              make("pre", { class: "diff", tabindex: "0" }, visible(told.sent ?? "… too long for this page")),
              answerOf(told),
            ]
          : make("p", { class: "hint" }, "Not in this page; it lies in the cassette."),
      ),
    ),
  );
}

function fieldLine({ row }, field, doors) {
  const cell = cellOfField(row, field);
  const letter = cell ? letterAt(cell.plane, row, cell.column) : ABSENT;
  const told = letter === ABSENT ? "not measured" : BY_LETTER[letter].title;
  const name = code(field.field, 120);
  return make(
    "li",
    {},
    make("span", {
      class: `c small v-${letter === ABSENT ? "inconclusive" : BY_LETTER[letter].id}`,
      "aria-hidden": "true",
    }),
    make(
      "span",
      {},
      cell ? make("button", { type: "button", class: "link", onclick: () => doors.openCell(cell) }, name) : name,
      ` ${told}`,
      SPOKEN_BY[letter] ? ` by ${SPOKEN_BY[letter]}` : "",
      field.turn > 1 ? `, from request ${field.turn} on` : "",
      field.unsent && make("span", { class: "hint" }, ` ${UNSENT}`),
    ),
  );
}

/**
 * The cell that shows a field, or null.
 * @returns {Cell | null}
 */
function cellOfField(row, { parameter, endpoint, mode }) {
  const plane = DATA.planes.findIndex((each) => each.endpoint === endpoint && each.mode === mode);
  const column = DATA.parameters.findIndex((each) => each.id === parameter);
  return letterAt(plane, row, column) === ABSENT ? null : { plane, row, column };
}

/** What makes a way of a client work that breaks now, and what that costs. */
function agentMend({ row, client }, way) {
  const refused = mendsOf(way, "rejected");
  const lost = mendsOf(way, "ignored");
  const of = (name) => [...new Set(refused.flatMap(({ mend }) => mend[name]).filter(Boolean))];
  const drop = [...new Set([...of("drop"), ...namedByProofs(way)])];
  if (!refused.length && !lost.length && !drop.length) return null;
  const name = DATA.clients.profiles[client].client;
  const parts = refused.map(({ field, mend }) => piPart(mend, row, field.endpoint));
  const pi = /^pi\b/.test(name) ? joined(parts.filter((part) => part !== undefined)) : null;
  const costs = [...refused, ...lost].filter(({ mend }) => mend.cost);
  return [
    make("h4", {}, drop.length || refused.length ? "The mend, and what it costs" : "What is lost"),
    of("advice").map((text) => make("p", {}, prose(text))),
    costs.length > 0 &&
      make(
        "ul",
        {},
        costs.map(({ field, mend }) => make("li", {}, code(field.field, 120), ": ", prose(mend.cost))),
      ),
    IS_LITELLM &&
      drop.length > 0 && [
        make("p", {}, "In LiteLLM, leave out what is refused:"),
        copyable(litellmSetting(DATA.models[row], "additional_drop_params", drop)),
      ],
    pi && [
      make("p", {}, "In Pi, in the model's entry in ", make("code", {}, "models.json"), ":"),
      copyable(piSetting(DATA.models[row], pi)),
    ],
    DATA.exports[name] &&
      refused.length > 0 && [
        make("p", {}, `All that ${DATA.exports[name]} can be told of this model:`),
        copyable(exporting(name, DATA.models[row])),
      ],
    (refused.length > 0 || drop.length > 0) && onTheWay(),
  ];
}

/** The fields of a way whose cells have a verdict, with the mend of each. */
function mendsOf(way, verdict) {
  return way.fields
    .filter((field) => field.verdict === verdict && !field.unsent)
    .map((field) => ({ field, mend: DATA.mends[field.parameter]?.[field.endpoint] }))
    .filter(({ mend }) => mend);
}

/** The fields that refusals of whole requests name, as LiteLLM writes places: `tools[*].strict`. */
function namedByProofs({ proofs = [] }) {
  const named = proofs.filter(({ verdict }) => verdict === "rejected").flatMap(({ fields }) => fields);
  return [...new Set(named.map((name) => name.replaceAll(/\[\d+\]/g, "[*]")))];
}

/** Several parts of one entry as one; objects in them are joined. */
function joined(parts) {
  const whole = {};
  for (const part of parts)
    for (const [name, value] of Object.entries(part))
      whole[name] = typeof value === "object" && value !== null ? { ...whole[name], ...value } : value;
  return parts.length ? whole : null;
}
