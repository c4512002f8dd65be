// The answer for the reader's own version: what to leave out, what has no effect, what is taken, what is not known.

import { DATA } from "./data.js";
import { code, ids, make } from "./elements.js";
import { caveatOf, findVersion, letterFor } from "./versions.js";
import { chosenRows, view } from "./view.js";
import { summaryOf, told } from "./words.js";

const GROUPS = [
  { id: "refused", title: "Leave out", hint: "The request fails because of it." },
  { id: "dropped", title: "Sent for nothing", hint: "The request succeeds, and the parameter has no effect." },
  { id: "between", title: "Not known", hint: "The measured releases do not tell." },
  { id: "taken", title: "Send it", hint: "The request succeeds." },
];

/** Draw the answer, or nothing where no version is asked for. */
export function drawAnswer() {
  const asked = view.litellm.trim();
  const found = findVersion(asked);
  const known = asked && found.how !== "older" && found.how !== "unreadable";
  ids("caveat").textContent = asked ? caveatOf(found, asked) : "";
  ids("answer").hidden = !known;
  ids("answer").replaceChildren(...(known ? [groupsOf(found)] : []));
}

function groupsOf(found) {
  const rows = chosenRows().map(({ parameter, histories }) => {
    const summary = summaryOf(histories.map((history) => letterFor(history, found)));
    return { parameter, summary, group: groupOf(summary) };
  });
  return make(
    "dl",
    { class: "answer-groups" },
    GROUPS.map(({ id, title, hint }) => {
      const those = rows.filter((row) => row.group === id);
      if (!those.length) return null;
      return make(
        "div",
        {
          class: `answer-group edge-${{ refused: "rejected", dropped: "ignored", taken: "accepted" }[id] ?? "unclear"}`,
        },
        make("dt", {}, `${title}: ${those.length} `, make("span", { class: "hint" }, hint)),
        make(
          "dd",
          {},
          make(
            "ul",
            { class: "chips" },
            those.map((row) => make("li", {}, chip(row, found))),
          ),
        ),
      );
    }),
  );
}

function groupOf({ counts, between }) {
  if (counts.refused) return "refused";
  if (counts.dropped) return "dropped";
  return between || !counts.taken ? "between" : "taken";
}

function chip({ parameter, summary, group }, found) {
  const notes = [];
  if (group === "refused" || group === "dropped") notes.push(told(summary));
  if (summary.between) {
    const whom = summary.between < summary.of ? ` for ${summary.between} of ${summary.of} models` : "";
    notes.push(`not known between ${DATA.releases[found.first]} and ${DATA.releases[found.second]}${whom}`);
  }
  return make(
    "button",
    { type: "button", class: "chip", "data-parameter": parameter, "data-release": DATA.releases[found.second] },
    code(parameter),
    notes.length ? make("span", { class: "of" }, notes.join("; ")) : null,
  );
}
