// @ts-check
/**
 * Types that several modules use. This module has no code.
 *
 * @typedef {{ start: number, end: number }} Place  Half-open.
 *
 * @typedef {object} Quote  One answer of /v1/answer.
 * @property {string} text
 * @property {Place} span  In code points.
 * @property {Place} utf16  In UTF-16 units, like offsets of JavaScript strings.
 * @property {number | null} score
 * @property {number | null} probability
 * @property {number} window
 * @property {number | null} [page]
 * @property {Quote[]} [variants]  Spans that overlap it, best first.
 *
 * @typedef {object} Result  The result for one question.
 * @property {Quote[]} answers  Best first.
 * @property {number | null} null_score
 * @property {boolean} no_answer
 * @property {string | null} reason
 * @property {string | null} [warning]
 * @property {{ queue_ms: number, compute_ms: number, total_ms: number }} timing
 *
 * @typedef {object} Window  One window of /v1/explain; its columns have equal length.
 * @property {number} index
 * @property {Place} span
 * @property {string[]} tokens
 * @property {[number, number][]} offsets
 * @property {boolean[]} in_context
 * @property {(number | null)[]} start_logits
 * @property {(number | null)[]} end_logits
 * @property {number | null} null_score
 *
 * @typedef {object} Rejected  A rejected candidate.
 * @property {string} text
 * @property {string} why
 * @property {number | null} score
 *
 * @typedef {Result & { windows: Window[], rejected: Rejected[], null_probability: number | null }} Explanation
 *
 * @typedef {object} ReaderFacts  Of /v1/reader.
 * @property {string} name
 * @property {string} version
 * @property {number} max_tokens
 * @property {number} overlap
 * @property {number | "never"} null_threshold  "never": it never abstains.
 * @property {{ context_characters: number, explain_characters: number }} limits
 * @property {"open" | "read-only" | null} corpus
 *
 * @typedef {object} Text  A text to answer questions from.
 * @property {string} title
 * @property {string} content
 * @property {Place[]} pages  In code points; empty without pages.
 * @property {string | null} handle  Its handle on the server; null before it is sent.
 * @property {string[]} [questions]  Suggested questions about a sample.
 *
 * @typedef {object} Asked  One question with its result.
 * @property {Text} text
 * @property {string} question
 * @property {Result} result
 * @property {number} took  Time until the response, in milliseconds, measured in the browser.
 *
 * @typedef {object} Correction
 * @property {Text} text
 * @property {string} question
 * @property {Place | null} place  In UTF-16 units; null: the text does not answer.
 *
 * @typedef {object} QuotePlace  The place of a quote in a source.
 * @property {string} source
 * @property {number} source_index
 * @property {number} start_utf16
 * @property {number} end_utf16
 * @property {number | null} page
 * @property {string} text
 *
 * @typedef {{ kind: "same" | "form" | "changed" | "added" | "missing", quote: string, text: string }} Step
 *
 * @typedef {object} Verdict  The verdict of /v1/verify on one claimed quote.
 * @property {string} quote
 * @property {"exact" | "near" | "absent"} status
 * @property {QuotePlace[]} places
 * @property {number} place_count
 * @property {{ words_changed: boolean, forms: string[], steps: Step[] } | null} difference
 * @property {QuotePlace | null} closest
 * @property {string | null} note
 */
export {};
