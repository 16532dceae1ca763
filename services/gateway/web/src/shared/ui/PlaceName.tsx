/** Place name: where in the sources a failure is, short for reading, whole for who points at it. */
import { placeOf, shortPlaceOf } from '@/shared/source/place'
import type { FailureData } from '@/shared/wire'

interface Props {
  failure: Pick<FailureData, 'file' | 'line' | 'col'>
  cwd?: string | null
  className?: string
}

export function PlaceName({ failure, cwd, className }: Props) {
  return (
    <code className={className} title={placeOf(failure)}>
      {shortPlaceOf(failure, cwd)}
    </code>
  )
}
