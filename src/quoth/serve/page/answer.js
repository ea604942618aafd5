// @ts-check
/** The answer and the other candidates. */

import { copy } from "./copy.js";
import { abstains } from "./decide.js";
import { byId, count, h, narrow, percent, vary } from "./dom.js";
import { offsetsOf } from "./offsets.js";

/** @typedef {import("./types.js").Asked} Asked */
/** @typedef {import("./types.js").Quote} Quote */
/** @typedef {import("./types.js").Text} Text */

/**
 * @typedef {object} AnswerActions
 * @property {(rank: number) => void} reveal  Show a candidate in the text.
 * @property {() => void} correct  Start to correct the answer.
 * @property {(text: string) => void} say  Announce a text to screen readers.
 */

/**
 * @param {Asked} asked
 * @param {number | null} threshold
 * @param {AnswerActions} actions
 */
export function showAnswer(asked, threshold, actions) {
  const { result } = asked;
  const silent = abstains(result, threshold);
  byId("answer").replaceChildren(...(silent ? silence(asked, actions) : found(asked, actions)));
  byId("answer").hidden = false;
  byId("answer").dataset.kind = silent ? "none" : "found";
  showOthers(result.answers, silent ? 0 : 1, actions);
}

/**
 * Return an answer as one sentence, for screen readers.
 *
 * @param {Asked} asked
 * @param {number | null} threshold
 */
export function inWords({ result, text }, threshold) {
  const best = result.answers[0];
  if (abstains(result, threshold)) return "No answer: the text does not seem to answer that.";
  return `Answer: ${best.text}. ${percent(best.probability)} sure. ${placeInWords(best, text)}.`;
}

/**
 * @param {Asked} asked
 * @param {AnswerActions} actions
 */
function found(asked, actions) {
  const best = asked.result.answers[0];
  return [
    h(
      "div",
      { class: "answer-head" },
      h("h2", { id: "answer-title" }, "Answer"),
      h("span", { class: "probability", title: "Probability that this answer is right" }, percent(best.probability)),
    ),
    h("p", { class: "quote", dir: "auto" }, h("mark", {}, best.text)),
    h("p", { class: "place" }, placeInWords(best, asked.text)),
    took(asked),
    h(
      "div",
      { class: "actions" },
      h("button", { type: "button", class: "quiet", id: "show", onclick: () => actions.reveal(0) }, "Show in text"),
      copyButton(asked, best, actions),
      correctButton(actions),
    ),
  ];
}

/**
 * @param {Asked} asked
 * @param {AnswerActions} actions
 */
function silence(asked, actions) {
  const { result } = asked;
  const best = result.answers[0];
  const closest = best ? [h("p", { class: "place" }, "Its best guess: ", h("q", { dir: "auto" }, short(best.text)), `, ${percent(best.probability)}`)] : [];
  return [
    h("div", { class: "answer-head" }, h("h2", { id: "answer-title" }, "No answer")),
    h("p", { class: "quote silent" }, "The text does not seem to answer this question."),
    ...closest,
    took(asked),
    h("div", { class: "actions" }, correctButton(actions)),
  ];
}

/** @param {AnswerActions} actions */
function correctButton(actions) {
  return h("button", { type: "button", class: "quiet", id: "correct-open", onclick: actions.correct }, "Correct it");
}

/**
 * @param {Asked} asked
 * @param {Quote} best
 * @param {AnswerActions} actions
 */
function copyButton(asked, best, actions) {
  const button = h("button", { type: "button", class: "quiet", id: "copy" }, "Copy quote");
  button.addEventListener("click", async () => {
    const place = placeInWords(best, asked.text);
    const worked = await copy(`\u201c${best.text}\u201d (${asked.text.title}, ${place[0].toLowerCase()}${place.slice(1)})`);
    button.textContent = worked ? "Copied" : "Could not copy";
    actions.say(worked ? "Copied, with its position." : "The browser did not allow copying.");
    setTimeout(() => (button.textContent = "Copy quote"), 2000);
  });
  return button;
}

/** @param {Asked} asked */
function took({ result, took: seen }) {
  const { compute_ms: compute } = result.timing;
  const windows = new Set(result.answers.map(({ window }) => window)).size;
  return h(
    "p",
    { class: "took" },
    `${inTime(seen)} in total, ${inTime(compute)} of it in the model`,
    windows > 1 ? `; candidates from ${windows} windows` : null,
  );
}

/** @param {number} milliseconds */
function inTime(milliseconds) {
  return milliseconds < 1000 ? `${Math.max(1, Math.round(milliseconds))} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/**
 * Return the position of a quote for people: characters from 1, the last one included.
 *
 * @param {Quote} quote
 * @param {Text} text
 */
export function placeInWords({ span, page }, text) {
  const place = `${count(span.start + 1)}\u2013${count(span.end)}`;
  return page ? `Page ${page}, characters ${place}` : `Characters ${place} of ${count(offsetsOf(text).length)}`;
}

/**
 * @param {Quote[]} answers
 * @param {number} first  First rank in the list: 0 if the reader abstains.
 * @param {AnswerActions} actions
 */
function showOthers(answers, first, actions) {
  const others = answers.slice(first);
  const fold = /** @type {HTMLDetailsElement} */ (byId("others"));
  if (fold.hidden) fold.open = !narrow();
  fold.hidden = others.length === 0;
  byId("others-title").textContent = first ? "Other candidates" : "Candidates";
  byId("candidates").replaceChildren(
    ...others.map((quote, index) =>
      h(
        "li",
        {},
        h(
          "button",
          { type: "button", "data-rank": first + index, onclick: () => actions.reveal(first + index) },
          h("span", { class: "rank" }, String(first + index + 1)),
          h("span", { class: "words", dir: "auto" }, short(quote.text)),
          h("span", { class: "share" }, percent(quote.probability)),
          h("span", { class: "bar", "aria-hidden": "true" }, vary(h("i"), { "--share": `${100 * (quote.probability ?? 0)}%` })),
        ),
      ),
    ),
  );
}

/** @param {string} text */
export function short(text) {
  const line = text.replace(/\s+/g, " ");
  return line.length > 120 ? `${line.slice(0, 119).trimEnd()}\u2026` : line;
}
