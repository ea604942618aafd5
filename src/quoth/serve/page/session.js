// @ts-check
/** Stores the text and question of this tab, so that they survive a reload. They never leave the browser. */

import { remember, remembered } from "./storage.js";

/** @typedef {import("./types.js").Text} Text */

const KEY = "quoth-text";

/**
 * @param {Text} text
 * @param {string} question
 */
export function keepText({ title, content, pages, questions }, question) {
  // If the text is too long for the storage, remove the previous one, so that a reload does not show it.
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
