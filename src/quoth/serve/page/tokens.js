// @ts-check
/** The tokens of one window as a heat map, with a bar for the start logit and one for the end logit of each token. */

import { h, signed } from "./dom.js";

/** @typedef {import("./types.js").Window} Window */
/** @typedef {import("./types.js").Quote} Quote */

// Number of colours of the heat map; page.css has a rule for each.
const STEPS = 9;
const TOP = 5;

export class TokenMap {
  /**
   * @param {Window} window
   * @param {Quote} [answer]  The best answer, if it is in this window.
   */
  constructor(window, answer) {
    this.window = window;
    this.detail = h("p", { class: "detail", "aria-hidden": "true" });
    this.least = Infinity;
    this.most = -Infinity;
    for (const logit of [...window.start_logits, ...window.end_logits]) {
      if (logit === null) continue;
      this.least = Math.min(this.least, logit);
      this.most = Math.max(this.most, logit);
    }
    this.tokens = window.tokens.map((token, index) => this.#token(token, index, answer));
    this.element = h(
      "div",
      { class: "tokens", role: "listbox", tabindex: 0, "aria-label": "Tokens with their start and end logits; arrow keys move" },
      ...this.tokens,
    );
    this.element.addEventListener("pointerover", (event) => this.#point(event));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    const first = this.tokens.findIndex((token) => token.classList.contains("quoted"));
    this.#select(Math.max(0, first), false);
  }

  /**
   * @param {string} token
   * @param {number} index
   * @param {Quote | undefined} answer
   */
  #token(token, index, answer) {
    const { offsets, in_context: inside } = this.window;
    const [start, end] = offsets[index];
    const quoted = answer && inside[index] && start < answer.span.end && end > answer.span.start;
    const made = h(
      "span",
      {
        id: `token-${this.window.index}-${index}`,
        class: quoted ? "token quoted" : "token",
        role: "option",
        "aria-selected": "false",
        "aria-label": this.#inWords(index),
        "data-start": this.#heat(this.window.start_logits[index]),
        "data-end": this.#heat(this.window.end_logits[index]),
        "data-outside": !inside[index],
      },
      h("span", {}, token),
      h("i", { class: "start" }),
      h("i", { class: "end" }),
    );
    made.dataset.index = String(index);
    return made;
  }

  /** @param {number | null} logit */
  #heat(logit) {
    if (logit === null || this.most <= this.least) return 0;
    return Math.round((STEPS * (logit - this.least)) / (this.most - this.least));
  }

  /** @param {number} index */
  #inWords(index) {
    const { tokens, start_logits: starts, end_logits: ends } = this.window;
    return `${tokens[index]}: start ${signed(starts[index])}, end ${signed(ends[index])}`;
  }

  /**
   * @param {number} index
   * @param {boolean} scroll
   */
  #select(index, scroll) {
    this.tokens[this.at ?? 0]?.setAttribute("aria-selected", "false");
    this.at = index;
    const token = this.tokens[index];
    if (!token) return;
    token.setAttribute("aria-selected", "true");
    this.element.setAttribute("aria-activedescendant", token.id);
    if (scroll) token.scrollIntoView({ block: "nearest" });
    const { tokens, start_logits: starts, end_logits: ends, in_context: inside } = this.window;
    const part = inside[index] ? "" : index === 0 ? ", logits of \u201cno answer\u201d" : ", not part of the text";
    this.detail.replaceChildren(
      h("b", {}, tokens[index]),
      ` start ${signed(starts[index])}, end ${signed(ends[index])}${part}`,
    );
  }

  /** @param {Event} event */
  #point(event) {
    const token = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest(".token"));
    if (token) this.#select(Number(token.dataset.index), false);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const last = this.tokens.length - 1;
    const at = this.at ?? 0;
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#select(Math.min(last, Math.max(0, to)), true);
  }

  /** Scroll to the token that is selected, without moving the page. */
  reveal() {
    const token = this.tokens[this.at ?? 0];
    if (token) this.element.scrollTop = token.offsetTop - this.element.offsetTop - this.element.clientHeight / 2;
  }

  legend() {
    return h(
      "p",
      { class: "legend" },
      h("span", {}, "upper bar: start, lower bar: end"),
      h("span", {}, signed(this.least, 1), h("i", { class: "ramp", "aria-hidden": "true" }), signed(this.most, 1)),
    );
  }

  /** The tokens with the highest start and end logits, as two tables. */
  tops() {
    const { start_logits: starts, end_logits: ends } = this.window;
    return h("div", { class: "tops" }, this.#top("Most likely starts", starts), this.#top("Most likely ends", ends));
  }

  /**
   * @param {string} caption
   * @param {(number | null)[]} logits
   */
  #top(caption, logits) {
    const { tokens, in_context: inside } = this.window;
    const indices = logits.flatMap((logit, index) => (inside[index] && logit !== null ? [index] : []));
    indices.sort((one, other) => Number(logits[other]) - Number(logits[one]) || one - other);
    const rows = indices
      .slice(0, TOP)
      .map((index) => h("tr", {}, h("th", { scope: "row" }, tokens[index]), h("td", {}, signed(logits[index]))));
    return h("table", {}, h("caption", {}, caption), h("tbody", {}, ...rows));
  }
}
