/** Remedy: what to do about an error, in the server's own sentence; nothing where it has none. */
import { ApiError } from '@/shared/api/client'

export function Remedy({ error }: { error: Error }) {
  return error instanceof ApiError && error.remedy !== undefined ? <small>{error.remedy}</small> : null
}
