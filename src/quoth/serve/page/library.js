// @ts-check
/** The library: lists the documents of the corpus, asks all of them, and shows where an answer stands. */

import { call } from "./api.js";
import { onAsk } from "./ask-form.js";
import { Attempts, say } from "./attempts.js";
import { byId, count, h, percent } from "./dom.js";
import { DropZone } from "./drop.js";
import { Leaves } from "./leaves.js";
import { inWords, notice } from "./notice.js";
import { themeSwitch } from "./theme.js";

/** @typedef {import("./leaves.js").Found} Found */

const PER_PAGE = 50;
const TOP_K = 5;
// Other answers below this probability are not shown beside an answer.
const UNLIKELY = 0.01;
// A filter is sent when nothing was typed for so long, in milliseconds.
const PAUSE = 200;

class Library {
  constructor() {
    this.question = /** @type {HTMLTextAreaElement} */ (byId("question"));
    this.filter = /** @type {HTMLInputElement} */ (byId("filter"));
    this.attempts = new Attempts();
    this.leaves = new Leaves();
    this.offset = 0;
    this.typed = 0;
    /** @type {DropZone | null} */
    this.drop = null;
  }

  async start() {
    themeSwitch(byId("theme"));
    onAsk(this.question, () => this.#ask());
    this.filter.addEventListener("input", () => {
      clearTimeout(this.typed);
      this.typed = setTimeout(() => this.#list(0), PAUSE);
    });
    byId("list-earlier").addEventListener("click", () => this.#list(this.offset - PER_PAGE));
    byId("list-later").addEventListener("click", () => this.#list(this.offset + PER_PAGE));
    byId("back").addEventListener("click", () => this.#closeDocument());
    await this.attempts.run((signal) => this.#learn(signal), "Ask");
  }

  /** @param {AbortSignal} signal */
  async #learn(signal) {
    const reader = await call("v1/reader", { signal });
    byId("reader").textContent = `Reader: ${reader.name}`;
    if (reader.corpus === null) {
      const hint = "Start it with: quoth serve --corpus CORPUS";
      notice({ title: "This server has no documents", message: "It answers questions about one text at a time.", hint });
      return;
    }
    if (reader.corpus === "open") {
      byId("choose").hidden = false;
      this.drop ??= new DropZone((files) => this.#add(files));
    }
    await this.#show(0, signal);
  }

  /** @param {number} offset */
  #list(offset) {
    return this.attempts.run((signal) => this.#show(offset, signal), "Ask");
  }

  /**
   * Show a page of the list.
   *
   * @param {number} offset
   * @param {AbortSignal} signal
   */
  async #show(offset, signal) {
    const wanted = new URLSearchParams({ text: this.filter.value.trim(), offset: String(Math.max(0, offset)), limit: String(PER_PAGE) });
    const listed = await call(`v1/corpus/documents?${wanted}`, { signal });
    this.offset = Math.max(0, offset);
    const last = Math.min(listed.total, this.offset + PER_PAGE);
    byId("list-facts").textContent = `${count(listed.total)} in ${listed.corpus}`;
    byId("list-place").textContent = listed.total ? `${count(this.offset + 1)} to ${count(last)} of ${count(listed.total)}` : "";
    byId("paging").hidden = listed.total <= PER_PAGE;
    /** @type {HTMLButtonElement} */ (byId("list-earlier")).disabled = this.offset === 0;
    /** @type {HTMLButtonElement} */ (byId("list-later")).disabled = last >= listed.total;
    byId("documents").replaceChildren(
      ...listed.documents.map((/** @type {{ id: string, title: string, name: string, passages: number }} */ each) =>
        h("li", {},
          h("button", { type: "button", onclick: () => this.#open(each.id, null) },
            h("span", { class: "title", dir: "auto" }, each.title || each.name),
            h("span", { class: "name" }, each.name),
            h("span", { class: "size" }, `${count(each.passages)} passages`)))),
    );
    say(`${count(listed.total)} documents`);
  }

  #ask() {
    const question = this.question.value.trim();
    if (!question) {
      this.question.focus();
      return;
    }
    this.attempts.run(async (signal) => {
      const found = await call("v1/corpus/answer", { body: { question, top_k: TOP_K }, signal });
      this.#showAnswers(found);
      if (!found.answers.length) return;
      await this.leaves.show(found.answers[0].document, found.answers[0], signal);
      this.#openDocument();
      this.leaves.reveal();
    });
  }

  /** @param {{ answers: Found[], no_answer: boolean, reason: string | null }} found */
  #showAnswers({ answers, no_answer, reason }) {
    byId("found").hidden = false;
    const title = no_answer ? "No document seems to answer" : "Answers";
    byId("found-title").textContent = title;
    byId("found-reason").textContent = no_answer && reason ? `${reason[0].toUpperCase()}${reason.slice(1)}.${answers.length ? " The closest:" : ""}` : "";
    const shown = answers.filter(({ probability }, index) => no_answer || index === 0 || probability >= UNLIKELY);
    byId("answers").replaceChildren(...shown.map((answer, index) => this.#answer(answer, index === 0 && !no_answer)));
    this.#current(0);
    say(answers.length && !no_answer ? `${answers[0].text}, in ${answers[0].name}` : title);
  }

  /**
   * @param {Found} answer
   * @param {boolean} best
   */
  #answer(answer, best) {
    const at = answer.sentence.indexOf(answer.text);
    const words = at < 0
      ? [h("mark", {}, answer.text)]
      : [answer.sentence.slice(0, at), h("mark", {}, answer.text), answer.sentence.slice(at + answer.text.length)];
    const where = [percent(answer.probability), answer.title || answer.name, answer.page ? `page ${answer.page}` : ""];
    const row = h("li", best ? { class: "best" } : {},
      h("button", { type: "button", onclick: () => this.#open(answer.document, answer, row) },
        h("span", { class: "words", dir: "auto" }, ...words),
        h("span", { class: "where" }, where.filter(Boolean).join(" \u00b7 "))));
    return row;
  }

  /** @param {number} index  Of the answer that is shown. */
  #current(index) {
    [...byId("answers").children].forEach((row, number) => row.firstElementChild?.setAttribute("aria-current", String(number === index)));
  }

  /**
   * Show a document, at an answer if there is one.
   *
   * @param {string} id
   * @param {Found | null} answer
   * @param {HTMLElement} [row]  The answer in the list.
   */
  #open(id, answer, row) {
    this.attempts.run(async (signal) => {
      await this.leaves.show(id, answer, signal);
      this.#openDocument();
      if (row) this.#current([...byId("answers").children].indexOf(row));
      byId("shown-title").focus({ preventScroll: true });
      this.leaves.reveal();
    }, "Ask");
  }

  #openDocument() {
    byId("list").hidden = true;
    byId("shown").hidden = false;
  }

  #closeDocument() {
    byId("shown").hidden = true;
    byId("list").hidden = false;
    byId("list-title").focus();
  }

  /**
   * Add files one after the other; those that cannot be read are told together.
   *
   * @param {File[]} files
   */
  #add(files) {
    return this.attempts.run(async (signal) => {
      /** @type {string[]} */
      const problems = [];
      for (const file of files) {
        const form = new FormData();
        form.append("file", file);
        try {
          await call("v1/corpus/documents", { body: form, signal });
        } catch (error) {
          const { status } = /** @type {{ status?: number }} */ (error);
          if (status === undefined || status === 0 || status === 401 || status === 503) throw error;
          problems.push(`${file.name}: ${inWords(error).message}`);
        }
      }
      this.#closeDocument();
      await this.#show(0, signal);
      const added = files.length - problems.length;
      say(`${count(added)} added`);
      if (problems.length) notice({ title: `${count(problems.length)} not added`, message: problems.join(" ") });
    }, "Adding \u2026");
  }
}

new Library().start();
