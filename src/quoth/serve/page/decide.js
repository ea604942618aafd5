// @ts-check
/** Decides whether to abstain; done in the browser, so that the slider needs no request. */

/** @typedef {import("./types.js").Result} Result */

/**
 * Return true if there is no answer.
 *
 * @param {Result} result
 * @param {number | null} least  Answer only if the best answer is at least this probable, in [0, 1]; null: as the reader
 *   decides.
 * @returns {boolean}
 */
export function abstains(result, least) {
  const best = result.answers[0];
  if (!best) return true;
  return least === null ? result.no_answer : (best.probability ?? 0) < least;
}
