// @ts-check
/** Decides whether to abstain, as in SQuAD 2.0; done in the browser, so that the slider needs no request. */

/** @typedef {import("./types.js").Result} Result */

/**
 * Return the null odds (null score minus the best answer's score); null if one of the two has no score.
 *
 * @param {Result} result
 * @returns {number | null}
 */
export function margin(result) {
  const score = result.answers[0]?.score ?? null;
  return score === null || result.null_score === null ? null : result.null_score - score;
}

/**
 * Return true if the reader abstains: the null odds exceed the threshold.
 *
 * Source: Devlin et al. 2019, BERT, section 4.3; the official SQuAD 2.0 script's na_prob_thresh.
 *
 * @param {Result} result
 * @param {number | null} threshold  Null: never abstain.
 * @returns {boolean}
 */
export function abstains(result, threshold) {
  if (!result.answers.length) return true;
  const above = margin(result);
  return threshold !== null && above !== null && above > threshold;
}
