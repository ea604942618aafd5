// @ts-check
/** The page: connects its components. */

import { inWords as answerInWords, showAnswer } from "./answer.js";
import { askAbout, call } from "./api.js";
import { Attempts, say } from "./attempts.js";
import { Composer } from "./composer.js";
import { CorrectionForm, Corrections } from "./correct.js";
import { abstains } from "./decide.js";
import { byId, count, h, narrow } from "./dom.js";
import { showExplanation } from "./explain.js";
import { History } from "./history.js";
import { clearNotice, notice } from "./notice.js";
import { offsetsOf } from "./offsets.js";
import { openLink, share } from "./share.js";
import { Tabs } from "./tabs.js";
import { TextView } from "./text-view.js";
import { themeSwitch } from "./theme.js";
import { Threshold } from "./threshold.js";
import { showVerdicts } from "./verify.js";

/** @typedef {import("./types.js").Asked} Asked */
/** @typedef {import("./types.js").Place} Place */
/** @typedef {import("./types.js").ReaderFacts} ReaderFacts */
/** @typedef {import("./types.js").Text} Text */

const TOP_K = 6;
// Candidates below this probability have a faint mark.
const UNLIKELY = 0.05;

class App {
  constructor() {
    this.question = /** @type {HTMLTextAreaElement} */ (byId("question"));
    this.view = new TextView(byId("text"));
    this.tabs = new Tabs(["text", "found", "fixes"], (name) => this.#tabOpened(name));
    this.history = new History((asked) => this.#restore(asked));
    this.corrections = new Corrections();
    this.attempts = new Attempts();
    this.form = new CorrectionForm({
      pick: (place) => this.#mark(place),
      save: (place) => this.#keepCorrection(place),
      close: () => this.#closeForm(),
    });
    this.composer = new Composer({
      take: (text, question) => this.#take(text, question),
      attempt: (work) => this.attempts.run(() => work(), "Reading \u2026"),
      keep: () => this.composer.close(),
    });
    /** @type {Text | null} */
    this.text = null;
    /** @type {Asked | null} */
    this.asked = null;
    /** @type {Asked | null} What the view "How it was found" shows. */
    this.explained = null;
    this.threshold = new Threshold(null, () => this.#decide());
    /** @type {ReaderFacts | null} */
    this.reader = null;
  }

  async start() {
    themeSwitch(byId("theme"));
    byId("ask").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask();
    });
    this.question.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#ask();
    });
    byId("edit").addEventListener("click", () => this.composer.open(this.text?.content ?? "", true));
    byId("new").addEventListener("click", () => this.composer.open("", true));
    byId("verify-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#verify();
    });
    byId("share").addEventListener("click", () => this.text && share(this.text, this.question.value.trim()));
    byId("text").addEventListener("pointerup", () => this.#selected());
    const open = () => openLink((text, question) => this.#take(text, question));
    addEventListener("hashchange", open);
    this.corrections.show();
    await this.attempts.run(() => this.#learn());
    await open();
  }

  /** Fetch the facts about the reader. */
  async #learn() {
    const reader = /** @type {ReaderFacts} */ (await call("v1/reader"));
    this.reader = reader;
    byId("reader").textContent = `Reader: ${reader.name}`;
    this.threshold = new Threshold(reader.null_threshold === "never" ? null : reader.null_threshold, () => this.#decide());
  }

  /**
   * @param {Text} text
   * @param {string} [question]
   */
  #take(text, question) {
    const same = this.text?.content === text.content && this.text.title === text.title;
    if (!same) {
      this.#forgetAnswer();
      this.#showText(text);
    }
    this.composer.close();
    this.tabs.open("text");
    if (location.hash) history.replaceState(null, "", location.pathname + location.search);
    if (question !== undefined) this.question.value = question;
    if (question) this.#ask();
    else this.question.focus();
  }

  /** @param {Text} text */
  #showText(text) {
    this.text = text;
    const offsets = offsetsOf(text);
    const pages = text.pages.map(({ start }) => offsets.toUnit(start));
    this.view.show(text.content, pages);
    byId("text-title").textContent = text.title;
    const facts = [`${count(offsets.length)} characters`];
    if (pages.length) facts.push(`${count(pages.length)} ${pages.length === 1 ? "page" : "pages"}`);
    byId("text-facts").textContent = facts.join(", ");
    this.#suggest();
  }

  /** Show the questions of a sample except for the last one asked. */
  #suggest() {
    const others = (this.text?.questions ?? []).filter((question) => question !== this.question.value.trim());
    const ask = (/** @type {string} */ question) => {
      this.question.value = question;
      this.#ask();
    };
    byId("suggestions").replaceChildren(
      ...others.map((question) => h("button", { type: "button", onclick: () => ask(question) }, question)),
    );
    byId("suggestions").hidden = others.length === 0;
  }

  #forgetAnswer() {
    byId("verdicts").replaceChildren();
    byId("verify-sum").hidden = true;
    this.asked = this.explained = null;
    this.form.close();
    for (const id of ["answer", "others", "silence"]) byId(id).hidden = true;
  }

  #ask() {
    const question = this.question.value.trim();
    if (!byId("composer").hidden) {
      const typed = this.composer.typed();
      if (!typed) {
        notice({ kind: "wait", title: "There is no text yet", message: "Paste one, drop a file, or try a sample." });
        say("There is no text yet.");
        return;
      }
      if (typed.content !== this.text?.content) {
        this.#take(typed);
      } else this.composer.close();
    }
    const text = this.text;
    if (!question || !text) {
      this.question.focus();
      return;
    }
    this.attempts.run(async (signal) => {
      if (!this.reader) await this.#learn();
      const began = performance.now();
      const result = await askAbout("v1/answer", text, { question, top_k: TOP_K }, signal);
      this.#answered({ text, question, result, took: performance.now() - began });
    });
  }

  /** Check the claimed quotes against the text. */
  #verify() {
    const claims = /** @type {HTMLTextAreaElement} */ (byId("claims"));
    const typed = byId("composer").hidden ? null : this.composer.typed();
    if (typed && typed.content !== this.text?.content) this.#take(typed);
    else if (this.text && !typed) this.composer.close();
    const { text } = this;
    if (!text || !byId("composer").hidden) {
      notice({ kind: "wait", title: "There is no text yet", message: "Paste the source, drop a file, or try a sample." });
      return;
    }
    if (!claims.value.trim()) {
      claims.focus();
      return;
    }
    this.attempts.run(async (signal) => {
      const { quotes } = await askAbout("v1/verify", text, { quotes: claims.value.toWellFormed() }, signal);
      const show = (/** @type {Place} */ place) => {
        this.tabs.open("text");
        this.view.mark([{ ...place, rank: 0, kind: "pick" }]);
        this.view.reveal(0);
      };
      say(showVerdicts(quotes, show));
    }, "Checking \u2026");
  }

  /** @param {Asked} asked */
  #answered(asked) {
    this.asked = asked;
    this.history.add(asked);
    this.#suggest();
    this.form.close();
    clearNotice();
    this.#decide();
    if (this.tabs.current === "fixes") this.tabs.open("text");
    if (this.tabs.current === "found") this.#explain();
    say(answerInWords(asked, this.threshold.value));
    if (narrow()) byId("ask").scrollIntoView({ block: "start" });
    else if (asked.result.answers.length) this.view.reveal(0);
  }

  /** Apply the threshold to the current scores. */
  #decide() {
    this.history.show(this.threshold.value);
    if (!this.asked) return;
    this.threshold.show(this.asked.result);
    showAnswer(this.asked, this.threshold.value, {
      reveal: (rank) => this.#reveal(rank),
      correct: () => this.asked && this.form.open(this.asked),
      say,
    });
    this.#mark(null);
  }

  /** @param {number} rank */
  #reveal(rank) {
    this.tabs.open("text");
    if (this.form.isOpen && this.asked) this.form.choose(this.asked.result.answers[rank].utf16);
    this.view.reveal(rank);
  }

  /** @param {Place | null} picked  Marked in addition to the answers. */
  #mark(picked) {
    if (!this.asked) return;
    const { result } = this.asked;
    const silent = abstains(result, this.threshold.value);
    const marks = result.answers.map(({ utf16, probability }, rank) => {
      const other = (probability ?? 0) < UNLIKELY ? "unlikely" : "other";
      return { ...utf16, rank, kind: /** @type {"best" | "other" | "unlikely"} */ (rank === 0 && !silent ? "best" : other) };
    });
    this.view.mark(picked ? [{ ...picked, rank: -1, kind: "pick" }, ...marks] : marks);
  }

  #selected() {
    if (!this.form.isOpen) return;
    const place = this.view.selection();
    if (place) this.form.choose(place);
  }

  /** @param {Place | null} place */
  #keepCorrection(place) {
    if (!this.asked) return;
    this.corrections.add({ text: this.asked.text, question: this.asked.question, place });
    this.#closeForm();
    say(`Saved. ${this.corrections.entries.length} in total; download them under Corrections.`);
  }

  #closeForm() {
    this.form.close();
    this.#mark(null);
    byId("correct-open").focus();
  }

  /** @param {Asked} asked */
  #restore(asked) {
    if (asked.text !== this.text) this.#showText(asked.text);
    this.composer.close();
    this.question.value = asked.question;
    this.#answered(asked);
  }

  /** @param {string} name */
  #tabOpened(name) {
    if (name === "found" && this.explained !== this.asked) this.#explain();
    else if (name === "found" && !this.asked) byId("view-found").textContent = "Ask a question first to see how its answer was found.";
  }

  #explain() {
    const asked = this.asked;
    const view = byId("view-found");
    view.replaceChildren();
    if (!asked || !this.reader) return;
    const { reader } = this;
    const { length } = offsetsOf(asked.text);
    const most = reader.limits.explain_characters;
    if (length > most) {
      view.textContent = `This server explains answers for texts of up to ${count(most)} characters; this one has ${count(length)}.`;
      return;
    }
    this.attempts.run(async (signal) => {
      const found = await askAbout("v1/explain", asked.text, { question: asked.question, top_k: 1 }, signal);
      this.explained = asked;
      showExplanation(view, found, reader, length);
    });
  }
}

new App().start();
