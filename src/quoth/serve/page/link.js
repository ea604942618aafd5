// @ts-check
/**
 * Links with the question and the text in the fragment, which browsers never send to a server.
 *
 * Short ones are `#q=…&t=…&n=…`; long ones are `#z=…`, the same fields deflated, in base64url.
 */

/** @typedef {{ question: string, content: string, title: string }} Shared */

// Mail and chat programs truncate longer links.
export const LONGEST = 16000;
const SHORT = 500;
// Maximum decompressed size of a link, in bytes, against decompression bombs.
const MAX_UNPACKED = 8_000_000;

/** The text does not fit into a link. */
export class LinkTooLongError extends Error {
  /** @param {number} length */
  constructor(length) {
    super(
      `A link can have at most ${LONGEST.toLocaleString("en")} characters, but this text needs ` +
        `${length.toLocaleString("en")}. Send the text itself instead.`,
    );
  }
}

/**
 * @param {Shared} shared
 * @returns {Promise<string>} The fragment, with its #.
 * @throws {LinkTooLongError}
 */
export async function toFragment({ question, content, title }) {
  const plain = `${new URLSearchParams({ q: question, t: content, n: title })}`;
  let fragment = `#${plain}`;
  if (plain.length > SHORT) {
    const packed = await through(new TextEncoder().encode(plain), new CompressionStream("deflate-raw"), Infinity);
    fragment = `#z=${toBase64Url(packed)}`;
  }
  if (fragment.length > LONGEST) throw new LinkTooLongError(fragment.length);
  return fragment;
}

/**
 * @param {string} fragment  With its #.
 * @returns {Promise<Shared | null>} Null if it has no text.
 * @throws {Error} If it is damaged.
 */
export async function fromFragment(fragment) {
  let fields = new URLSearchParams(fragment.slice(1));
  const packed = fields.get("z");
  if (packed) {
    const plain = await through(fromBase64Url(packed), new DecompressionStream("deflate-raw"), MAX_UNPACKED);
    fields = new URLSearchParams(new TextDecoder().decode(plain));
  }
  const content = fields.get("t");
  return content ? { content, question: fields.get("q") ?? "", title: fields.get("n") || "Text of a link" } : null;
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {CompressionStream | DecompressionStream} stream
 * @param {number} most  Maximum number of output bytes.
 */
async function through(bytes, stream, most) {
  const chunks = [];
  let size = 0;
  for await (const chunk of chunksOf(new Blob([bytes]).stream().pipeThrough(stream))) {
    size += chunk.length;
    if (size > most) throw new Error("the decompressed link is too large");
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** @param {ReadableStream<Uint8Array<ArrayBuffer>>} stream */
async function* chunksOf(stream) {
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** @param {Uint8Array} bytes */
function toBase64Url(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @param {string} text */
function fromBase64Url(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
