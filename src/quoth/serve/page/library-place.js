// @ts-check
/**
 * What the library shows, in the fragment of its address, which browsers never send to a server.
 *
 * `#question=…&answer=1&document=…&page=2&filter=…&from=51`, without what is empty.
 */

/**
 * @typedef {object} Shown
 * @property {string} question  That was asked; empty: none.
 * @property {number} answer  Rank of the answer that is shown, from 1; 0: none.
 * @property {string} document  The id of the document that is shown; empty: the list.
 * @property {number} page  Of the document, or its part, from 1; 0: where the answer is.
 * @property {string} filter  Of the list.
 * @property {number} from  The first document of the list that is shown, from 1.
 */

/**
 * @param {string} fragment  With its #. What is wrong in it is left out.
 * @returns {Shown}
 */
export function fromFragment(fragment) {
  const fields = new URLSearchParams(fragment.slice(1));
  const number = (/** @type {string} */ name, /** @type {number} */ least) => {
    const value = Number(fields.get(name));
    return Number.isSafeInteger(value) && value > least ? value : least;
  };
  const id = fields.get("document") ?? "";
  return {
    question: (fields.get("question") ?? "").trim(),
    answer: number("answer", 0),
    document: /^[0-9a-f]{32}$/.test(id) ? id : "",
    page: number("page", 0),
    filter: fields.get("filter") ?? "",
    from: number("from", 1),
  };
}

/**
 * @param {Shown} shown
 * @returns {string} The fragment with its #; empty for the whole list.
 */
export function toFragment({ question, answer, document, page, filter, from }) {
  const fields = new URLSearchParams();
  if (question) fields.set("question", question);
  if (answer) fields.set("answer", String(answer));
  if (document) fields.set("document", document);
  if (page) fields.set("page", String(page));
  if (filter) fields.set("filter", filter);
  if (from > 1) fields.set("from", String(from));
  const text = `${fields}`;
  return text && `#${text}`;
}
