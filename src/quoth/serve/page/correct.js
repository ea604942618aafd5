// @ts-check
/** Corrections: users select or type the right answer, or state that there is none. */

import { short } from "./answer.js";
import { byId, count, h } from "./dom.js";
import { placesOf } from "./offsets.js";
import { toSquad } from "./squad.js";

/** @typedef {import("./types.js").Asked} Asked */
/** @typedef {import("./types.js").Correction} Correction */
/** @typedef {import("./types.js").Place} Place */

/** The correction form. Its field is filled by a selection or with the keyboard. */
export class CorrectionForm {
  /**
   * @param {{ pick: (place: Place | null) => void, save: (place: Place | null) => void, close: () => void }} actions
   *   pick: show the selected span; save: store it, null for no answer.
   */
  constructor(actions) {
    this.actions = actions;
    this.content = "";
    /** @type {Place[]} */
    this.places = [];
    this.at = 0;
    this.field = h("input", { type: "text", id: "right-words", autocomplete: "off", spellcheck: "false", dir: "auto" });
    this.where = h("span", { role: "status" });
    this.next = h("button", { type: "button", onclick: () => this.#show(this.at + 1) }, "Next place");
    this.use = h("button", { type: "submit", class: "primary" }, "Save");
    this.field.addEventListener("input", () => this.#typed());
    const form = h(
      "form",
      { class: "correct-form", onsubmit: (event) => this.#submit(event) },
      h("h2", { id: "correct-title" }, "What is the right answer?"),
      h("label", { for: "right-words" }, "Select the right words in the text, or type them exactly as in the text"),
      this.field,
      h("div", { class: "where" }, this.where, this.next),
      h(
        "div",
        { class: "actions" },
        this.use,
        h("button", { type: "button", id: "no-answer", onclick: () => actions.save(null) }, "No answer in the text"),
        h("button", { type: "button", class: "quiet", onclick: actions.close }, "Cancel"),
      ),
    );
    byId("correct").replaceChildren(form);
  }

  get isOpen() {
    return !byId("correct").hidden;
  }

  /** @param {Asked} asked */
  open(asked) {
    this.content = asked.text.content;
    byId("correct").hidden = false;
    const best = asked.result.answers[0];
    if (best) this.choose(best.utf16);
    else this.#typed();
    // On a phone, the keyboard would cover the text in which the right words are selected.
    if (matchMedia("(pointer: coarse)").matches) byId("correct").focus();
    else {
      this.field.focus();
      this.field.select();
    }
  }

  close() {
    byId("correct").hidden = true;
  }

  /**
   * Select a span of the text.
   *
   * @param {Place} place
   */
  choose(place) {
    const words = this.content.slice(place.start, place.end);
    this.field.value = words;
    // The field removes line feeds, so a selection with line feeds is not searched but used as it is.
    this.places = this.field.value === words ? placesOf(this.content, words) : [place];
    this.#show(Math.max(0, this.places.findIndex(({ start }) => start === place.start)));
  }

  #typed() {
    this.places = placesOf(this.content, this.field.value.trim());
    this.#show(0);
  }

  /** @param {number} at */
  #show(at) {
    this.at = this.places.length ? at % this.places.length : 0;
    const place = this.places[this.at] ?? null;
    this.use.disabled = !place;
    this.next.hidden = this.places.length < 2;
    const all = this.places.length === 1 ? "Found once" : `Place ${this.at + 1} of ${count(this.places.length)}`;
    this.where.textContent = place ? all : this.field.value.trim() ? "Not in the text exactly as typed" : "Nothing selected yet";
    this.actions.pick(place);
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    const place = this.places[this.at];
    if (place) this.actions.save(place);
  }
}

/** The corrections of this tab. */
export class Corrections {
  constructor() {
    /** @type {Correction[]} */
    this.entries = [];
    this.saved = true;
    addEventListener("beforeunload", (event) => {
      if (!this.saved) event.preventDefault();
    });
  }

  /** @param {Correction} correction */
  add(correction) {
    const same = (/** @type {Correction} */ old) =>
      old.question === correction.question && old.text.content === correction.text.content;
    this.entries = [...this.entries.filter((old) => !same(old)), correction];
    this.saved = false;
    this.show();
  }

  show() {
    const many = this.entries.length;
    byId("tab-fixes").textContent = many ? `Corrections (${many})` : "Corrections";
    byId("view-fixes").replaceChildren(h("div", { class: "fixes" }, ...(many ? this.#list() : emptyList())));
  }

  #list() {
    const items = this.entries.map((correction, index) =>
      h(
        "li",
        {},
        h("p", {}, correction.question),
        h("button", { type: "button", class: "quiet", "aria-label": `Remove: ${correction.question}`, onclick: () => this.#remove(index) }, "Remove"),
        h("p", { class: correction.place ? "right" : "muted" }, correction.place ? short(wordsOf(correction)) : "The text does not answer"),
        h("p", { class: "muted" }, correction.text.title),
      ),
    );
    return [
      h("p", {}, "Your corrections, as a training file. To train the reader with them: ", h("code", {}, "quoth train corrections.json --base shipped --out corrected"), "."),
      h("div", { class: "actions" }, h("button", { type: "button", class: "primary", id: "download", onclick: () => this.#download() }, "Download as SQuAD JSON")),
      h("ul", {}, ...items),
    ];
  }

  /** @param {number} index */
  #remove(index) {
    this.entries.splice(index, 1);
    this.show();
    byId("tab-fixes").focus();
  }

  #download() {
    const content = JSON.stringify(toSquad(this.entries, `correction-${Date.now().toString(36)}`), null, 1);
    const url = URL.createObjectURL(new Blob([content], { type: "application/json" }));
    h("a", { href: url, download: "corrections.json" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    this.saved = true;
  }
}

/** @param {Correction} correction */
function wordsOf({ text, place }) {
  return place ? text.content.slice(place.start, place.end) : "";
}

function emptyList() {
  return [
    h("p", { class: "muted" }, "Nothing yet. If an answer is wrong, choose \u201cCorrect it\u201d below it and give the right one. The corrections are collected here as training data."),
  ];
}
