// @ts-check
/** Light or dark theme: that of the system, unless the user changes it. Loaded first, to avoid flashes. */

import { remember, remembered } from "./storage.js";

const KEY = "quoth-theme";
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

const stored = remembered("localStorage", KEY);
if (stored === "light" || stored === "dark") root.dataset.theme = stored;

/** @param {HTMLElement} button */
export function themeSwitch(button) {
  const label = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `${isDark() ? "Light" : "Dark"} colours`);
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember("localStorage", KEY, root.dataset.theme);
    label();
  });
  system.addEventListener("change", label);
  label();
}
