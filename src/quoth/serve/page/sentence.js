// @ts-check
/** The sentence around a quote. */

/** @typedef {import("./types.js").Place} Place */

const LONGEST = 320;
const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });

/**
 * Return the sentence, or sentences, around a span, shortened with ellipses if they are long.
 *
 * @param {string} content
 * @param {Place} place  In UTF-16 units.
 * @returns {[string, string, string]} The text before the span, the span, and the text after it.
 */
export function around(content, { start, end }) {
  const before = content.lastIndexOf("\n\n", start);
  const from = Math.max(before < 0 ? 0 : before + 2, start - 5 * LONGEST);
  const after = content.indexOf("\n\n", end);
  const to = Math.min(after < 0 ? content.length : after, end + 5 * LONGEST);
  let [left, right] = [from, to];
  for (const { index, segment } of segmenter.segment(content.slice(from, to))) {
    const [begins, ends] = [from + index, from + index + segment.length];
    if (begins <= start) left = begins;
    if (ends >= end) {
      right = ends;
      break;
    }
  }
  const most = Math.max(40, (LONGEST - (end - start)) / 2);
  const first = start - left > most ? `\u2026${content.slice(start - most, start).toWellFormed().replace(/^\S*/, "")}` : content.slice(left, start).trimStart();
  const last = right - end > most ? `${content.slice(end, end + most).toWellFormed().replace(/\S*$/, "")}\u2026` : content.slice(end, right).trimEnd();
  return [first, content.slice(start, end), last];
}
