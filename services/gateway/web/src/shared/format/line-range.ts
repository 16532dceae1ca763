/** Line range: the lines an address points at, `#L120` or `#L120-L140`. */

export interface LineRange {
  first: number
  last: number
}

export function parseRange(hash: string): LineRange | undefined {
  const match = /^#L(\d{1,15})(?:-L?(\d{1,15}))?$/.exec(hash)
  if (match === null) return undefined
  const a = Number(match[1])
  const b = match[2] === undefined ? a : Number(match[2])
  const first = Math.min(a, b)
  return first < 1 ? undefined : { first, last: Math.max(a, b) }
}

export function rangeHash({ first, last }: LineRange): string {
  return first === last ? `#L${first}` : `#L${first}-L${last}`
}
