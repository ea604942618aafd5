// @ts-check
/** The answers from all documents, with a cache for earlier questions. */

import { call } from "./api.js";
import { say } from "./attempts.js";
import { byId, h, percent } from "./dom.js";

/**
 * @typedef {import("./leaves.js").Found} Found
 *
 * @typedef {object} Result
 * @property {Found[]} answers
 * @property {boolean} no_answer
 * @property {string | null} reason
 */

const TOP_K = 5;
// If there is an answer, other answers below this probability are not shown.
const UNLIKELY = 0.01;

export class Answers {
  /** @param {(rank: number, document: string) => void} open  Called with the answer that the user has chosen. */
  constructor(open) {
    this.open = open;
    /** @type {Map<string, Result>} By question, so that going back needs no request. */
    this.known = new Map();
  }

  /** Discard all answers, because the documents may have changed, or the user asks again. */
  forget() {
    this.known.clear();
  }

  /** @param {string} question */
  knows(question) {
    return this.known.has(question);
  }

  /**
   * Return an answer.
   *
   * @param {string} question
   * @param {number} rank  From 1.
   * @returns {Found | null}
   */
  at(question, rank) {
    return this.known.get(question)?.answers[rank - 1] ?? null;
  }

  /**
   * Show the answers to a question, from the cache or the server; hide the answers if it is empty.
   *
   * @param {string} question
   * @param {AbortSignal} signal
   */
  async ask(question, signal) {
    if (!question) {
      byId("found").hidden = true;
      return;
    }
    const found = this.known.get(question) ?? (await call("v1/corpus/answer", { body: { question, top_k: TOP_K }, signal }));
    this.known.set(question, found);
    this.#show(found);
  }

  /** @param {Result} found */
  #show({ answers, no_answer, reason }) {
    byId("found").hidden = false;
    const title = no_answer ? "No document seems to answer" : "Answers";
    byId("found-title").textContent = title;
    byId("found-reason").textContent = no_answer && reason ? `${reason[0].toUpperCase()}${reason.slice(1)}.${answers.length ? " The closest:" : ""}` : "";
    const shown = answers.filter(({ probability }, index) => no_answer || index === 0 || probability >= UNLIKELY);
    byId("answers").replaceChildren(...shown.map((answer, index) => this.#answer(answer, index + 1, no_answer)));
    say(answers.length && !no_answer ? `${answers[0].text}, in ${answers[0].name}` : title);
  }

  /**
   * @param {Found} answer
   * @param {number} rank
   * @param {boolean} no_answer
   */
  #answer(answer, rank, no_answer) {
    const at = answer.sentence.indexOf(answer.text);
    const words = at < 0
      ? [h("mark", {}, answer.text)]
      : [answer.sentence.slice(0, at), h("mark", {}, answer.text), answer.sentence.slice(at + answer.text.length)];
    const where = [percent(answer.probability), answer.title || answer.name, answer.page ? `page ${answer.page}` : ""];
    return h("li", rank === 1 && !no_answer ? { class: "best" } : {},
      h("button", { type: "button", "data-rank": rank, onclick: () => this.open(rank, answer.document) },
        h("span", { class: "words", dir: "auto" }, ...words),
        h("span", { class: "where" }, where.filter(Boolean).join(" \u00b7 "))));
  }

  /** @param {number} rank  Rank of the answer that is shown in its document; 0: none. */
  current(rank) {
    for (const button of byId("answers").querySelectorAll("button")) {
      button.setAttribute("aria-current", String(button.dataset.rank === String(rank)));
    }
  }
}
