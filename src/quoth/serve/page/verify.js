// @ts-check
/** The verdicts on claimed quotes: exact, near with its difference word by word, or absent. */

import { byId, count, h } from "./dom.js";

/** @typedef {import("./types.js").Place} Place */
/** @typedef {import("./types.js").Verdict} Verdict */
/** @typedef {import("./types.js").Step} Step */

const WORDS = {
  exact: "In the text, word for word",
  near: "In the text, in another form",
  changed: "In the text, with changed words",
  absent: "Not in the text",
};

/**
 * Show all verdicts, and return a summary in words.
 *
 * @param {Verdict[]} verdicts
 * @param {(place: Place, verdict: Verdict) => void} show  Called with a place in UTF-16 units.
 */
export function showVerdicts(verdicts, show) {
  const counts = { exact: 0, near: 0, absent: 0 };
  for (const { status } of verdicts) counts[status] += 1;
  const sum = `${count(counts.exact)} exact, ${count(counts.near)} near, ${count(counts.absent)} absent`;
  byId("verify-sum").textContent = sum;
  byId("verify-sum").hidden = false;
  byId("verdicts").replaceChildren(...verdicts.map((verdict) => item(verdict, show)));
  return sum;
}

/**
 * @param {Verdict} verdict
 * @param {(place: Place, verdict: Verdict) => void} show
 */
function item(verdict, show) {
  const { quote, status, places, place_count, difference, closest, note } = verdict;
  const kind = difference?.words_changed ? "changed" : status;
  const place = places[0] ?? closest;
  const page = place?.page ? `, page ${place.page}` : "";
  const facts = [place_count > 1 && status === "exact" ? `${count(place_count)} places` : "", note ?? ""].filter(Boolean);
  return h(
    "li",
    { class: `verdict ${status}`, "data-status": status },
    h("p", { class: "status" }, WORDS[kind], page),
    h("blockquote", {}, difference ? steps(difference.steps) : quote),
    difference && !difference.words_changed ? h("p", { class: "muted" }, `Differs in ${difference.forms.join(", ")}`) : null,
    facts.length ? h("p", { class: "muted" }, facts.join("; ")) : null,
    closest ? h("p", { class: "muted" }, "Closest: ", h("q", {}, closest.text)) : null,
    place
      ? h("button", { type: "button", class: "quiet", onclick: () => show({ start: place.start_utf16, end: place.end_utf16 }, verdict) }, "Show in the text")
      : null,
  );
}

/** @param {Step[]} list */
function steps(list) {
  const line = h("span");
  list.forEach((step, index) => {
    if (index) line.append(" ");
    if (step.kind === "same") line.append(step.text);
    else {
      if (step.quote) line.append(h("del", {}, step.quote));
      if (step.quote && step.text) line.append(" ");
      if (step.text) line.append(h("ins", {}, step.text));
    }
  });
  return line;
}
