/** Verdict of a failure: a person's override where there is one, else what the evidence gave. */
import type { Judged } from '@/shared/wire'

export function verdictOf({ verdict, override }: Judged): Judged['verdict'] {
  return override?.verdict ?? verdict
}

/** Why, in its own sentences. */
export function evidenceOf({ evidence, override }: Judged): string {
  return [override != null && `${override.by}: ${override.reason}`, ...evidence].filter(Boolean).join('\n')
}
