// @ts-check
/** Operations that may take a while or fail: one at a time, with progress and error messages. */

import { ApiError, useToken, withRetries } from "./api.js";
import { byId } from "./dom.js";
import { clearNotice, inWords, notice } from "./notice.js";

/** @typedef {(signal: AbortSignal) => Promise<void>} Work */
/** @typedef {[label: string, act: () => void]} Otherwise  The action to offer if a retry cannot succeed. */

// An operation that takes longer than this, in milliseconds, shows its time, and can be stopped.
const PROGRESS_AFTER = 1000;

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
    /** Repeats the operation that needed a token. */
    this.retry = () => {};
    byId("token-dialog").addEventListener("close", () => this.#tokenGiven());
    byId("stop").addEventListener("click", () => this.stop());
  }

  /**
   * Run an operation, and show its error if it fails.
   *
   * @param {Work} work  Aborted when the next one starts.
   * @param {string} [label]  Label of the button while it runs.
   * @param {Otherwise} [otherwise]  Offered if the server rejects the input.
   */
  async run(work, label = "Asking \u2026", otherwise) {
    this.running.abort();
    const running = new AbortController();
    this.running = running;
    clearNotice();
    busy(label);
    const clock = this.#clock(running.signal);
    try {
      await withRetries(() => work(running.signal), running.signal, (seconds) => this.#waiting(seconds));
    } catch (error) {
      if (!running.signal.aborted) this.#failed(error, () => this.run(work, label, otherwise), otherwise);
    } finally {
      clearInterval(clock);
      if (this.running === running) busy(null);
    }
  }

  /** Stop what is running; its result is not shown. */
  stop() {
    this.running.abort();
    clearNotice();
    busy(null);
  }

  /**
   * Show how long it takes, with a way to stop.
   *
   * @param {AbortSignal} signal
   */
  #clock(signal) {
    const began = performance.now();
    return setInterval(() => {
      if (signal.aborted) return;
      byId("progress").hidden = false;
      byId("progress-time").textContent = `${Math.round((performance.now() - began) / 1000)} s`;
    }, PROGRESS_AFTER);
  }

  /** @param {number} seconds */
  #waiting(seconds) {
    const message = `The server has more questions than it can answer at once. Trying again in ${seconds} s.`;
    notice({ kind: "wait", title: "Too many questions at once", message, actions: [["Do not wait", () => this.stop()]] });
    // Announced once, not every second.
    const once = "The server is busy; trying again soon.";
    if (byId("say").textContent !== once) say(once);
  }

  /**
   * @param {unknown} error
   * @param {() => void} retry
   * @param {Otherwise} [otherwise]
   */
  #failed(error, retry, otherwise) {
    const texts = inWords(error);
    const rejected = error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 401;
    notice({ ...texts, actions: [rejected && otherwise ? otherwise : ["Try again", retry]] });
    say(`${texts.title}. ${texts.message}`);
    if (!(error instanceof ApiError) || error.status !== 401) return;
    this.retry = retry;
    const dialog = /** @type {HTMLDialogElement} */ (byId("token-dialog"));
    dialog.returnValue = "";
    if (!dialog.open) dialog.showModal();
  }

  #tokenGiven() {
    const field = /** @type {HTMLInputElement} */ (byId("token"));
    if (/** @type {HTMLDialogElement} */ (byId("token-dialog")).returnValue !== "use") return;
    useToken(field.value);
    field.value = "";
    this.retry();
  }
}

/** @param {string | null} label  Null: no operation is running. */
function busy(label) {
  byId("ask").setAttribute("aria-busy", String(label !== null));
  byId("progress").hidden = true;
  byId("ask-button").textContent = label ?? "Ask";
}
