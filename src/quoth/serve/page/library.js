// @ts-check
/** The library: lists the documents of the corpus, answers questions from all of them, and shows answers in documents. */

import { ApiError, call, remove } from "./api.js";
import { onAsk } from "./ask-form.js";
import { Attempts, say } from "./attempts.js";
import { byId, count } from "./dom.js";
import { DropZone } from "./drop.js";
import { Answers } from "./library-answers.js";
import { List, PER_PAGE } from "./library-list.js";
import { fromFragment, toFragment } from "./library-place.js";
import { Leaves } from "./leaves.js";
import { inWords, notice } from "./notice.js";
import { themeSwitch } from "./theme.js";

/** @typedef {import("./library-place.js").Shown} Shown */

// A filter is sent after this time without input, in milliseconds.
const FILTER_DELAY = 200;
const TITLE = document.title;

class Library {
  constructor() {
    this.question = /** @type {HTMLTextAreaElement} */ (byId("question"));
    this.filter = /** @type {HTMLInputElement} */ (byId("filter"));
    this.attempts = new Attempts();
    this.list = new List((id) => this.#go({ document: id, answer: 0, page: 0 }, "Ask"));
    this.answers = new Answers((rank, id) => this.#go({ document: id, answer: rank, page: 0 }, "Ask"));
    this.leaves = new Leaves((page) => this.#setAddress({ page }, true));
    this.shown = fromFragment("");
    this.typed = 0;
    /** @type {DropZone | null} */
    this.drop = null;
  }

  async start() {
    themeSwitch(byId("theme"));
    onAsk(this.question, () => this.#ask());
    this.filter.addEventListener("input", () => {
      clearTimeout(this.typed);
      this.typed = setTimeout(() => this.#go({ filter: this.filter.value.trim(), from: 1 }, "Ask", true), FILTER_DELAY);
    });
    byId("list-earlier").addEventListener("click", () => this.#turn(-PER_PAGE));
    byId("list-later").addEventListener("click", () => this.#turn(PER_PAGE));
    byId("back").addEventListener("click", () => this.#go({ document: "", answer: 0, page: 0 }, "Ask"));
    byId("remove").addEventListener("click", () => this.#confirmRemoval());
    byId("remove-dialog").addEventListener("close", () => this.#remove());
    addEventListener("popstate", () => this.#restore());
    await this.attempts.run((signal) => this.#load(signal), "Ask");
  }

  /** @param {AbortSignal} signal */
  async #load(signal) {
    const reader = await call("v1/reader", { signal });
    byId("reader").textContent = `Reader: ${reader.name}`;
    if (reader.corpus === null) {
      const hint = "Start it with: quoth serve --corpus CORPUS";
      notice({ title: "This server has no documents", message: "It answers questions about one text at a time.", hint });
      return;
    }
    if (reader.corpus === "open") {
      byId("choose").hidden = false;
      byId("remove").hidden = false;
      this.drop ??= new DropZone((files) => this.#add(files));
    }
    const wanted = fromFragment(location.hash);
    await this.list.show(wanted, signal);
    this.#setAddress(await this.#show(wanted, signal), true);
  }

  #ask() {
    const question = this.question.value.trim();
    if (!question) {
      this.question.focus();
      return;
    }
    this.answers.forget();
    this.#go({ question, answer: 1, document: "", page: 0 }, "Asking \u2026");
  }

  /** @param {number} step */
  #turn(step) {
    this.#go({ from: Math.max(1, this.shown.from + step) }, "Ask");
  }

  /**
   * Show something else, and add it to the browser's history.
   *
   * @param {Partial<Shown>} change
   * @param {string} label  Label of the button until it is shown.
   * @param {boolean} [replace]  Replace the entry of the history.
   */
  #go(change, label, replace = false) {
    return this.attempts.run(async (signal) => this.#setAddress(await this.#show({ ...this.shown, ...change }, signal), replace), label);
  }

  /** Show what the address describes, after the user went back or forward. */
  #restore() {
    const wanted = fromFragment(location.hash);
    return this.attempts.run(async (signal) => this.#setAddress(await this.#show(wanted, signal), true), wanted.question && wanted.question !== this.shown.question ? "Asking \u2026" : "Ask");
  }

  /**
   * Write what is shown to the address.
   *
   * @param {Partial<Shown>} change
   * @param {boolean} replace
   */
  #setAddress(change, replace) {
    this.shown = { ...this.shown, ...change };
    const address = toFragment(this.shown) || location.pathname;
    if (replace || address === (location.hash || location.pathname)) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
  }

  /**
   * Show answers, and a document or the list.
   *
   * @param {Shown} wanted
   * @param {AbortSignal} signal
   * @returns {Promise<Shown>} With the document of the answer, if only the answer was given.
   */
  async #show(wanted, signal) {
    if (wanted.question !== this.shown.question || !this.answers.knows(wanted.question)) await this.answers.ask(wanted.question, signal);
    if (wanted.question !== this.shown.question) this.question.value = wanted.question;
    const given = wanted.answer ? this.answers.at(wanted.question, wanted.answer) : null;
    const id = wanted.document || given?.document || "";
    const answer = given?.document === id ? given : null;
    const shown = { ...wanted, document: id, answer: answer ? wanted.answer : 0 };
    try {
      if (id) shown.page = await this.leaves.show(id, answer, wanted.page, signal);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== "document_not_found") throw error;
      notice(inWords(error));
      Object.assign(shown, { document: "", answer: 0, page: 0 });
    }
    this.answers.current(shown.answer);
    if (shown.document) this.#openDocument(wanted);
    else await this.#openList(shown, signal);
    return shown;
  }

  /** @param {Shown} wanted */
  #openDocument(wanted) {
    byId("list").hidden = true;
    byId("shown").hidden = false;
    document.title = `${byId("shown-title").textContent} \u2013 Quoth`;
    // After a question, the focus stays in the form. If the user opened a document, it moves there.
    if (wanted.document) byId("shown-title").focus({ preventScroll: true });
    this.leaves.reveal();
  }

  /**
   * @param {Shown} wanted
   * @param {AbortSignal} signal
   */
  async #openList(wanted, signal) {
    const { document: left, filter, from } = this.shown;
    byId("shown").hidden = true;
    byId("list").hidden = false;
    document.title = TITLE;
    if (this.filter.value.trim() !== wanted.filter) this.filter.value = wanted.filter;
    if (left || this.list.isOld || wanted.filter !== filter || wanted.from !== from) await this.list.show(wanted, signal);
    if (wanted.filter !== filter || wanted.from !== from) say(this.list.place);
    if (left) this.list.focus(left);
  }

  /** Discard the cached answers and list, because the corpus has changed. */
  #forget() {
    this.answers.forget();
    this.list.isOld = true;
  }

  #confirmRemoval() {
    const dialog = /** @type {HTMLDialogElement} */ (byId("remove-dialog"));
    byId("remove-name").textContent = byId("shown-title").textContent;
    dialog.returnValue = "";
    dialog.showModal();
  }

  /** Remove the shown document, if the user has confirmed it. */
  #remove() {
    if (/** @type {HTMLDialogElement} */ (byId("remove-dialog")).returnValue !== "remove") return;
    const id = this.shown.document;
    return this.attempts.run(async (signal) => {
      await remove(`v1/corpus/documents/${id}`, signal);
      this.#forget();
      this.#setAddress(await this.#show({ ...this.shown, document: "", answer: 0, page: 0 }, signal), true);
      byId("list-title").focus();
      say("Removed");
    }, "Ask");
  }

  /**
   * Add files one after the other. Those that cannot be read are reported together at the end.
   *
   * @param {File[]} files
   */
  #add(files) {
    return this.attempts.run(async (signal) => {
      /** @type {string[]} */
      const problems = [];
      this.#forget();
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
      this.#setAddress(await this.#show({ ...this.shown, document: "", answer: 0, page: 0 }, signal), false);
      const added = files.length - problems.length;
      say(`${count(added)} added`);
      if (problems.length) notice({ title: `${count(problems.length)} not added`, message: problems.join(" ") });
    }, "Adding \u2026");
  }
}

new Library().start();
