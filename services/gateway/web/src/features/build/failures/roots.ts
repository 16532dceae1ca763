/** Roots: failures of a build that have one cause, as one group; the first of each stands for it. */
import type { FailureData } from '@/shared/wire'

export interface Root {
  first: FailureData
  others: FailureData[]
}

/** The groups in the order of their first failures; a failure whose cause nobody compared stands alone. */
export function rootsOf(failures: FailureData[]): Root[] {
  const roots: Root[] = []
  const byLine = new Map<number, Root>()
  for (const failure of failures) {
    const known = failure.rootLine == null ? undefined : byLine.get(failure.rootLine)
    if (known !== undefined) {
      known.others.push(failure)
      continue
    }
    const root = { first: failure, others: [] }
    roots.push(root)
    if (failure.rootLine != null) byLine.set(failure.rootLine, root)
  }
  return roots
}
