// @ts-check
/** The questions asked in this tab. They are not stored anywhere else, and are lost when the tab is closed. */

import { short } from "./answer.js";
import { abstains } from "./decide.js";
import { byId, h, narrow } from "./dom.js";

/** @typedef {import("./types.js").Asked} Asked */

const LIMIT = 50;

export class History {
  /** @param {(asked: Asked) => void} restore */
  constructor(restore) {
    /** @type {Asked[]} The newest first. */
    this.entries = [];
    this.restore = restore;
  }

  /** @param {Asked} asked */
  add(asked) {
    const same = (/** @type {Asked} */ old) => old.question === asked.question && old.text.content === asked.text.content;
    this.entries = [asked, ...this.entries.filter((old) => !same(old))].slice(0, LIMIT);
  }

  /** @param {number | null} least  See decide.js. */
  show(least) {
    const fold = /** @type {HTMLDetailsElement} */ (byId("earlier"));
    if (fold.hidden) fold.open = !narrow();
    fold.hidden = this.entries.length < 2;
    byId("history").replaceChildren(
      ...this.entries.map((asked) =>
        h(
          "li",
          {},
          h(
            "button",
            { type: "button", onclick: () => this.restore(asked) },
            h("span", {}, asked.question),
            h("span", { class: "history-answer", dir: "auto" }, abstains(asked.result, least) ? "No answer" : short(asked.result.answers[0].text)),
          ),
        ),
      ),
    );
  }
}
