// @ts-check
/** The explanation of an answer: the windows of the text, and the two logits of each token. */

import { abstains } from "./decide.js";
import { count, h, percent, signed, vary } from "./dom.js";
import { short } from "./answer.js";
import { TokenMap } from "./tokens.js";

/** @typedef {import("./types.js").Asked} Asked */
/** @typedef {import("./types.js").Explanation} Explanation */
/** @typedef {import("./types.js").ReaderFacts} ReaderFacts */
/** @typedef {import("./types.js").Window} Window */
/** @typedef {import("./types.js").Quote} Quote */

/**
 * @param {HTMLElement} container
 * @param {Asked} asked
 * @param {Explanation} found
 * @param {ReaderFacts} reader
 * @param {number} length  Length of the text, in code points.
 * @param {number | null} least  See decide.js.
 */
export function showExplanation(container, asked, found, reader, length, least) {
  const best = found.answers[0];
  const tokens = h("section", { "aria-labelledby": "tokens-title" });
  const choose = (/** @type {number} */ index) => showTokens(tokens, found.windows[index], best);
  container.replaceChildren(
    h("div", { class: "found" }, decision(asked, found, length, least), windows(found, reader, length, choose), tokens),
  );
  choose(best?.window ?? 0);
}

/**
 * @param {Explanation} found
 * @param {ReaderFacts} reader
 * @param {number} length
 * @param {(index: number) => void} choose
 */
function windows(found, reader, length, choose) {
  const many = found.windows.length;
  const description =
    many === 1
      ? "The reader reads the question and the text as one sequence of tokens. This text fits into one window."
      : `The reader reads at most ${count(reader.max_tokens)} tokens at a time, so the text is read in ${many} windows. Neighbouring windows overlap by ${reader.overlap} tokens, so that an answer at the end of one window is complete in the next.`;
  const won = found.answers[0]?.window;
  const row = h("div", { class: "windows", role: "radiogroup", "aria-label": "Windows" });
  const buttons = found.windows.map((window, index) => windowButton(window, length, index === won ? found.answers[0] : undefined));
  const select = (/** @type {number} */ chosen, /** @type {boolean} */ focus) => {
    buttons.forEach((button, index) => {
      button.setAttribute("aria-checked", String(index === chosen));
      button.tabIndex = index === chosen ? 0 : -1;
    });
    if (focus) buttons[chosen].focus();
    choose(chosen);
  };
  buttons.forEach((button, index) => {
    button.addEventListener("click", () => select(index, false));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      select((index + step + many) % many, true);
    });
  });
  row.append(...buttons);
  buttons[won ?? 0]?.setAttribute("aria-checked", "true");
  buttons.forEach((button, index) => (button.tabIndex = index === (won ?? 0) ? 0 : -1));
  return h(
    "section",
    { "aria-labelledby": "windows-title" },
    h("h3", { id: "windows-title" }, many === 1 ? "One window" : `${many} windows`),
    h("p", {}, description),
    h(
      "figure",
      {},
      row,
      h("div", { class: "ruler", "aria-hidden": "true" }, h("span", {}, "1"), h("span", {}, `${count(length)} characters`)),
    ),
  );
}

/**
 * @param {Window} window
 * @param {number} length
 * @param {Quote | undefined} answer  The best answer, if it is from this window.
 */
function windowButton({ index, span, tokens, null_score }, length, answer) {
  const label = `Window ${index + 1}, characters ${count(span.start + 1)} to ${count(span.end)}, ${tokens.length} tokens, no answer scores ${signed(null_score)}${answer ? ", contains the best answer" : ""}`;
  const made = h(
    "button",
    { type: "button", role: "radio", "aria-checked": "false", "aria-label": label, title: label, class: answer ? "won" : "" },
    h("span", {}, `${index + 1}`),
  );
  const inside = Math.max(1, span.end - span.start);
  vary(made, { "--from": span.start / length, "--width": inside / length });
  if (answer) {
    vary(made, { "--answer": (answer.span.start - span.start) / inside, "--answer-width": (answer.span.end - answer.span.start) / inside });
  }
  return made;
}

/**
 * @param {HTMLElement} section
 * @param {Window} window
 * @param {Quote | undefined} best
 */
function showTokens(section, window, best) {
  const map = new TokenMap(window, best?.window === window.index ? best : undefined);
  section.replaceChildren(
    h("h3", { id: "tokens-title" }, `The tokens of window ${window.index + 1}`),
    h(
      "p",
      {},
      "For each token the network computes two logits: for an answer that starts here, and for one that ends here. The logits of the first token are those of \u201cno answer\u201d.",
    ),
    map.legend(),
    map.element,
    map.detail,
    map.tops(),
  );
  map.reveal();
}

/**
 * The result, and why other spans were rejected.
 *
 * @param {Asked} asked
 * @param {Explanation} found
 * @param {number} length
 * @param {number | null} least
 */
function decision(asked, found, length, least) {
  const best = found.answers[0];
  const lines = best ? [...reasons(found, best, least), placeOf(best, abstains(found, least), length)] : [sentence(found.reason ?? "There was no text to quote")];
  return h(
    "section",
    { "aria-labelledby": "sum-title" },
    h("h3", { id: "sum-title" }, "How it was decided"),
    h("div", { class: "sum" }, ...lines.map((line) => h("p", {}, line)), h("p", { class: "muted" }, took(asked))),
    found.rejected.length ? rejected(found) : null,
  );
}

/**
 * @param {Explanation} found
 * @param {Quote} best
 * @param {number | null} least
 */
function reasons(found, best, least) {
  const quote = `\u201c${short(best.text)}\u201d`;
  const noAnswer = abstains(found, least);
  const many = found.windows.length > 1;
  const scores = `${quote} has the highest sum of start and end logit of all spans${many ? " in all windows" : ""}: ${signed(best.score)}. \u201cNo answer\u201d scores ${signed(found.null_score)}${many ? ", the lowest of all windows" : ""}.`;
  const probabilities = `The probability that ${quote} is right is ${percent(best.probability)}, and that the text does not answer, ${percent(found.null_probability)}.`;
  const result = noAnswer ? "there is no answer" : `${quote} is the answer`;
  if (least !== null) return [scores, probabilities, `You require at least ${percent(least)}, so ${result}.`];
  return [scores, probabilities, sentence(noAnswer ? `${result}, because ${found.reason ?? "nothing is likely enough"}` : `so ${result}`)];
}

/**
 * The position of a quote for users: characters are counted from 1, and the last one is included.
 *
 * @param {Quote} quote
 * @param {boolean} noAnswer  Whether the quote is only the best guess.
 * @param {number} length  Of the text, in code points.
 */
function placeOf({ span, page }, noAnswer, length) {
  const where = page ? ` (page ${page})` : "";
  return `The ${noAnswer ? "best guess" : "answer"} is at characters ${count(span.start + 1)}\u2013${count(span.end)} of ${count(length)}${where}.`;
}

/**
 * The rejected candidates, those without a text in one row for each reason.
 *
 * @param {Explanation} found
 */
function rejected({ rejected: candidates }) {
  const quotes = candidates.filter(({ text }) => text);
  const rows = quotes.map(({ text, score, why }) =>
    h("li", {}, h("q", { dir: "auto" }, short(text)), ` ${signed(score)}: ${why}`),
  );
  const others = candidates.filter(({ text }) => !text);
  for (const reason of new Set(others.map(({ why }) => why))) {
    const scores = others.filter(({ why }) => why === reason).map(({ score }) => score ?? 0);
    const range = [...new Set([Math.max(...scores), Math.min(...scores)].map((score) => signed(score)))].join(" to ");
    rows.push(h("li", {}, `${scores.length} ${scores.length === 1 ? "span" : "spans"} (${range}): ${reason}`));
  }
  return h("div", { class: "rejected" }, h("h4", {}, "Higher scores that were rejected"), h("ul", {}, ...rows));
}

/** @param {Asked} asked */
function took({ result, took: seen }) {
  return `It took ${duration(seen)}, ${duration(result.timing.compute_ms)} of it in the model.`;
}

/** @param {number} milliseconds */
function duration(milliseconds) {
  return milliseconds < 1000 ? `${Math.max(1, Math.round(milliseconds))} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** @param {string} text */
function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.?!]$/.test(text) ? "" : "."}`;
}
