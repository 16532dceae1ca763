/** Logs search: what is found in many logs, as it is found; a search that stopped goes on where it did. */
import { useEffect, useState } from 'react'
import { useApp } from '@/shared/api/app-context'
import type { Params } from '@/shared/api/client'
import type { BuildHits, LogsSearched } from '@/shared/wire'

export interface LogsFound {
  builds: readonly BuildHits[]
  /** How far it came; undefined while it searches. */
  end: LogsSearched | undefined
  error: Error | undefined
  goOn: () => void
}

/** `params` are those of one search: another one is another component. */
export function useLogsSearch(params: Params): LogsFound {
  const { api } = useApp()
  const [asked] = useState(params)
  const [cursor, setCursor] = useState<string>()
  const [builds, setBuilds] = useState<readonly BuildHits[]>([])
  const [end, setEnd] = useState<LogsSearched>()
  const [error, setError] = useState<Error>()
  useEffect(() => {
    const stopped = new AbortController()
    const read = async () => {
      let isWhole = false
      for await (const part of api.lines<BuildHits | LogsSearched>(
        '/builds/logs/search',
        { ...asked, cursor },
        stopped.signal,
      )) {
        if (stopped.signal.aborted) return
        if (part.type === 'end') {
          isWhole = true
          setEnd(part)
        } else setBuilds((known) => withBuild(known, part))
      }
      if (!isWhole) throw new TypeError('the answer was cut off')
    }
    read().catch((reason: unknown) => {
      if (!stopped.signal.aborted) setError(reason instanceof Error ? reason : new Error(String(reason)))
    })
    return () => stopped.abort()
  }, [api, asked, cursor])
  const goOn = () => {
    setEnd(undefined)
    setCursor(end?.nextCursor ?? undefined)
  }
  return { builds, end, error, goOn }
}

/** Each build once, however often the same page is asked for. */
function withBuild(known: readonly BuildHits[], part: BuildHits): readonly BuildHits[] {
  return known.some(({ build }) => build.id === part.build.id) ? known : [...known, part]
}
