// @ts-check
/** Corrections as a SQuAD v2.0 file, for `quoth data check` and `quoth train`. */

import { offsetsOf } from "./offsets.js";

/** @typedef {import("./types.js").Correction} Correction */

/**
 * @param {Correction[]} corrections
 * @param {string} prefix  Prefix of the ids, so that ids of different files differ.
 * @returns {object} One article per title, one paragraph per text; answer_start counts code points.
 */
export function toSquad(corrections, prefix) {
  /** @type {Map<string, Map<string, object[]>>} */
  const articles = new Map();
  corrections.forEach(({ text, question, place }, index) => {
    const paragraphs = getOrMake(articles, text.title, () => new Map());
    const questions = getOrMake(paragraphs, text.content, () => []);
    const answers = place ? [goldOf(text, place)] : [];
    questions.push({ id: `${prefix}-${index + 1}`, question, answers, is_impossible: place === null });
  });
  const data = [...articles].map(([title, paragraphs]) => ({
    title,
    paragraphs: [...paragraphs].map(([context, qas]) => ({ context, qas })),
  }));
  return { version: "v2.0", data };
}

/**
 * @param {import("./types.js").Text} text
 * @param {import("./types.js").Place} place
 */
function goldOf(text, { start, end }) {
  return { text: text.content.slice(start, end), answer_start: offsetsOf(text).toCodePoint(start) };
}

/**
 * @template K, V
 * @param {Map<K, V>} map
 * @param {K} key
 * @param {() => V} make
 * @returns {V}
 */
function getOrMake(map, key, make) {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
