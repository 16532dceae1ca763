/** Rows and frames for tests, complete but for what a test names. */
import type { Build, LogAppended, LogPage } from '@/shared/wire'

export function buildRow(given: Partial<Build> & { id: string }): Build {
  return {
    project: 'torch-mlir',
    config: 'default',
    origin: 'ci',
    status: 'running',
    command: ['ninja'],
    startedAt: 1_000,
    logLines: 0,
    logBytes: 0,
    asOfSeq: 0,
    revision: 1,
    verified: false,
    connected: true,
    provisional: false,
    backfill: false,
    untrusted: false,
    tags: [],
    failureCount: 0,
    failing: false,
    gaps: [],
    ...given,
  }
}

export function logFrame(given: Partial<LogAppended>): LogAppended {
  return {
    type: 'LOG',
    buildId: 'b',
    project: 'torch-mlir',
    afterSeq: 0,
    seq: 1,
    firstLine: 1,
    lines: [],
    streams: ['out'],
    timesMs: [],
    ...given,
  }
}

export function logPage(given: Partial<LogPage>): LogPage {
  return { first: 1, lines: [], total: 0, asOfSeq: 0, streams: [], timesMs: [], ...given }
}
