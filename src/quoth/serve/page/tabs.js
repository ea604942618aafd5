// @ts-check
/** Tabs that follow the ARIA practices: one tab is in the tab order, and arrow keys move between tabs. */

import { byId } from "./dom.js";

export class Tabs {
  /**
   * @param {string[]} names  Of tab-… and view-….
   * @param {(name: string) => void} opened
   */
  constructor(names, opened) {
    this.names = names;
    this.opened = opened;
    names.forEach((name, index) => {
      const tab = byId(`tab-${name}`);
      tab.addEventListener("click", () => this.open(name));
      tab.addEventListener("keydown", (event) => {
        const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: names.length - 1 }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        const next = names[(to + names.length) % names.length];
        this.open(next);
        byId(`tab-${next}`).focus();
      });
    });
  }

  /** @param {string} chosen */
  open(chosen) {
    for (const name of this.names) {
      const tab = byId(`tab-${name}`);
      tab.setAttribute("aria-selected", String(name === chosen));
      tab.tabIndex = name === chosen ? 0 : -1;
      byId(`view-${name}`).hidden = name !== chosen;
    }
    this.current = chosen;
    this.opened(chosen);
  }
}
