/** Fresh phases: the spans of a build's phases are not in its pushed row, so they are read again when the phase changes. */
import { useEffect, useRef } from 'react'
import type { Build } from '@/shared/wire'

export function useFreshPhases(build: Build | undefined, reread: () => unknown): void {
  const mark = build === undefined ? undefined : `${build.phase} ${build.status}`
  const seen = useRef(mark)
  useEffect(() => {
    if (seen.current !== undefined && mark !== seen.current) reread()
    seen.current = mark
  }, [mark, reread])
}
