/** Breaks: the configurations that a commit fails in, by what they fail with; what breaks most of them first. */
import type { ConfigAnswer } from '@/shared/wire'

export interface Break {
  signature: string
  /** One build that shows it. */
  buildId: string
  configs: string[]
  judged: ConfigAnswer['judged']
}

export function breaksOf(answers: readonly ConfigAnswer[]): Break[] {
  const breaks = new Map<string, Break>()
  for (const { answer, signature, buildId, config, judged } of answers) {
    if (answer !== 'failed' || signature == null || buildId == null) continue
    const known = breaks.get(signature)
    if (known === undefined) breaks.set(signature, { signature, buildId, configs: [config], judged })
    else known.configs.push(config)
  }
  return [...breaks.values()].sort((a, b) => b.configs.length - a.configs.length)
}
