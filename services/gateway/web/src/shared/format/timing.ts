/** Timing: how long a build takes, took, and will probably still take. */
import { isFinal, type Build } from '@/shared/wire'

/** Elapsed ms of a running build, the whole of an ended one; undefined before it started. */
export function elapsedMs(build: Build, now: number): number | undefined {
  if (build.durationMs != null) return build.durationMs
  if (build.startedAt == null) return undefined
  // An ended build without an end (lost) counts to its last update.
  if (isFinal(build.status)) return Math.max(0, (build.endedAt ?? build.updatedAt ?? build.startedAt) - build.startedAt)
  return Math.max(0, now - (beganAt(build) ?? now))
}

type Began = Pick<Build, 'startedAt' | 'serverStartedAt'>

/** When a build began, for all that is put in order or counted from now: a machine's own clock may be wrong. */
export function beganAt(build: Began): number | undefined {
  return build.serverStartedAt ?? build.startedAt ?? undefined
}

/** When a build ended, by the clock of `beganAt`. */
export function overAt(build: Began & Pick<Build, 'endedAt' | 'serverEndedAt'>): number | undefined {
  return (build.serverStartedAt == null ? build.endedAt : build.serverEndedAt) ?? undefined
}

const EARLIEST_PERCENT = 2
const EARLIEST_MS = 5000

/** Nearer to the end no number is right. */
export const ALMOST_MS = 5000

/**
 * Ms left, as the agent expects from the build before; else at the pace so far; while that is not known, what is left
 * of what the configuration usually takes. Undefined where none of it is known, where what was expected or usual is
 * over, and while the build's agent is silent: nobody knows then. A pace alone never says that the end is near: the
 * last step may be the longest.
 */
export function remainingMs(build: Build, now: number, usualMs?: number | null): number | undefined {
  const elapsed = elapsedMs(build, now)
  const progress = build.progress ?? 0
  if (build.status !== 'running' || elapsed === undefined || !build.connected) return undefined
  if (build.remainingMs != null) {
    const since = build.updatedAt == null ? 0 : Math.max(0, now - build.updatedAt)
    return since > build.remainingMs + ALMOST_MS ? undefined : Math.max(0, build.remainingMs - since)
  }
  if (progress >= EARLIEST_PERCENT && progress < 100 && elapsed >= EARLIEST_MS) {
    return Math.max(ALMOST_MS, (elapsed * (100 - progress)) / progress)
  }
  return usualMs != null && usualMs > elapsed ? usualMs - elapsed : undefined
}
