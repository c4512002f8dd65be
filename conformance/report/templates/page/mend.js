// How a refused parameter is mended: by settings of LiteLLM and of clients, and by what filters on the way.

import { exporting, litellmSetting, piSetting, quoted } from "./commands.js";
import { ABSENT, DATA, IS_LITELLM, letterAt, SPOKEN_BY } from "./data.js";
import { copyable, make, prose, section } from "./elements.js";
import { wellFormed } from "./text.js";

/** @import { Cell, Condition, Mend } from "./data.js" */

/**
 * @param {Cell} cell
 * @param {string} letter
 */
export function mendBlock({ row, column, plane }, letter) {
  const model = DATA.models[row];
  const parameter = DATA.parameters[column];
  const { endpoint } = DATA.planes[plane];
  const mend = DATA.mends[parameter.id]?.[endpoint];
  if (!mend || !"gbri".includes(letter)) return null;
  if (letter === "i") return mend.cost && section("What is lost", make("p", {}, prose(mend.cost)));
  const helps = (condition) => isMet(condition, row, endpoint);
  const pi = piPart(mend, row, endpoint);
  return section(
    "The mend",
    mend.advice && make("p", {}, prose(mend.advice)),
    mend.cost && make("p", {}, make("strong", {}, "What leaving it out costs. "), prose(mend.cost)),
    IS_LITELLM &&
      mend.drop.length > 0 && [
        make("h4", {}, "LiteLLM: leave it out"),
        copyable(litellmSetting(model, "additional_drop_params", mend.drop)),
      ],
    IS_LITELLM &&
      letter === "g" &&
      mend.allow.length > 0 && [
        make("h4", {}, "LiteLLM: pass it on all the same"),
        make(
          "p",
          { class: "hint" },
          "Only where the backend takes it, which this cell does not show: the gateway refused first. Measure again afterwards.",
        ),
        copyable(litellmSetting(model, "allowed_openai_params", mend.allow)),
      ],
    pi && [
      make("h4", {}, "Pi: in the model's entry in ", make("code", {}, "models.json")),
      copyable(piSetting(model, pi)),
    ],
    elsewhere(
      model,
      Object.keys(mend.exports).filter((name) => mend.exports[name].some(helps)),
    ),
    make("h4", {}, "The bundled provider"),
    make("p", {}, "It leaves out by itself what its table says is rejected. Take this measurement into the table:"),
    copyable(
      `pytest --gateway=${/^[\w.-]+$/.test(DATA.gateway.name) ? DATA.gateway.name : quoted(wellFormed(DATA.gateway.name))} --update-table\n`,
    ),
  );
}

/**
 * The part of a model's entry in Pi's `models.json` that mends a parameter, if any does.
 * @param {Mend} mend
 * @param {number} row
 * @param {string} endpoint
 * @returns {object | undefined}
 */
export function piPart(mend, row, endpoint) {
  return mend.pi[(mend.exports.pi ?? []).findIndex((condition) => isMet(condition, row, endpoint))];
}

/**
 * Whether a client's setting helps a model: what it sends instead is not refused, and all is that it takes away.
 * @param {Condition} condition
 * @param {number} row
 * @param {string} endpoint
 */
function isMet({ unless, every }, row, endpoint) {
  const refused = (name) => isRefused(name, row, endpoint);
  return !unless.some(refused) && every.every(refused);
}

/** True where a parameter is refused, or every value that was asked about of this path. */
function isRefused(name, row, endpoint) {
  const planes = DATA.planes.flatMap((plane, number) => (plane.endpoint === endpoint ? [number] : []));
  const lettersOf = (column) => planes.map((plane) => letterAt(plane, row, column)).filter((each) => each !== ABSENT);
  const asked = DATA.parameters.map(({ id }, column) => ({ id, letters: lettersOf(column) }));
  const there = asked.filter(({ letters }) => letters.length > 0);
  const found = there.filter(({ id }) => id === name);
  const values = found.length > 0 ? found : there.filter(({ id }) => id.split(":", 1)[0] === name);
  return values.length > 0 && values.every(({ letters }) => letters.some((each) => each in SPOKEN_BY));
}

/** Where else the mend can be made: in the configuration of a client that can be told, inside the proxy, between the two. */
function elsewhere(model, clients) {
  return [
    clients.length > 0 &&
      make(
        "details",
        {},
        make("summary", {}, `In the configuration of ${clients.length} ${clients.length === 1 ? "client" : "clients"}`),
        make("p", { class: "hint" }, "Each command shows what to set for this model; --write merges it into the file."),
        clients.map((name) => [make("h4", {}, DATA.exports[name]), copyable(exporting(name, model))]),
      ),
    onTheWay(),
  ];
}

/** What mends a request on its way: the hook inside LiteLLM, and the shim before any gateway. */
export function onTheWay() {
  return [
    IS_LITELLM && [
      make("h4", {}, "Inside LiteLLM, for every client: the hook"),
      copyable('litellm_settings:\n  callbacks: ["conformance.provider.plugs.litellm_hook.hook"]\n'),
    ],
    make("h4", {}, "Between a client and the gateway: the shim"),
    copyable("python -m conformance shim\n"),
  ];
}
