// @ts-check
/** Whether there is an answer, as SQuAD 2.0 decides it; here, so that the slider asks nobody. */

/** @typedef {import("./types.js").Result} Result */

/**
 * Return by how much "no answer" scores above the best answer; null if one of the two has no score.
 *
 * @param {Result} result
 * @returns {number | null}
 */
export function margin(result) {
  const score = result.answers[0]?.score ?? null;
  return score === null || result.null_score === null ? null : result.null_score - score;
}

/**
 * Tell whether to say nothing: the null score exceeds the best answer's by more than the threshold.
 *
 * Source: Devlin et al. 2019, BERT, section 4.3; the official SQuAD 2.0 script's na_prob_thresh.
 *
 * @param {Result} result
 * @param {number | null} threshold  Null: never say nothing.
 * @returns {boolean}
 */
export function abstains(result, threshold) {
  if (!result.answers.length) return true;
  const above = margin(result);
  return threshold !== null && above !== null && above > threshold;
}
