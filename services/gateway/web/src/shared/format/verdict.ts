/** Judged: what is said of a failure: by a person where one has said it, else by the evidence. */
import type { Judged } from '@/shared/wire'

export function wordOn({ verdict, override }: Judged): Judged['verdict'] {
  return override?.verdict ?? verdict
}

/** Why, in its own sentences. */
export function evidenceOf({ evidence, override }: Judged): string {
  return [override != null && `${override.by}: ${override.reason}`, ...evidence].filter(Boolean).join('\n')
}
