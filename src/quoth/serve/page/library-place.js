// @ts-check
/**
 * The state of the library in the fragment of its address, which browsers never send to a server.
 *
 * `#question=…&answer=1&document=…&page=2&filter=…&from=51`, without empty fields.
 */

/**
 * @typedef {object} Shown
 * @property {string} question  The answered question; empty: none.
 * @property {number} answer  Rank of the shown answer, from 1; 0: none.
 * @property {string} document  The id of the shown document; empty: the list is shown.
 * @property {number} page  Page or part of the document, from 1; 0: the one with the answer.
 * @property {string} filter  Filter of the list.
 * @property {number} from  Number of the first shown document of the list, from 1.
 */

/**
 * @param {string} fragment  With its #. Invalid fields are ignored.
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
