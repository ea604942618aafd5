// @ts-check
/** The text and question of this tab, so that a reload keeps them. They never leave the browser. */

import { remember, remembered } from "./storage.js";

/** @typedef {import("./types.js").Text} Text */

const KEY = "quoth-text";

/**
 * @param {Text} text
 * @param {string} question
 */
export function keepText({ title, content, pages, questions }, question) {
  // A text that is too long for the storage is not kept, and no earlier one in its place.
  if (!remember("sessionStorage", KEY, JSON.stringify({ title, content, pages, questions, question }))) remember("sessionStorage", KEY, null);
}

/** @returns {{ text: Text, question: string } | null} */
export function keptText() {
  const kept = remembered("sessionStorage", KEY);
  if (!kept) return null;
  try {
    const { title, content, pages, questions, question } = JSON.parse(kept);
    return { text: { title, content, pages, questions, handle: null }, question };
  } catch {
    return null;
  }
}
