// @ts-check
/** The list of documents, page by page. */

import { call } from "./api.js";
import { byId, count, h } from "./dom.js";

export const PER_PAGE = 50;

export class List {
  /** @param {(id: string) => void} open  Called with the id of the document that the user has chosen. */
  constructor(open) {
    this.open = open;
    // Whether the corpus has changed since it was listed.
    this.isOld = true;
  }

  /**
   * Show a page of the list.
   *
   * @param {{ filter: string, from: number }} wanted  The filter, and the number of the first document, from 1.
   * @param {AbortSignal} signal
   */
  async show({ filter, from }, signal) {
    const wanted = new URLSearchParams({ text: filter, offset: String(from - 1), limit: String(PER_PAGE) });
    const listed = await call(`v1/corpus/documents?${wanted}`, { signal });
    const last = from - 1 + listed.documents.length;
    const all = `${count(listed.total)} in ${listed.corpus}`;
    byId("list-facts").textContent = listed.total ? all : nothing(filter, listed.corpus);
    byId("list-place").textContent = listed.documents.length ? `${count(from)} to ${count(last)} of ${count(listed.total)}` : "";
    byId("paging").hidden = listed.total <= PER_PAGE && from === 1;
    /** @type {HTMLButtonElement} */ (byId("list-earlier")).disabled = from === 1;
    /** @type {HTMLButtonElement} */ (byId("list-later")).disabled = last >= listed.total;
    byId("documents").replaceChildren(
      ...listed.documents.map((/** @type {{ id: string, title: string, name: string, passages: number }} */ each) =>
        h("li", {},
          h("button", { type: "button", "data-id": each.id, onclick: () => this.open(each.id) },
            h("span", { class: "title", dir: "auto" }, each.title || each.name),
            h("span", { class: "name" }, each.name),
            h("span", { class: "size" }, passages(each.passages))))),
    );
    this.isOld = false;
  }

  /** The shown part of the list, in words. */
  get place() {
    return byId("list-place").textContent || byId("list-facts").textContent;
  }

  /**
   * Focus a document, or the title if it is not on this page.
   *
   * @param {string} id
   */
  focus(id) {
    const button = byId("documents").querySelector(`button[data-id="${id}"]`);
    /** @type {HTMLElement} */ (button ?? byId("list-title")).focus();
  }
}

/**
 * @param {string} filter
 * @param {string} corpus
 */
function nothing(filter, corpus) {
  if (filter) return `No document of ${corpus} has this in its name or title`;
  return `${corpus} has no documents yet${byId("choose").hidden ? "" : ". Drop some files here"}`;
}

/** @param {number} number */
const passages = (number) => `${count(number)} ${number === 1 ? "passage" : "passages"}`;
