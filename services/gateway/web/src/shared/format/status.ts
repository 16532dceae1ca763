/** Status as it is shown: a running build that cannot end green any more is no longer just running. */
import type { Build, BuildStatus } from '@/shared/wire'

export type ShownStatus = BuildStatus | 'failing'

export function statusOf({ status, failing }: Pick<Build, 'status' | 'failing'>): ShownStatus {
  return status === 'running' && failing ? 'failing' : status
}
