// @ts-check
/** The answer and the other candidates. */

import { copy } from "./copy.js";
import { abstains } from "./decide.js";
import { byId, h, narrow, percent, vary } from "./dom.js";
import { around } from "./sentence.js";

// The list of other answers is closed at first if all of them are less probable than this.
const UNLIKELY = 0.01;

/** @typedef {import("./types.js").Asked} Asked */
/** @typedef {import("./types.js").Quote} Quote */
/** @typedef {import("./types.js").Text} Text */

/**
 * @typedef {object} AnswerActions
 * @property {(rank: number) => void} reveal  Show a candidate in the text.
 * @property {(rank: number | null) => void} point  Emphasise the mark of a candidate; null: of none.
 * @property {() => void} correct  Start to correct the answer.
 * @property {(text: string) => void} say  Announce a text to screen readers.
 */

/**
 * @param {Asked} asked
 * @param {number | null} least  See decide.js.
 * @param {AnswerActions} actions
 */
export function showAnswer(asked, least, actions) {
  const { result } = asked;
  const noAnswer = abstains(result, least);
  const box = byId("answer");
  box.replaceChildren(...(noAnswer ? noAnswerParts(asked, actions) : answerParts(asked, actions)).filter((part) => part !== null));
  box.hidden = false;
  box.dataset.kind = noAnswer ? "none" : "found";
  // The style sheet shows the question while another one is typed.
  box.dataset.question = asked.question;
  showOthers(result.answers, noAnswer ? 0 : 1, actions);
}

/**
 * Return an answer as one sentence, for screen readers.
 *
 * @param {Asked} asked
 * @param {number | null} least
 */
export function inWords({ result }, least) {
  const best = result.answers[0];
  if (abstains(result, least)) return "No answer: the text does not seem to answer that.";
  const page = best.page ? ` Page ${best.page}.` : "";
  const warning = result.warning ? ` Warning: ${result.warning}.` : "";
  return `Answer: ${best.text}. ${likely(best)}.${page}${warning}`;
}

/** @param {Quote} quote */
function likely({ probability }) {
  return `${percent(probability)} likely right`;
}

/**
 * @param {Asked} asked
 * @param {AnswerActions} actions
 */
function answerParts(asked, actions) {
  const best = asked.result.answers[0];
  const meaning = h("p", { id: "likely-meaning", class: "muted", hidden: true }, ...meaningOf(best));
  const probability = h("button", { type: "button", class: "quiet probability", "aria-expanded": "false", "aria-controls": "likely-meaning" }, likely(best));
  probability.addEventListener("click", () => {
    meaning.hidden = !meaning.hidden;
    probability.setAttribute("aria-expanded", String(!meaning.hidden));
  });
  return [
    h("div", { class: "answer-head" }, h("h2", { id: "answer-title" }, "Answer"), probability),
    meaning,
    h("p", { class: "quote", dir: "auto" }, h("mark", {}, best.text)),
    passage(asked.text, best),
    variantsOf(best),
    warningOf(asked),
    h(
      "div",
      { class: "actions" },
      h("button", { type: "button", class: "quiet", id: "show", onclick: () => actions.reveal(0) }, "Show in text"),
      copyButton(asked, best, actions),
      correctButton(actions),
    ),
  ];
}

/** @param {Quote} best */
function meaningOf(best) {
  const right = Math.min(99, Math.max(1, Math.round(100 * (best.probability ?? 0))));
  return [
    `Of 100 answers with this probability, about ${right} were right when the reader was calibrated, `,
    "on questions that were not in its training data. On other kinds of text, the probability can be wrong.",
  ];
}

/**
 * The sentence around a quote.
 *
 * @param {Text} text
 * @param {Quote} quote
 */
function passage(text, quote) {
  const [before, words, after] = around(text.content, quote.utf16);
  const page = quote.page ? h("span", { class: "page-number" }, `Page ${quote.page}: `) : null;
  return h("p", { class: "passage", dir: "auto" }, page, before, h("strong", {}, short(words)), after);
}

/**
 * The variants of an answer: spans that overlap it.
 *
 * @param {Quote} quote
 */
function variantsOf({ variants = [] }) {
  if (!variants.length) return null;
  const words = variants.slice(0, 3).flatMap(({ text }, index) => [index ? ", " : "", h("q", { dir: "auto" }, short(text))]);
  return h("p", { class: "muted spellings" }, "Also as ", ...words);
}

/** @param {Asked} asked */
function warningOf({ result }) {
  return result.warning ? h("p", { class: "warning" }, `${result.warning[0].toUpperCase()}${result.warning.slice(1)}.`) : null;
}

/**
 * @param {Asked} asked
 * @param {AnswerActions} actions
 */
function noAnswerParts(asked, actions) {
  const { result } = asked;
  const best = result.answers[0];
  const closest = best ? [h("p", { class: "place" }, "The best guess is ", h("q", { dir: "auto" }, short(best.text)), `, ${likely(best)}.`)] : [];
  return [
    h("div", { class: "answer-head" }, h("h2", { id: "answer-title" }, "No answer")),
    h("p", { class: "quote silent" }, best ? "The text does not seem to answer this question." : "There is no text to quote."),
    ...closest,
    warningOf(asked),
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
    const page = best.page ? `, page ${best.page}` : "";
    const worked = await copy(`\u201c${best.text}\u201d (${asked.text.title}${page})`);
    button.textContent = worked ? "Copied" : "Could not copy";
    actions.say(worked ? "Copied, with its source." : "The browser did not allow copying.");
    setTimeout(() => (button.textContent = "Copy quote"), 2000);
  });
  return button;
}

/**
 * @param {Quote[]} answers
 * @param {number} first  First rank in the list: 0 if the reader abstains.
 * @param {AnswerActions} actions
 */
function showOthers(answers, first, actions) {
  const others = answers.slice(first);
  const fold = /** @type {HTMLDetailsElement} */ (byId("others"));
  const unlikely = others.every(({ probability }) => (probability ?? 0) < UNLIKELY);
  fold.open = !narrow() && !unlikely;
  fold.hidden = others.length === 0;
  byId("others-title").textContent = `${first ? "Other answers" : "Best guesses"}${unlikely ? ", each below 1%" : ""}`;
  byId("candidates").replaceChildren(
    ...others.map((quote, index) =>
      h(
        "li",
        {},
        h(
          "button",
          {
            type: "button",
            "data-rank": first + index,
            onclick: () => actions.reveal(first + index),
            onpointerenter: () => actions.point(first + index),
            onpointerleave: () => actions.point(null),
            onfocus: () => actions.point(first + index),
            onblur: () => actions.point(null),
          },
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
