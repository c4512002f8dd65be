// What is behind a cell: who does what, the reasons of each stretch, and the evidence on either side of a change.

import { channelsOf, classOf, DATA, historyOf } from "./data.js";
import { code, foreign, make, section } from "./elements.js";
import { inflate } from "./packets.js";
import { summariesOf } from "./strips.js";
import { chosenRows, view } from "./view.js";
import { inWords, roughly, spanOf, stretchesOf, summaryOf, told } from "./words.js";

/** @import { Channel } from "./data.js" */
/** @import { Opened } from "./view.js" */
/** @typedef {{ model: number, channel: Channel, history: string }} Single */

const MODES = { whole: "whole answers", stream: "streams" };

const packets = new Map();

function unpack(model) {
  if (!packets.has(model)) packets.set(model, inflate(DATA.packets[model]).then(JSON.parse));
  return packets.get(model);
}

/**
 * The blocks of the drawer for a cell.
 * @param {Opened} opened
 * @param {{ open: (opened: Opened) => void, close: () => void }} acts
 */
export async function contentOf(opened, acts) {
  const row = chosenRows().find((each) => each.parameter === opened.parameter);
  const singles = singlesOf(opened.parameter, row?.models ?? []);
  const shown = singles.find((each) => isShown(each, opened)) ?? telling(singles, opened.release);
  const words = summariesOf(row?.histories ?? []).map(roughly);
  return [
    head(opened, acts),
    make("p", { class: "sentence" }, `${inWords(words, DATA.releases)}.`),
    singles.length > 1 ? groupsOf(singles, shown, opened, acts) : null,
    shown ? await historyBlock(shown, opened) : null,
  ].filter(Boolean);
}

/** @param {Single} single @param {Opened} opened */
function isShown({ model, channel }, opened) {
  return DATA.models[model].id === opened.model && channel.mode === opened.mode;
}

/** The history of each model in each mode that was asked. @returns {Single[]} */
function singlesOf(parameter, models) {
  return channelsOf(view.endpoint, view.mode).flatMap((channel) =>
    models
      .map((model) => ({ model, channel, history: historyOf(model, channel, parameter) }))
      .filter(({ history }) => /[^.]/.test(history)),
  );
}

/** The one that is shown first: one that changed at the release, else the worst there. */
function telling(singles, release) {
  const at = DATA.releases.indexOf(release);
  const turned = singles.find(({ history }) => at > 0 && word(history[at]) !== word(history[at - 1]));
  const worst = summaryOf(singles.map(({ history }) => history[at])).letter;
  return turned ?? singles.find(({ history }) => history[at] === worst) ?? singles[0];
}

function word(letter) {
  return told(summaryOf([letter]));
}

function head({ parameter, release }, { close }) {
  return make(
    "div",
    { class: "drawer-head" },
    make(
      "div",
      {},
      make("h2", { id: "drawer-title", tabindex: "-1" }, code(parameter)),
      make("p", { class: "of-model" }, `${view.route}, ${view.endpoint.replaceAll("_", " ")}, LiteLLM ${release}`),
    ),
    make("button", { type: "button", class: "button close", "aria-label": "Close", onclick: close }, "✕"),
  );
}

function groupsOf(singles, shown, opened, { open }) {
  /** @type {Map<string, Single[]>} */
  const groups = new Map();
  for (const single of singles) groups.set(single.history, [...(groups.get(single.history) ?? []), single]);
  const at = DATA.releases.indexOf(opened.release);
  return section(
    "Who does what",
    [...groups].map(([history, those]) =>
      make(
        "div",
        { class: "who" },
        make(
          "p",
          {},
          make("span", { class: `c small ${classOf(history[at])}`, "aria-hidden": "true" }),
          ` ${inWords([...history].map(word), DATA.releases)}:`,
        ),
        make("div", { class: "variants" }, variants(those, shown, opened, open)),
      ),
    ),
  );
}

/** A button for each model; its modes are named where only one of them belongs here. */
function variants(those, shown, opened, open) {
  const modes = channelsOf(view.endpoint, view.mode).length;
  return [...new Set(those.map(({ model }) => model))].map((model) => {
    const own = those.filter((single) => single.model === model);
    const { mode } = (own.find((single) => single === shown) ?? own[0]).channel;
    const { id } = DATA.models[model];
    const only = own.length < modes ? `, ${MODES[mode]} only` : "";
    return make(
      "button",
      {
        type: "button",
        class: "variant plain-variant",
        "aria-pressed": String(own.includes(shown)),
        onclick: () => open({ ...opened, mode, model: id }),
      },
      make("span", {}, foreign(id), only),
    );
  });
}

/** @param {Single} single @param {Opened} opened */
async function historyBlock({ model, channel, history }, { parameter, release }) {
  const packet = await unpack(model);
  const rows = packet.rows[DATA.channels.indexOf(channel)][channel.parameters.indexOf(parameter)] ?? [];
  const at = DATA.releases.indexOf(release);
  const stretches = stretchesOf(history);
  const inside = stretches.findIndex(([from, to]) => from <= at && at <= to);
  return section(
    make("span", {}, foreign(DATA.models[model].id), `, ${MODES[channel.mode]}`),
    make(
      "ol",
      { class: "stretches" },
      stretches.map(([from, to], number) => {
        const row = rows.find((each) => each[0] === from);
        return stretch(history[from], from, to, row, packet, number === inside || number === inside - 1);
      }),
    ),
  );
}

function stretch(letter, from, to, row, packet, near) {
  const release = DATA.releases[from];
  const reason = row ? packet.reasons[row[1]] : null;
  return make(
    "li",
    { "aria-current": near ? "true" : null },
    make(
      "p",
      {},
      make("span", { class: `c small ${classOf(letter)}`, "aria-hidden": "true" }),
      make("strong", {}, ` ${word(letter)} `),
      spanOf(from, to, DATA.releases),
    ),
    reason ? make("blockquote", {}, foreign(reason)) : null,
    row?.length > 2
      ? evidence(packet.digests[row[2]], packet.asked[row[3]], packet.answers[row[4]], release, near)
      : null,
  );
}

function evidence(digest, asked, answer, release, open) {
  const archive = [code(`evidence/${release}.zip`), ", exchange ", code(digest)];
  if (!asked) return make("p", { class: "hint" }, "The evidence is in ", archive, ".");
  const [status, body, left, error] = answer;
  return make(
    "details",
    { open },
    make("summary", {}, `What LiteLLM ${release} was asked, and what it answered`),
    make("h4", {}, "Request"),
    block(readable(asked[0]), asked[1]),
    make("h4", {}, status ? `Answer: HTTP ${status}` : "No whole answer"),
    error ? make("p", { class: "message" }, foreign(error)) : null,
    body || !error ? block(body || "(nothing)", left) : null,
    make("p", { class: "hint" }, "The whole is in ", archive, "."),
  );
}

function block(text, left) {
  const more = left ? `\n… and ${left} more characters` : "";
  return make("pre", { tabindex: "0" }, foreign(text), more);
}

function readable(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
