// @ts-check
/** The slider for the null threshold. It asks nobody: scores are here, and the rule is SQuAD 2.0's. */

import { margin } from "./decide.js";
import { byId, h, narrow, signed, vary } from "./dom.js";

/** @typedef {import("./types.js").Result} Result */

const STEP = 0.1;
const LEAST = 20;

export class Threshold {
  /**
   * @param {number | null} stored  The reader's own; null: it never abstains.
   * @param {() => void} changed
   */
  constructor(stored, changed) {
    this.stored = stored;
    this.value = stored;
    this.bound = Math.max(LEAST, Math.ceil(Math.abs(stored ?? 0)) + 1);
    this.input = h("input", { type: "range", id: "slider", min: -this.bound, max: this.bound + STEP, step: STEP });
    this.input.setAttribute("aria-label", "Threshold for no answer");
    this.output = h("output", { for: "slider" });
    this.ticks = h("div", { "aria-hidden": "true" });
    const reset = h("button", { type: "button", class: "quiet", id: "reset" }, "Back to the stored value");
    this.reset = reset;
    this.input.addEventListener("input", () => {
      const value = Number(this.input.value);
      this.#set(value > this.bound ? null : value, changed);
    });
    reset.addEventListener("click", () => {
      this.#set(this.stored, changed);
      this.input.focus();
    });
    byId("threshold").replaceChildren(
      h("div", { class: "ends", "aria-hidden": "true" }, h("span", {}, "silent if in doubt"), h("span", {}, "always answers")),
      h("div", { class: "scale" }, this.input, this.ticks),
      this.output,
      h("div", { class: "actions" }, reset),
    );
  }

  /**
   * @param {number | null} value
   * @param {() => void} changed
   */
  #set(value, changed) {
    this.value = value;
    changed();
  }

  /**
   * Show where the threshold is, and where this question would tip over.
   *
   * @param {Result} result
   */
  show(result) {
    const fold = /** @type {HTMLDetailsElement} */ (byId("silence"));
    if (fold.hidden) fold.open = !narrow();
    fold.hidden = margin(result) === null;
    const value = this.value ?? this.bound + STEP;
    const said = this.value === null ? "never says \u201cno answer\u201d" : `threshold ${signed(this.value, 1)}`;
    this.input.value = String(value);
    this.input.setAttribute("aria-valuetext", said);
    const above = margin(result);
    this.output.textContent =
      this.value === null
        ? "Never says \u201cno answer\u201d."
        : `Says \u201cno answer\u201d where that scores more than ${signed(this.value, 1)} above the best quote; here it is ${signed(above, 1)}.`;
    this.reset.hidden = this.value === this.stored;
    this.ticks.replaceChildren(this.#tick(this.stored, "stored", ""), ...(above === null ? [] : [this.#tick(above, "this question tips here", "here low")]));
  }

  /**
   * @param {number | null} value
   * @param {string} label
   * @param {string} kind
   */
  #tick(value, label, kind) {
    const whole = 2 * this.bound + STEP;
    const at = Math.min(1, Math.max(0, ((value ?? this.bound + STEP) + this.bound) / whole));
    const side = at < 0.3 ? "left" : at > 0.7 ? "right" : "middle";
    return vary(h("span", { class: `tick ${kind}`, "data-side": side }, label), { "--at": at });
  }
}
