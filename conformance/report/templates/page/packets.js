// What the page holds deflated, in base64.

/**
 * @param {string} text
 * @returns {Promise<string>}
 */
export async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}
