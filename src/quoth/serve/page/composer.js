// @ts-check
/** Text input: pasted, dropped, from a file, or a sample. */

import { readFile } from "./api.js";
import { byId } from "./dom.js";
import { showSamples } from "./samples.js";

/** @typedef {import("./types.js").Text} Text */

const TITLE_LENGTH = 60;

export class Composer {
  /**
   * @param {object} actions
   * @param {(text: Text, question?: string) => void} actions.take  Called with a new text; with a question, ask it.
   * @param {(work: (signal: AbortSignal) => Promise<void>, otherwise: [string, () => void]) => void} actions.attempt
   *   Run an operation that may fail; second: the action to offer if the file is rejected.
   * @param {() => void} actions.keep  Return to the previous text.
   */
  constructor({ take, attempt, keep }) {
    this.take = take;
    this.attempt = attempt;
    this.field = /** @type {HTMLTextAreaElement} */ (byId("paste"));
    const file = /** @type {HTMLInputElement} */ (byId("file"));
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.typed();
      if (text) take(text);
      else this.field.focus();
    });
    byId("choose").addEventListener("click", () => file.click());
    byId("keep").addEventListener("click", keep);
    file.addEventListener("change", () => {
      if (file.files?.[0]) this.#read(file.files[0]);
      file.value = "";
    });
    this.#takeDrops();
    showSamples(({ title, text, questions }) => take({ title, content: text, pages: [], handle: null, questions }, questions[0]));
  }

  /** @returns {Text | null} The content of the field. */
  typed() {
    const content = this.field.value.toWellFormed();
    return content.trim() ? { title: titleOf(content), content, pages: [], handle: null } : null;
  }

  /**
   * @param {string} content  Initial content.
   * @param {boolean} canKeep  Whether there is a previous text.
   */
  open(content, canKeep) {
    byId("composer").hidden = false;
    byId("reading").hidden = true;
    byId("keep").hidden = !canKeep;
    byId("samples").hidden = content !== "";
    this.field.value = content;
    this.field.focus();
  }

  close() {
    byId("composer").hidden = true;
    byId("reading").hidden = false;
  }

  /** @param {File} file */
  #read(file) {
    this.attempt(
      async (signal) => {
        const text = await readFile(file, signal);
        if (!signal.aborted) this.take(text);
      },
      ["Choose another file", () => byId("file").click()],
    );
  }

  #takeDrops() {
    const overlay = byId("drop");
    const holdsFile = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
    addEventListener("dragenter", (event) => {
      if (holdsFile(event)) overlay.hidden = false;
    });
    addEventListener("dragover", (event) => {
      if (holdsFile(event)) event.preventDefault();
    });
    addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) overlay.hidden = true;
    });
    addEventListener("drop", (event) => {
      overlay.hidden = true;
      const file = event.dataTransfer?.files[0];
      if (!file) return;
      event.preventDefault();
      this.#read(file);
    });
  }
}

/**
 * Return a title for a text: its first line.
 *
 * @param {string} content
 */
export function titleOf(content) {
  const line = content.trim().split("\n", 1)[0].replace(/^#+\s*/, "");
  return line.length > TITLE_LENGTH ? `${line.slice(0, TITLE_LENGTH - 1).trimEnd()}\u2026`.toWellFormed() : line;
}
