// @ts-check
/** Creates elements without parsing markup, so that input of users and files is only used as text. */

/**
 * Return the element with an id, which must exist.
 *
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page must have an element #${id}, but has none`);
  return /** @type {T} */ (found);
}

/**
 * Create an element.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean | EventListener | undefined>} [properties]  Attributes; `onclick` and
 *   the like take a function; true: an attribute without a value; false and undefined: no attribute.
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/**
 * Set custom properties, which the style sheet uses as positions and widths.
 *
 * @template {HTMLElement} T
 * @param {T} element
 * @param {Record<string, number | string>} values
 * @returns {T}
 */
export function vary(element, values) {
  for (const [name, value] of Object.entries(values)) element.style.setProperty(name, String(value));
  return element;
}

const counted = new Intl.NumberFormat("en");

/** @param {number} value */
export const count = (value) => counted.format(value);

/**
 * Format a probability in per cent; 0 % and 100 % only for exact values.
 *
 * @param {number | null} value
 */
export function percent(value) {
  if (value === null) return "";
  if (value > 0 && value < 0.01) return "<1%";
  if (value < 1 && value > 0.99) return ">99%";
  return `${Math.round(100 * value)}%`;
}

/**
 * Format a logit or a score with a typographic minus sign.
 *
 * @param {number | null} value
 * @param {number} [digits]
 */
export function signed(value, digits = 2) {
  return value === null ? "none" : value.toFixed(digits).replace("-", "\u2212");
}

/** Whether the page is laid out for a phone; the same width as in page.css. */
export const narrow = () => matchMedia("(max-width: 54rem)").matches;
