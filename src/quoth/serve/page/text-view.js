// @ts-check
/**
 * The text with its marks.
 *
 * The concatenated text nodes of the container are always exactly the text, so selections can be converted to spans of
 * the text and back.
 */

import { h } from "./dom.js";

/** @typedef {import("./types.js").Place} Place */
/** @typedef {Place & { kind: "best" | "other" | "unlikely" | "pick", rank: number }} Mark  In UTF-16 units; rank from 0. */
/** @typedef {(rank: number) => void} Chosen */

const GAP = /\n[ \t]*\n(?:[ \t]*\n)*/g;
// If there are more paragraphs than this, only visible ones are laid out.
const LONG = 300;
// Paragraphs that come into view for the first time change their height, so scrolling is repeated until a mark has stayed
// in view for some frames.
const FRAMES = 20;
const STEADY = 3;

export class TextView {
  /**
   * @param {HTMLElement} container
   * @param {{ choose: Chosen, point: (rank: number | null) => void }} actions  Called with the rank of a mark: when it is
   *   clicked, and when the pointer enters or leaves it.
   */
  constructor(container, { choose, point }) {
    this.container = container;
    const rankOf = (/** @type {Event} */ event) => {
      const mark = /** @type {Element} */ (event.target).closest("mark");
      return mark instanceof HTMLElement && Number(mark.dataset.rank) >= 0 ? Number(mark.dataset.rank) : null;
    };
    container.addEventListener("click", (event) => {
      const rank = rankOf(event);
      if (rank !== null && getSelection()?.isCollapsed) choose(rank);
    });
    container.addEventListener("pointerover", (event) => point(rankOf(event)));
    container.addEventListener("pointerleave", () => point(null));
    this.content = "";
    /** @type {(Place & { element: HTMLElement, marked: boolean })[]} */
    this.paragraphs = [];
  }

  /**
   * @param {string} content
   * @param {number[]} pages  Start of each page, in UTF-16 units.
   */
  show(content, pages) {
    this.content = content;
    const starts = paragraphStarts(content, pages);
    // A page without text has the same start as the next page, whose name is used.
    const named = new Map(pages.map((start, index) => [start, index + 1]));
    this.paragraphs = starts.map((start, index) => {
      const end = starts[index + 1] ?? content.length;
      const flows = isHardWrapped(content.slice(start, end));
      const element = h("p", { class: flows ? "flow" : "", dir: "auto", "data-page": named.get(start) });
      return { start, end, element, marked: true };
    });
    this.container.classList.toggle("long", starts.length > LONG);
    this.mark([]);
    this.container.replaceChildren(...this.paragraphs.map(({ element }) => element));
  }

  /** @param {Mark[]} marks  The best first. */
  mark(marks) {
    for (const paragraph of this.paragraphs) {
      const here = marks.filter((mark) => mark.start < paragraph.end && mark.end > paragraph.start);
      if (!here.length && !paragraph.marked) continue;
      paragraph.element.replaceChildren(...this.#pieces(paragraph, here));
      paragraph.marked = here.length > 0;
    }
  }

  /**
   * Split a paragraph at the ends of marks; each piece is shown with the best mark that covers it.
   *
   * @param {Place} paragraph
   * @param {Mark[]} marks
   */
  #pieces({ start, end }, marks) {
    const words = end - (/\s*$/.exec(this.content.slice(start, end))?.[0].length ?? 0);
    const cuts = new Set([start, words, end]);
    for (const mark of marks) for (const cut of [mark.start, mark.end]) if (cut > start && cut < words) cuts.add(cut);
    const sorted = [...cuts].sort((one, other) => one - other);
    /** @type {{ top: Mark | undefined, text: string, gap: boolean, ranks: string }[]} */
    const pieces = [];
    sorted.slice(0, -1).forEach((from, index) => {
      const text = this.content.slice(from, sorted[index + 1]);
      const gap = from >= words;
      const covering = gap ? [] : marks.filter((mark) => mark.start <= from && mark.end > from);
      const [top] = covering;
      // A piece that several candidates cover has the ranks of all of them, so that each can be highlighted.
      const ranks = covering.map(({ rank }) => rank).join(" ");
      const last = pieces.at(-1);
      if (last && last.top === top && last.gap === gap && last.ranks === ranks) last.text += text;
      else pieces.push({ top, text, gap, ranks });
    });
    return pieces.map(({ top, text, gap, ranks }) => {
      if (gap) return h("span", { class: "gap" }, text);
      return top ? h("mark", { class: top.kind, "data-rank": top.rank, "data-ranks": ranks }, text) : document.createTextNode(text);
    });
  }

  /**
   * Scroll a candidate into view and highlight it for a moment.
   *
   * @param {number} rank
   */
  reveal(rank) {
    for (const mark of this.container.querySelectorAll("mark.shown")) mark.classList.remove("shown");
    const found = this.#marksOf(rank);
    if (!found.length) return;
    bringIntoView(found[0]);
    for (const mark of found) {
      mark.classList.add("shown");
      mark.addEventListener("animationend", () => mark.classList.remove("shown"), { once: true });
    }
  }

  /**
   * Emphasise the mark of a candidate.
   *
   * @param {number | null} rank  Null: none.
   */
  point(rank) {
    for (const mark of this.container.querySelectorAll("mark.pointed")) mark.classList.remove("pointed");
    if (rank !== null) for (const mark of this.#marksOf(rank)) mark.classList.add("pointed");
  }

  /** @param {number} rank */
  #marksOf(rank) {
    return /** @type {HTMLElement[]} */ ([...this.container.querySelectorAll(`mark[data-ranks~="${rank}"]`)]);
  }

  /**
   * Return the selected span of the text, without surrounding white space; null if nothing is selected.
   *
   * @returns {Place | null}
   */
  selection() {
    const selected = getSelection();
    if (!selected || !selected.rangeCount || selected.isCollapsed) return null;
    const range = selected.getRangeAt(0).cloneRange();
    if (!this.container.contains(range.startContainer) || !range.intersectsNode(this.container)) return null;
    const before = document.createRange();
    before.setStart(this.container, 0);
    before.setEnd(range.startContainer, range.startOffset);
    const start = before.toString().length;
    if (!this.container.contains(range.endContainer)) range.setEnd(this.container, this.container.childNodes.length);
    const text = range.toString();
    const left = text.length - text.trimStart().length;
    const words = text.trim();
    return words ? { start: start + left, end: start + left + words.length } : null;
  }
}

/**
 * Scroll to an element. Smooth scrolling would end at a wrong place, because paragraphs on the way change their height.
 *
 * @param {HTMLElement} element
 * @param {number} [left]  Frames in which the layout may still change.
 * @param {number} [steady]  Frames in which it has stayed in view.
 */
function bringIntoView(element, left = FRAMES, steady = 0) {
  if (!element.isConnected || left === 0 || steady === STEADY) return;
  const stays = isInView(element);
  if (!stays) element.scrollIntoView({ block: "center", behavior: "instant" });
  requestAnimationFrame(() => bringIntoView(element, left - 1, stays ? steady + 1 : 0));
}

/** @param {HTMLElement} element */
function isInView(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
}

/**
 * @param {string} content
 * @param {number[]} pages
 */
function paragraphStarts(content, pages) {
  const starts = new Set([0, ...pages.filter((page) => page < content.length)]);
  for (const gap of content.matchAll(GAP)) {
    const start = gap.index + gap[0].length;
    if (start < content.length) starts.add(start);
  }
  return [...starts].sort((one, other) => one - other);
}

/**
 * Return true if the lines of a paragraph were wrapped at a fixed width, so that they can be wrapped again.
 *
 * @param {string} paragraph
 */
export function isHardWrapped(paragraph) {
  const lines = paragraph.trimEnd().split("\n");
  const full = lines.slice(0, -1);
  return full.length > 0 && full.every((line) => line.length >= 45 && line.length <= 200 && !/^\s|\t/.test(line));
}
