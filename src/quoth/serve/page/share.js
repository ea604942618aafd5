// @ts-check
/** Creates and opens links that restore a question and its text. */

import { say } from "./attempts.js";
import { copy } from "./copy.js";
import { byId } from "./dom.js";
import { fromFragment, toFragment } from "./link.js";
import { notice } from "./notice.js";

/** @typedef {import("./types.js").Text} Text */

/**
 * Put question and text into the URL, and copy it.
 *
 * @param {Text} text
 * @param {string} question
 */
export async function share(text, question) {
  try {
    history.replaceState(null, "", await toFragment({ question, content: text.content, title: text.title }));
  } catch (error) {
    notice({ title: "Too long for a link", message: error instanceof Error ? error.message : "" });
    return;
  }
  const worked = await copy(location.href);
  byId("share").textContent = worked ? "Link copied" : "Link is in the address bar";
  say("The link contains the question and the text. They are not sent to the server.");
  setTimeout(() => (byId("share").textContent = "Copy link"), 2500);
}

/**
 * Open the text in the URL, if there is one.
 *
 * @param {(text: Text, question: string) => void} take
 */
export async function openLink(take) {
  const fragment = location.hash;
  if (fragment.length < 2) return;
  try {
    const shared = await fromFragment(fragment);
    if (!shared) return;
    take({ title: shared.title, content: shared.content.toWellFormed(), pages: [], handle: null }, shared.question);
    history.replaceState(null, "", fragment);
  } catch {
    notice({ title: "This link is damaged", message: "It was cut off or changed. Ask for it again, or paste the text." });
  }
}
