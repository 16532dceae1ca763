/** Queries: how the pins page reads the pins. */
import { useRead } from '@/shared/api/queries/history'
import type { PinList } from '@/shared/wire'

export function usePins() {
  return useRead<PinList>('/pins')
}
