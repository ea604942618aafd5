// @ts-check
/**
 * What travels between the modules. Only types: nothing here runs.
 *
 * @typedef {{ start: number, end: number }} Place  Half-open.
 *
 * @typedef {object} Quote  One answer, as /v1/answer has it.
 * @property {string} text
 * @property {Place} span  In code points.
 * @property {Place} utf16  In UTF-16 units, as strings count here.
 * @property {number | null} score
 * @property {number | null} probability
 * @property {number} window
 * @property {number | null} [page]
 * @property {Quote[]} [variants]  Other spellings, best first.
 *
 * @typedef {object} Result  What is said about one question.
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
 * @typedef {object} Text  The text that is asked.
 * @property {string} title
 * @property {string} content
 * @property {Place[]} pages  In code points; empty without pages.
 * @property {string | null} handle  What the server knows it by; null until it was sent.
 * @property {string[]} [questions]  To try, of a sample.
 *
 * @typedef {object} Asked  One question with what came of it.
 * @property {Text} text
 * @property {string} question
 * @property {Result} result
 * @property {number} took  Milliseconds, seen from here.
 *
 * @typedef {object} Correction
 * @property {Text} text
 * @property {string} question
 * @property {Place | null} place  In UTF-16 units; null: the text does not answer.
 *
 * @typedef {object} QuotePlace  Where a quote stands.
 * @property {string} source
 * @property {number} source_index
 * @property {number} start_utf16
 * @property {number} end_utf16
 * @property {number | null} page
 * @property {string} text
 *
 * @typedef {{ kind: "same" | "form" | "changed" | "added" | "missing", quote: string, text: string }} Step
 *
 * @typedef {object} Verdict  What is true of one claimed quote, as /v1/verify has it.
 * @property {string} quote
 * @property {"exact" | "near" | "absent"} status
 * @property {QuotePlace[]} places
 * @property {number} place_count
 * @property {{ words_changed: boolean, forms: string[], steps: Step[] } | null} difference
 * @property {QuotePlace | null} closest
 * @property {string | null} note
 */
export {};
