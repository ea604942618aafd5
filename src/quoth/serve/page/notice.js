// @ts-check
/** Notices: errors and delays, and what to do about them. */

import { ApiError, hasToken } from "./api.js";
import { byId, h } from "./dom.js";

/**
 * @param {{ kind?: "error" | "wait", title: string, message?: string, hint?: string, actions?: [string, () => void][] }} said
 */
export function notice({ kind = "error", title, message = "", hint = "", actions = [] }) {
  const box = byId("notice");
  box.dataset.kind = kind;
  byId("notice-title").textContent = title;
  for (const [id, text] of [["notice-message", message], ["notice-hint", hint]]) {
    byId(id).textContent = text;
    byId(id).hidden = !text;
  }
  byId("notice-actions").replaceChildren(
    ...actions.map(([label, act]) => h("button", { type: "button", onclick: act }, label)),
  );
  box.hidden = false;
}

export function clearNotice() {
  byId("notice").hidden = true;
}

const CODES = new Map([["document_not_found", "This document does not exist"]]);

/**
 * Return the title, message and hint for an error.
 *
 * @param {unknown} error
 * @returns {{ title: string, message: string, hint: string }}
 */
export function inWords(error) {
  if (!(error instanceof ApiError)) {
    return { title: "Something went wrong", message: error instanceof Error ? error.message : String(error), hint: "" };
  }
  const { status, code, message, hint } = error;
  const titles = new Map([
    [0, "No connection"],
    [401, hasToken() ? "This token is not accepted" : "A token is needed"],
    [404, "The text has expired"],
    [413, "That is too long"],
    [415, "This file type is not supported"],
    [503, "Too many questions at once"],
    [504, "That took too long"],
  ]);
  const title = CODES.get(code) ?? titles.get(status) ?? (status >= 500 ? "Server error" : "The request is invalid");
  return { title, message: sentence(withoutFlag(message)), hint: sentence(withoutFlag(hint)) };
}

// The name of a setting in parentheses, which is for the operator of the server.
const FLAG = / \((?:[a-z]+(?:_[a-z]+)+|cors)\)/g;

/** @param {string} text */
function withoutFlag(text) {
  return text.replace(FLAG, "");
}

/** @param {string} text */
function sentence(text) {
  if (!text) return "";
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.?!]$/.test(text) ? "" : "."}`;
}
