// @ts-check
/** Converts between code points (Python, the API) and UTF-16 units (JavaScript). */

/** @typedef {import("./types.js").Place} Place */
/** @typedef {import("./types.js").Text} Text */

/** Offsets of one text in both units. */
export class Offsets {
  /** @param {string} text */
  constructor(text) {
    /** @type {number[]} Starts of the characters with two UTF-16 units, in units. */
    this.pairs = [];
    for (const found of text.matchAll(/[\u{10000}-\u{10ffff}]/gu)) this.pairs.push(found.index);
    this.length = text.length - this.pairs.length;
  }

  /**
   * @param {number} unit  Not in the middle of a character.
   * @returns {number} Code points before it.
   */
  toCodePoint(unit) {
    return unit - firstNot(this.pairs.length, (index) => this.pairs[index] < unit);
  }

  /**
   * @param {number} point
   * @returns {number} UTF-16 units before it.
   */
  toUnit(point) {
    return point + firstNot(this.pairs.length, (index) => this.pairs[index] - index < point);
  }

  /**
   * @param {Place} place  In code points.
   * @returns {Place} In UTF-16 units.
   */
  units({ start, end }) {
    return { start: this.toUnit(start), end: this.toUnit(end) };
  }
}

/** @type {WeakMap<Text, Offsets>} */
const counted = new WeakMap();

/**
 * Return the cached offsets of a text.
 *
 * @param {Text} text
 * @returns {Offsets}
 */
export function offsetsOf(text) {
  const known = counted.get(text) ?? new Offsets(text.content);
  counted.set(text, known);
  return known;
}

/**
 * Binary search: return the first index below `size` for which `holds` is false, or `size`.
 *
 * @param {number} size
 * @param {(index: number) => boolean} holds
 */
function firstNot(size, holds) {
  let low = 0;
  let high = size;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Return the span of every occurrence of some words in a text, in UTF-16 units.
 *
 * @param {string} text
 * @param {string} words
 * @returns {Place[]}
 */
export function placesOf(text, words) {
  const places = [];
  for (let start = words ? text.indexOf(words) : -1; start >= 0; start = text.indexOf(words, start + 1)) {
    places.push({ start, end: start + words.length });
  }
  return places;
}
