// @ts-check
/** Sample texts, written for Quoth. */

import { byId, h } from "./dom.js";

/** @typedef {{ title: string, questions: string[], text: string }} Sample */

/**
 * @param {(sample: Sample) => void} choose
 */
export async function showSamples(choose) {
  const response = await fetch("page/samples.json");
  if (!response.ok) return;
  const samples = /** @type {Sample[]} */ (await response.json());
  byId("sample-list").replaceChildren(
    ...samples.map((sample) =>
      h(
        "li",
        {},
        h(
          "button",
          { type: "button", onclick: () => choose(sample) },
          h("span", { class: "title" }, sample.title),
          h("span", { class: "muted" }, sample.questions[0]),
        ),
      ),
    ),
  );
}
