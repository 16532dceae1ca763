/** Now page: is anything broken, whose is it, when will mine finish; without a click. */
import { AgentStrip } from '@/features/agents/AgentStrip'
import { BuildsList } from '@/features/builds/BuildsList'
import { OverdueNow } from '@/features/now/OverdueNow'
import { RedNow } from '@/features/now/RedNow'
import { now } from '@/shared/i18n'

export function NowPage() {
  return (
    <BuildsList title={now.title}>
      <RedNow />
      <OverdueNow />
      <AgentStrip />
    </BuildsList>
  )
}
