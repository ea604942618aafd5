// @ts-check
/** The slider for the minimum probability of an answer. It needs no request, because the page has the probabilities. */

import { byId, h, narrow, percent, vary } from "./dom.js";

/** @typedef {import("./types.js").Result} Result */

export class LeastProbability {
  /** @param {() => void} changed */
  constructor(changed) {
    /** @type {number | null} In [0, 1]; null: the reader decides. */
    this.value = null;
    this.input = h("input", { type: "range", id: "slider", min: 0, max: 100, step: 1 });
    this.input.setAttribute("aria-label", "Minimum probability of an answer");
    this.output = h("output", { for: "slider" });
    this.tick = h("div", { "aria-hidden": "true" });
    this.reset = h("button", { type: "button", class: "quiet", id: "reset" }, "Let the reader decide");
    this.input.addEventListener("input", () => {
      this.value = Number(this.input.value) / 100;
      changed();
    });
    this.reset.addEventListener("click", () => {
      this.value = null;
      changed();
      this.input.focus();
    });
    byId("least").replaceChildren(
      h("div", { class: "ends", "aria-hidden": "true" }, h("span", {}, "always answer"), h("span", {}, "only when sure")),
      h("div", { class: "scale" }, this.input, this.tick),
      this.output,
      h("div", { class: "actions" }, this.reset),
    );
  }

  /**
   * Show the minimum probability, and the probability of the best answer to this question.
   *
   * @param {Result} result
   */
  show(result) {
    const fold = /** @type {HTMLDetailsElement} */ (byId("silence"));
    if (fold.hidden) fold.open = !narrow();
    const here = result.answers[0]?.probability ?? null;
    fold.hidden = here === null;
    if (here === null) return;
    // If the user has not set a minimum, the thumb is at the highest one at which this question is answered.
    this.input.value = String(this.value === null ? Math.min(99, Math.floor(100 * here)) : Math.round(100 * this.value));
    const rule =
      this.value === null
        ? "The reader answers if an answer is more likely right than \u201cno answer\u201d."
        : this.value === 0
          ? "Always answers."
          : `Answers only if at least ${percent(this.value)} likely right.`;
    this.input.setAttribute("aria-valuetext", rule);
    this.output.textContent = `${rule} The best answer here: ${percent(here)}.`;
    this.reset.hidden = this.value === null;
    const side = here < 0.3 ? "left" : here > 0.7 ? "right" : "middle";
    this.tick.replaceChildren(vary(h("span", { class: "tick here", "data-side": side }, "best answer here"), { "--at": here }));
  }
}
