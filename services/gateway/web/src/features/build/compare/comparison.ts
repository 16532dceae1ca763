/** Comparison: in what a build differs from another one: how long, in which facts, in what broke. */
import { changeOf, type Change } from '@/features/build/tab/change'
import { beganAt } from '@/shared/format/timing'
import { compare as text } from '@/shared/i18n'
import { commandLine } from '@/shared/source/command-line'
import type { Build, BuildDetail, FailureData, PhaseSpan, StepTime, TestResult } from '@/shared/wire'

/** One fact that differs; undefined: not there. */
export interface Difference {
  name: string
  here: string | undefined
  there: string | undefined
}

export interface Pair {
  name: string
  here: number | undefined
  there: number | undefined
}

export interface Sides<T> {
  onlyHere: T[]
  onlyThere: T[]
  both: T[]
}

type Facts = Record<string, string | null | undefined>

/** The facts that differ, by name; what neither build reports is no difference. */
export function differences(here: Facts, there: Facts): Difference[] {
  return [...new Set([...Object.keys(here), ...Object.keys(there)])]
    .map((name) => ({ name, here: here[name] ?? undefined, there: there[name] ?? undefined }))
    .filter((fact) => fact.here !== fact.there)
    .sort((a, b) => a.name.localeCompare(b.name))
}

/** What was built where and how, beside tools, environment and pins. */
export function factsOf({ commit, branch, config, host, agentVersion, command, cwd, dirty }: BuildDetail): Facts {
  return {
    [text.commit]: commit,
    [text.branch]: branch,
    [text.config]: config,
    [text.dirty]: dirty ? text.yes : undefined,
    [text.machine]: host?.name,
    [text.system]: [host?.os, host?.arch].filter(Boolean).join(' ') || undefined,
    [text.cores]: host?.cores?.toString(),
    [text.agentVersion]: agentVersion,
    [text.command]: commandLine(command) || undefined,
    [text.directory]: cwd,
  }
}

export function pinsOf({ pins, submodules }: BuildDetail): Facts {
  const named = pins.map(({ name, commit }) => [name, commit] as const)
  return Object.fromEntries([...submodules.map(({ path, commit }) => [path, commit] as const), ...named])
}

/** How the time of something that ran in both differs. */
export function timeChange({ here, there }: Pair): Change | undefined {
  return here === undefined ? undefined : changeOf(here, there)
}

/** The same of what a whole build takes: of one that stopped early, a shorter time is no better one. */
export function wholeChange(pair: Pair, ...builds: readonly Pick<Build, 'status'>[]): Change | undefined {
  const change = timeChange(pair)
  const isJudged = builds.every(({ status }) => status === 'succeeded')
  return change && { ...change, tone: isJudged ? change.tone : undefined }
}

/** Ms that each kind of phase took, as far as it has ended. */
export function phaseTimes(here: BuildDetail, there: BuildDetail): Pair[] {
  const [left, right] = [timesOf(here), timesOf(there)]
  const phases: PhaseSpan['phase'][] = ['configure', 'build', 'link', 'test']
  return phases
    .map((name) => ({ name, here: left.get(name), there: right.get(name) }))
    .filter((pair) => pair.here !== undefined || pair.there !== undefined)
}

/** Steps known of both builds, those whose time changed most first. */
export function stepTimes(here: BuildDetail, there: BuildDetail): Pair[] {
  const times = (steps: readonly StepTime[] | undefined) =>
    new Map(steps?.map(({ output, durationMs }) => [output, durationMs]))
  const [left, right] = [times(here.stepTimes?.slowest), times(there.stepTimes?.slowest)]
  return [...left]
    .flatMap(([name, ms]) => (right.has(name) ? [{ name, here: ms, there: right.get(name) }] : []))
    .sort((a, b) => changeIn(b) - changeIn(a))
}

export function failureSides(here: readonly FailureData[], there: readonly FailureData[]): Sides<FailureData> {
  return sides(here, there, (failure) => failure.signature ?? `${failure.category} ${failure.message}`)
}

export function testSides(here: readonly TestResult[], there: readonly TestResult[]): Sides<TestResult> {
  return sides(here, there, ({ name }) => name)
}

/** The build to compare with where the reader has named none: the last green one before it, else the one before. */
export function baselineOf(build: Build, siblings: readonly Build[]): Build | undefined {
  const before = siblings
    .filter((other) => other.id !== build.id && (beganAt(other) ?? 0) < (beganAt(build) ?? 0))
    .sort((a, b) => (beganAt(b) ?? 0) - (beganAt(a) ?? 0))
  return before.find(({ status }) => status === 'succeeded') ?? before[0]
}

function sides<T>(here: readonly T[], there: readonly T[], keyOf: (item: T) => string): Sides<T> {
  const [left, right] = [new Map(here.map((item) => [keyOf(item), item])), new Set(there.map(keyOf))]
  return {
    onlyHere: [...left].filter(([key]) => !right.has(key)).map(([, item]) => item),
    onlyThere: there.filter((item) => !left.has(keyOf(item))),
    both: [...left].filter(([key]) => right.has(key)).map(([, item]) => item),
  }
}

function timesOf({ phases, endedAt }: BuildDetail): Map<string, number> {
  const times = new Map<string, number>()
  phases.forEach((span, at) => {
    const end = span.endedAt ?? phases[at + 1]?.startedAt ?? endedAt
    if (end != null) times.set(span.phase, (times.get(span.phase) ?? 0) + Math.max(0, end - span.startedAt))
  })
  return times
}

function changeIn({ here = 0, there = 0 }: Pair): number {
  return Math.abs(here - there)
}
