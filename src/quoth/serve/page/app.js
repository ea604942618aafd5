// @ts-check
/** The page: connects its components. */

import { inWords as answerInWords, showAnswer } from "./answer.js";
import { askAbout, call } from "./api.js";
import { onAsk } from "./ask-form.js";
import { Attempts, say } from "./attempts.js";
import { Composer } from "./composer.js";
import { CorrectionForm, Corrections } from "./correct.js";
import { abstains } from "./decide.js";
import { byId, count, h, narrow } from "./dom.js";
import { showExplanation } from "./explain.js";
import { History } from "./history.js";
import { LeastProbability } from "./least.js";
import { clearNotice, notice } from "./notice.js";
import { offsetsOf } from "./offsets.js";
import { openLink, share } from "./share.js";
import { keepText, keptText } from "./session.js";
import { Tabs } from "./tabs.js";
import { TextView } from "./text-view.js";
import { themeSwitch } from "./theme.js";
import { showVerdicts } from "./verify.js";

/** @typedef {import("./types.js").Asked} Asked */
/** @typedef {import("./types.js").Explanation} Explanation */
/** @typedef {import("./types.js").Place} Place */
/** @typedef {import("./types.js").ReaderFacts} ReaderFacts */
/** @typedef {import("./types.js").Text} Text */

const TOP_K = 6;
// Candidates below this probability have a faint mark.
const UNLIKELY = 0.05;
// Rank of the mark of a correction.
const PICKED = -1;

class App {
  constructor() {
    this.question = /** @type {HTMLTextAreaElement} */ (byId("question"));
    this.view = new TextView(byId("text"), {
      choose: (rank) => this.#chosen(rank),
      point: (rank) => this.#point(rank),
    });
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
      take: (text, question) => {
        this.#take(text, question);
        // Typing replaces a question about another text.
        if (question === undefined) this.question.select();
      },
      attempt: (work, otherwise) => this.attempts.run(work, "Reading \u2026", otherwise),
      keep: () => this.composer.close(),
    });
    /** @type {Text | null} */
    this.text = null;
    /** @type {Asked | null} */
    this.asked = null;
    /** @type {{ asked: Asked, found: Explanation } | null} What the view "How it was found" shows. */
    this.explained = null;
    this.least = new LeastProbability(() => this.#decide());
    /** @type {ReaderFacts | null} */
    this.reader = null;
  }

  async start() {
    themeSwitch(byId("theme"));
    onAsk(this.question, () => this.#ask());
    this.question.addEventListener("input", () => this.#compareQuestion());
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
    await this.attempts.run((signal) => this.#fetchReader(signal), "Loading \u2026");
    await open();
    if (!this.text) this.#restoreText();
  }

  /**
   * Fetch the facts about the reader.
   *
   * @param {AbortSignal} signal
   */
  async #fetchReader(signal) {
    this.reader = /** @type {ReaderFacts} */ (await call("v1/reader", { signal }));
    byId("reader").textContent = `Reader: ${this.reader.name}`;
    byId("library-link").hidden = !this.reader.corpus;
  }

  /** After a reload, show the previous text of this tab, without sending the question again. */
  #restoreText() {
    const kept = keptText();
    if (!kept) return;
    this.#showText(kept.text);
    this.composer.close();
    this.question.value = kept.question;
  }

  /**
   * @param {Text} text
   * @param {string} [question]
   */
  #take(text, question) {
    // Running requests belong to the previous text.
    this.attempts.stop();
    // A text that was opened for editing and not changed keeps its name, pages and answer.
    const same = this.text?.content === text.content && (this.text.title === text.title || !text.handle);
    if (question !== undefined) this.question.value = question;
    if (!same) {
      this.#forgetAnswer();
      this.#showText(text);
    }
    this.composer.close();
    this.tabs.open("text");
    if (location.hash) history.replaceState(null, "", location.pathname + location.search);
    if (question) this.#ask();
    this.question.focus();
  }

  /** @param {Text} text */
  #showText(text) {
    this.text = text;
    // Verdicts have places in the previous text.
    byId("verdicts").replaceChildren();
    byId("verify-sum").hidden = true;
    const offsets = offsetsOf(text);
    const pages = text.pages.map(({ start }) => offsets.toUnit(start));
    this.view.show(text.content, pages);
    byId("text-title").textContent = text.title;
    const facts = [`${count(offsets.length)} characters`];
    if (pages.length) facts.push(`${count(pages.length)} ${pages.length === 1 ? "page" : "pages"}`);
    byId("text-facts").textContent = facts.join(", ");
    keepText(text, this.question.value.trim());
    this.#suggest();
  }

  /** Show the questions of a sample except for the last one asked. */
  #suggest() {
    const others = (this.text?.questions ?? []).filter((question) => question !== this.question.value.trim());
    const ask = (/** @type {string} */ question) => {
      this.question.value = question;
      this.#ask();
      this.question.focus();
    };
    byId("suggestions").replaceChildren(
      ...others.map((question) => h("button", { type: "button", onclick: () => ask(question) }, question)),
    );
    byId("suggestions").hidden = others.length === 0;
  }

  #forgetAnswer() {
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
    if (location.hash) history.replaceState(null, "", location.pathname + location.search);
    keepText(text, question);
    this.attempts.run(async (signal) => {
      if (!this.reader) await this.#fetchReader(signal);
      const began = performance.now();
      const result = await askAbout("v1/answer", text, { question, top_k: TOP_K }, signal);
      if (text === this.text) this.#answered({ text, question, result, took: performance.now() - began });
    });
    this.#compareQuestion();
  }

  /** If the typed question differs from the answered one, show to which question the answer belongs. */
  #compareQuestion() {
    byId("answer").toggleAttribute("data-stale", this.asked !== null && this.asked.question !== this.question.value.trim());
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
    this.#compareQuestion();
    if (this.tabs.current === "fixes") this.tabs.open("text");
    if (this.tabs.current === "found") this.#explain();
    say(answerInWords(asked, this.least.value));
    if (narrow()) byId("ask").scrollIntoView({ block: "start" });
    else if (asked.result.answers.length) this.view.reveal(0);
  }

  /** Apply the minimum probability to the current result. */
  #decide() {
    this.history.show(this.least.value);
    if (!this.asked) return;
    this.least.show(this.asked.result);
    this.#showExplained();
    showAnswer(this.asked, this.least.value, {
      reveal: (rank) => this.#reveal(rank),
      point: (rank) => this.#point(rank),
      correct: () => this.#correct(),
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

  /**
   * A candidate was clicked in the text: go to it in the list.
   *
   * @param {number} rank
   */
  #chosen(rank) {
    if (this.form.isOpen) return;
    const entry = document.querySelector(`#candidates [data-rank="${rank}"]`) ?? byId("answer").querySelector("button");
    if (entry instanceof HTMLElement) entry.focus();
  }

  /**
   * Emphasise a candidate in the text and in the list.
   *
   * @param {number | null} rank
   */
  #point(rank) {
    this.view.point(rank);
    for (const entry of document.querySelectorAll("#candidates [data-rank]")) {
      entry.classList.toggle("pointed", rank !== null && entry.getAttribute("data-rank") === String(rank));
    }
  }

  /** Open the form for a correction, and show the text, in which the right words can be selected. */
  #correct() {
    if (!this.asked) return;
    this.tabs.open("text");
    this.form.open(this.asked);
    if (narrow()) this.view.reveal(PICKED);
  }

  /** @param {Place | null} picked  Marked in addition to the answers. */
  #mark(picked) {
    if (!this.asked) return;
    const { result } = this.asked;
    const noAnswer = abstains(result, this.least.value);
    const marks = result.answers.map(({ utf16, probability }, rank) => {
      const other = (probability ?? 0) < UNLIKELY ? "unlikely" : "other";
      return { ...utf16, rank, kind: /** @type {"best" | "other" | "unlikely"} */ (rank === 0 && !noAnswer ? "best" : other) };
    });
    this.view.mark(picked ? [{ ...picked, rank: PICKED, kind: "pick" }, ...marks] : marks);
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
    this.attempts.stop();
    if (asked.text !== this.text) this.#showText(asked.text);
    this.composer.close();
    this.question.value = asked.question;
    this.#answered(asked);
    this.question.focus();
  }

  /** @param {string} name */
  #tabOpened(name) {
    if (name === "found" && this.asked && this.explained?.asked !== this.asked) this.#explain();
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
      if (asked !== this.asked) return;
      this.explained = { asked, found };
      this.#showExplained();
    });
  }

  #showExplained() {
    if (!this.explained || !this.reader || this.explained.asked !== this.asked) return;
    const { asked, found } = this.explained;
    showExplanation(byId("view-found"), asked, found, this.reader, offsetsOf(asked.text).length, this.least.value);
  }
}

new App().start();
