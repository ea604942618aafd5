// @ts-check
/** Requests to the server, and their errors. */

import { remember, remembered } from "./storage.js";

/** @typedef {import("./types.js").Text} Text */

const TOKEN = "quoth-token";
// The token is also kept here, in case the browser forbids storage.
let storedToken = remembered("sessionStorage", TOKEN);

/** A failed request, with a message for users. */
export class ApiError extends Error {
  /**
   * @param {{ status: number, code: string, message: string, hint?: string, retryAfter?: number | null }} facts
   *   status: HTTP status, 0 without a response; retryAfter: seconds.
   */
  constructor({ status, code, message, hint = "", retryAfter = null }) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.retryAfter = retryAfter;
  }
}

/** @param {string} token */
export function useToken(token) {
  storedToken = token;
  remember("sessionStorage", TOKEN, token);
}

export function hasToken() {
  return Boolean(storedToken);
}

/**
 * Send a request and return the parsed response.
 *
 * @param {string} path  Relative to the page, so that it may be served below any path.
 * @param {{ body?: BodyInit | object, signal?: AbortSignal }} [options]  A body that is not a form is sent as JSON.
 * @returns {Promise<any>}
 * @throws {ApiError | DOMException} An AbortError (DOMException) if the signal aborted it.
 */
export async function call(path, options = {}) {
  return (await fetched(path, options)).json();
}

/**
 * Return an image from the server.
 *
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>}
 */
export async function image(path, signal) {
  return (await fetched(path, { signal })).blob();
}

/**
 * Delete a resource of the server.
 *
 * @param {string} path
 * @param {AbortSignal} signal
 */
export async function remove(path, signal) {
  await fetched(path, { method: "DELETE", signal });
}

/**
 * @param {string} path
 * @param {{ body?: BodyInit | object, method?: string, signal?: AbortSignal }} options  Without a method: POST with a body, else GET.
 */
async function fetched(path, { body, method, signal }) {
  /** @type {Record<string, string>} */
  const headers = { accept: "application/json" };
  if (storedToken) headers.authorization = `Bearer ${storedToken}`;
  const form = body instanceof FormData;
  if (body && !form) headers["content-type"] = "application/json";
  const sent = /** @type {BodyInit | undefined} */ (form || !body ? body : JSON.stringify(body));
  let response;
  try {
    response = await fetch(path, { method: method ?? (body ? "POST" : "GET"), headers, body: sent, signal });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError({
      status: 0,
      code: "unreachable",
      message: "The server does not answer.",
      hint: "Is quoth serve still running? This page keeps the text and the question.",
    });
  }
  if (!response.ok) throw await failure(response);
  return response;
}

/** @param {Response} response */
async function failure(response) {
  const after = Number(response.headers.get("retry-after"));
  const facts = { status: response.status, retryAfter: after > 0 ? after : null };
  try {
    const { error } = await response.json();
    return new ApiError({ ...facts, code: error.code, message: error.message, hint: error.hint });
  } catch {
    return new ApiError({ ...facts, code: "unknown", message: `The server answered with status ${response.status}.` });
  }
}

/**
 * Send a request about a text. The text is sent before if the server does not have it.
 *
 * @param {string} path  v1/answer or v1/explain.
 * @param {Text} text  Its handle is set.
 * @param {object} request  The request without the text.
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function askAbout(path, text, request, signal) {
  const known = text.handle !== null;
  if (!known) await send(text, signal);
  try {
    return await call(path, { body: { ...request, text: text.handle }, signal });
  } catch (error) {
    if (!known || !(error instanceof ApiError) || error.status !== 404) throw error;
    await send(text, signal);
    return call(path, { body: { ...request, text: text.handle }, signal });
  }
}

/**
 * @param {Text} text
 * @param {AbortSignal} [signal]
 */
async function send(text, signal) {
  text.handle = (await call("v1/texts", { body: { text: text.content }, signal })).handle;
}

/**
 * Upload a file and return its text.
 *
 * @param {File} file
 * @param {AbortSignal} signal
 * @returns {Promise<Text>}
 */
export async function readFile(file, signal) {
  const form = new FormData();
  form.append("file", file);
  const read = await call("v1/texts", { body: form, signal });
  return { title: file.name, content: read.text, pages: read.pages ?? [], handle: read.handle };
}

/**
 * Run a function; if the server is overloaded, wait as long as it says and retry.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @param {AbortSignal} signal  Also aborts the waiting.
 * @param {(seconds: number) => void} waiting  Called each second with the seconds left.
 * @param {number} [tries]
 * @returns {Promise<T>}
 */
export async function withRetries(work, signal, waiting, tries = 4) {
  for (let left = tries; ; left -= 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ApiError) || error.retryAfter === null || left <= 1) throw error;
      for (let seconds = Math.ceil(error.retryAfter); seconds > 0; seconds -= 1) {
        waiting(seconds);
        await pause(1000, signal);
      }
    }
  }
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", end);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", end, { once: true });
  });
}
