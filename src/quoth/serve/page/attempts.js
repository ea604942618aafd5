// @ts-check
/** Operations that may take a while or fail: one at a time, with progress and error messages. */

import { ApiError, useToken, withPatience } from "./api.js";
import { byId } from "./dom.js";
import { clearNotice, inWords, notice } from "./notice.js";

/** @typedef {(signal: AbortSignal) => Promise<void>} Work */

/**
 * Announce a text to screen readers.
 *
 * @param {string} text
 */
export function say(text) {
  byId("say").textContent = text;
}

export class Attempts {
  constructor() {
    this.running = new AbortController();
    this.again = () => {};
    byId("token-dialog").addEventListener("close", () => this.#tokenGiven());
  }

  /**
   * Run an operation, and show its error if it fails.
   *
   * @param {Work} work  Aborted when the next one starts.
   * @param {string} [label]  Label of the button while it runs.
   */
  async run(work, label = "Asking \u2026") {
    this.running.abort();
    const running = new AbortController();
    this.running = running;
    clearNotice();
    busy(label);
    try {
      await withPatience(() => work(running.signal), running.signal, (seconds) => this.#waiting(seconds));
    } catch (error) {
      if (!running.signal.aborted) this.#failed(error, () => this.run(work, label));
    } finally {
      if (this.running === running) busy(null);
    }
  }

  /** @param {number} seconds */
  #waiting(seconds) {
    const message = `The server has more questions than it can answer at once. Asking again in ${seconds} s.`;
    const cancel = () => {
      this.running.abort();
      clearNotice();
      busy(null);
    };
    notice({ kind: "wait", title: "Too many questions at once", message, actions: [["Do not wait", cancel]] });
    // Announced once, not each second.
    const once = "The server is busy; asking again soon.";
    if (byId("say").textContent !== once) say(once);
  }

  /**
   * @param {unknown} error
   * @param {() => void} again
   */
  #failed(error, again) {
    const said = inWords(error);
    notice({ ...said, actions: [["Try again", again]] });
    say(`${said.title}. ${said.message}`);
    if (!(error instanceof ApiError) || error.status !== 401) return;
    this.again = again;
    const dialog = /** @type {HTMLDialogElement} */ (byId("token-dialog"));
    dialog.returnValue = "";
    if (!dialog.open) dialog.showModal();
  }

  #tokenGiven() {
    const field = /** @type {HTMLInputElement} */ (byId("token"));
    if (/** @type {HTMLDialogElement} */ (byId("token-dialog")).returnValue !== "use") return;
    useToken(field.value);
    field.value = "";
    this.again();
  }
}

/** @param {string | null} label  Null: no operation is running. */
function busy(label) {
  byId("ask").setAttribute("aria-busy", String(label !== null));
  byId("ask-button").textContent = label ?? "Ask";
}
