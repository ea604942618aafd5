// @ts-check
/** The form with the question, which all pages have. */

import { byId } from "./dom.js";

/**
 * Call a function when the question is submitted: by the button, or by Enter without Shift.
 *
 * @param {HTMLTextAreaElement} question
 * @param {() => void} ask
 */
export function onAsk(question, ask) {
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    ask();
  });
}
