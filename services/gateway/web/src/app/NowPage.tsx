/** Now page: is anything broken, whose is it, when will mine finish; without a click. */
import { BuildsList } from '@/features/builds/BuildsList'
import { now } from '@/shared/i18n'
import { AgentStrip } from '@/features/agents/AgentStrip'
import { OverdueNow } from '@/features/now/OverdueNow'
import { RedNow } from '@/features/now/RedNow'

export function NowPage() {
  return (
    <BuildsList title={now.title}>
      <RedNow />
      <OverdueNow />
      <AgentStrip />
    </BuildsList>
  )
}
