/** Format: numbers, times and sizes as people read them. */

const number = new Intl.NumberFormat('en-US')
const dateTime = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })
const hourMinute = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' })
const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

export function count(value: number): string {
  return number.format(value)
}

/** `8 s`, `4:07`, `1:02:30`: compact, and of steady width while it ticks. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / SECOND))
  // Whole seconds are what a running clock shows: it must not grow a digit.
  if (ms < 10 * SECOND && ms % SECOND > 0) return `${(ms / SECOND).toFixed(1)} s`
  if (seconds < 60) return `${seconds} s`
  const two = (value: number) => String(value).padStart(2, '0')
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

/** A length of time as test runners give it: `4 ms`, `2.5 s`, `4:07`. */
export function seconds(value: number): string {
  return value < 1 ? `${Math.round(value * SECOND)} ms` : duration(Math.round(value * 10) * 100)
}

/** A length of time by its leading unit: `35 s`, `12 min`, `3 h`, `2 d`. */
export function age(ms: number): string {
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))} s`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`
  return `${Math.floor(ms / DAY)} d`
}

export function ago(ms: number): string {
  return ms < 5 * SECOND ? 'just now' : `${age(ms)} ago`
}

export function instant(epochMs: number): string {
  return dateTime.format(epochMs)
}

/** Time of day to the minute, for what is only about to be. */
export function timeOfDay(epochMs: number): string {
  return hourMinute.format(epochMs)
}

/** Time of day with milliseconds, for log lines. */
export function clock(epochMs: number): string {
  const time = new Date(epochMs)
  const pad = (value: number, width = 2) => String(value).padStart(width, '0')
  return `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}.${pad(time.getMilliseconds(), 3)}`
}

export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10))
  const scaled = value / 1024 ** power
  return `${power === 0 || scaled >= 100 ? Math.round(scaled) : scaled.toFixed(1)} ${units[power]}`
}

export function percent(value: number): string {
  return `${Math.floor(value)} %`
}

export function shortSha(sha: string): string {
  return sha.slice(0, 9)
}
