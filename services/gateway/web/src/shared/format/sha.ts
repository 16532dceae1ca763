/** Shas: what a typed word must look like to be looked up as a commit. */

/** The beginning of a sha: hex, as many digits as the server asks for. */
export function isSha(text: string): boolean {
  return /^[0-9a-f]{4,64}$/i.test(text)
}
