// @ts-check
/** Files that are dropped on the page, or chosen in the file dialog. */

import { byId } from "./dom.js";

export class DropZone {
  /** @param {(files: File[]) => void} take */
  constructor(take) {
    const field = /** @type {HTMLInputElement} */ (byId("files"));
    const overlay = byId("drop");
    let depth = 0;
    const has = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
    byId("choose").addEventListener("click", () => field.click());
    field.addEventListener("change", () => {
      const files = [...(field.files ?? [])];
      field.value = "";
      if (files.length) take(files);
    });
    addEventListener("dragenter", (event) => {
      if (!has(event)) return;
      depth += 1;
      overlay.hidden = false;
    });
    addEventListener("dragleave", (event) => {
      if (!has(event)) return;
      depth -= 1;
      if (depth <= 0) overlay.hidden = true;
    });
    addEventListener("dragover", (event) => has(event) && event.preventDefault());
    addEventListener("drop", (event) => {
      if (!has(event)) return;
      event.preventDefault();
      depth = 0;
      overlay.hidden = true;
      take([...(event.dataTransfer?.files ?? [])]);
    });
  }
}
