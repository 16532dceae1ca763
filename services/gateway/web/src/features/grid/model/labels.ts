/** Labels: names that are too long for their place keep both ends, which is where names differ. */

const MOST = 22

export function cut(name: string, most = MOST): string {
  if (name.length <= most) return name
  const end = Math.floor((most - 1) / 2)
  return `${name.slice(0, most - 1 - end)}…${name.slice(-end)}`
}
