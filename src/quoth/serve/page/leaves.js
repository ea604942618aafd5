// @ts-check
/** A document with an answer marked: the pages of a PDF as images from the server, or parts of a text. A leaf is either. */

import { call, image } from "./api.js";
import { byId, count, h, vary } from "./dom.js";

/**
 * @typedef {import("./types.js").Place} Place
 *
 * @typedef {object} Found  An answer of /v1/corpus/answer.
 * @property {string} text
 * @property {string} document
 * @property {string} name
 * @property {string} title
 * @property {Place} span  In code points of the document.
 * @property {number | null} page
 * @property {{ page: number, left: number, top: number, right: number, bottom: number }[]} boxes
 * @property {string} sentence
 * @property {number} probability
 *
 * @typedef {object} Opened
 * @property {string} id
 * @property {string} name
 * @property {string} title
 * @property {number} characters
 * @property {Place[] | null} pages
 * @property {{ width: number, height: number }[] | null} page_sizes
 */

// Length of a part of a text, in code points, and width of the image of a page, in pixels.
const PART = 20_000;
const WIDTH = 1400;

export class Leaves {
  /** @param {(page: number) => void} turned  Called with the page or part, from 1, to which the user has moved. */
  constructor(turned) {
    this.turned = turned;
    /** @type {Opened | null} */
    this.opened = null;
    /** @type {Found | null} */
    this.answer = null;
    this.index = 0;
    this.moving = new AbortController();
    byId("leaf-earlier").addEventListener("click", () => this.#move(-1));
    byId("leaf-later").addEventListener("click", () => this.#move(1));
  }

  /**
   * Show a page or part of a document: a given one, the one with the answer, or the first.
   *
   * @param {string} id
   * @param {Found | null} answer
   * @param {number} page  From 1; 0: the one with the answer. If it is beyond the end, the last one is shown.
   * @param {AbortSignal} signal
   * @returns {Promise<number>} The page or part that is shown, from 1.
   */
  async show(id, answer, page, signal) {
    this.moving.abort();
    const opened = /** @type {Opened} */ (await call(`v1/corpus/documents/${id}?start=0&end=1`, { signal }));
    const found = opened.page_sizes ? (answer?.page ?? 1) - 1 : Math.floor((answer?.span.start ?? 0) / PART);
    const at = page ? Math.min(page, leavesOf(opened)) - 1 : found;
    const leaf = await this.#leaf(opened, answer, at, signal);
    this.opened = opened;
    this.answer = answer;
    byId("shown-title").textContent = opened.title || opened.name;
    byId("shown-facts").textContent = `${opened.name}, ${count(opened.characters)} characters`;
    this.#put(leaf, at);
    return at + 1;
  }

  /** Scroll to the answer. */
  reveal() {
    byId("leaf").querySelector(".spot, mark")?.scrollIntoView({ block: "nearest" });
  }

  /** @param {number} step */
  async #move(step) {
    if (!this.opened) return;
    this.moving.abort();
    this.moving = new AbortController();
    const { signal } = this.moving;
    const at = this.index + step;
    try {
      this.#put(await this.#leaf(this.opened, this.answer, at, signal), at);
      this.turned(at + 1);
    } catch (error) {
      if (!signal.aborted) byId("leaf-place").textContent = error instanceof Error ? error.message : String(error);
    }
  }

  /**
   * @param {HTMLElement[]} leaf
   * @param {number} at
   */
  #put(leaf, at) {
    if (!this.opened) return;
    const all = leavesOf(this.opened);
    this.index = at;
    byId("leafing").hidden = all <= 1;
    byId("leaf-place").textContent = `${this.opened.page_sizes ? "Page" : "Part"} ${count(at + 1)} of ${count(all)}`;
    /** @type {HTMLButtonElement} */ (byId("leaf-earlier")).disabled = at === 0;
    /** @type {HTMLButtonElement} */ (byId("leaf-later")).disabled = at + 1 >= all;
    byId("leaf").replaceChildren(...leaf);
  }

  /**
   * Return the elements of a page or a part.
   *
   * @param {Opened} opened
   * @param {Found | null} answer
   * @param {number} at
   * @param {AbortSignal} signal
   * @returns {Promise<HTMLElement[]>}
   */
  async #leaf(opened, answer, at, signal) {
    if (opened.page_sizes) return drawn(opened, answer, at, signal);
    const [start, end] = [at * PART, Math.min(opened.characters, (at + 1) * PART)];
    const { text } = await call(`v1/corpus/documents/${opened.id}?start=${start}&end=${end}`, { signal });
    return [marked(text, start, answer)];
  }
}

/**
 * Return the number of pages or parts.
 *
 * @param {Opened} opened
 */
function leavesOf({ page_sizes, characters }) {
  return page_sizes?.length ?? Math.max(1, Math.ceil(characters / PART));
}

/**
 * @param {Opened} opened
 * @param {Found | null} answer
 * @param {number} at
 * @param {AbortSignal} signal
 */
async function drawn(opened, answer, at, signal) {
  const size = (opened.page_sizes ?? [])[at];
  const place = (opened.pages ?? [])[at] ?? { start: 0, end: 0 };
  const [blob, { text }] = await Promise.all([
    image(`v1/corpus/documents/${opened.id}/pages/${at + 1}?width=${WIDTH}`, signal),
    call(`v1/corpus/documents/${opened.id}?start=${place.start}&end=${place.end}`, { signal }),
  ]);
  const bitmap = await createImageBitmap(blob);
  const boxes = (answer?.boxes ?? []).filter(({ page }) => page === at + 1);
  const label = `Page ${at + 1} of ${opened.name}${boxes.length && answer ? `; marked: ${answer.text}` : ""}`;
  // Assistive technology reads the content of the element.
  const canvas = h("canvas", { role: "img", "aria-label": label, width: bitmap.width, height: bitmap.height }, text);
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  const spots = boxes.map(({ left, top, right, bottom }) =>
    vary(h("span", { class: "spot" }), {
      "--left": left / size.width,
      "--top": top / size.height,
      "--width": (right - left) / size.width,
      "--height": (bottom - top) / size.height,
    }),
  );
  return [canvas, ...spots];
}

/**
 * @param {string} text
 * @param {number} start  Start of the text in its document, in code points.
 * @param {Found | null} answer
 */
function marked(text, start, answer) {
  const points = [...text];
  const from = Math.max(0, (answer?.span.start ?? 0) - start);
  const to = Math.min(points.length, (answer?.span.end ?? 0) - start);
  const piece = (/** @type {number} */ low, /** @type {number} */ high) => points.slice(low, high).join("");
  if (!answer || from >= to) return h("div", { class: "text", dir: "auto" }, text);
  return h("div", { class: "text", dir: "auto" }, piece(0, from), h("mark", { class: "best" }, piece(from, to)), piece(to, points.length));
}
