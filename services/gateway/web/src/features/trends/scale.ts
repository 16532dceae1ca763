/** Scale: how a measure is written beside its axis, where its ticks stand, and how far the axis reaches at least. */
import { bytes, count, duration, percent } from '@/shared/format'
import type { Measure } from './series'

export interface Scale {
  write: (value: number) => string
  /** Distances of ticks to choose from. */
  ticks: number[]
  /** An axis never ends below this: noise must not fill a chart. */
  least: number
}

const times: Scale = {
  write: duration,
  ticks: [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 18_000, 36_000].map((seconds) => seconds * 1000),
  least: 1000,
}
const sizes: Scale = {
  write: bytes,
  ticks: Array.from({ length: 40 }, (_, power) => 2 ** power),
  least: 2 ** 20,
}

export const SCALES: Record<Measure, Scale> = {
  duration: times,
  cpu: times,
  memory: sizes,
  disk: sizes,
  cache: { write: percent, ticks: [10, 20, 25, 50], least: 100 },
  tests: {
    write: count,
    ticks: [1, 2, 5].flatMap((step) => [0, 1, 2, 3, 4, 5].map((power) => step * 10 ** power)).sort((a, b) => a - b),
    least: 5,
  },
}
