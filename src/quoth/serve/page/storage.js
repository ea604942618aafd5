// @ts-check
/** Storage of the browser. If privacy settings forbid it, nothing is stored, and nothing fails. */

/** @typedef {"localStorage" | "sessionStorage"} Area */

/**
 * @param {Area} area
 * @param {string} key
 * @returns {string | null}
 */
export function remembered(area, key) {
  try {
    return window[area].getItem(key);
  } catch {
    return null;
  }
}

/**
 * @param {Area} area
 * @param {string} key
 * @param {string | null} value  Null: remove it.
 * @returns {boolean} Whether it is stored; not if storage is forbidden or full.
 */
export function remember(area, key, value) {
  try {
    if (value === null) window[area].removeItem(key);
    else window[area].setItem(key, value);
    return true;
  } catch {
    return false;
  }
}
