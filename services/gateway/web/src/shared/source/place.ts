/** Place: where in the sources a failure is, as tools write it. */
import type { FailureData } from '@/shared/wire'

type Placed = Pick<FailureData, 'file' | 'line' | 'col'>

/** `file:line:col` as far as known. */
export function placeOf({ file, line, col }: Placed): string {
  return [file, line, col].filter((part) => part != null).join(':')
}

/** Of a longer path only so many names are shown, from its end: where a machine keeps its checkouts is of no use to the reader. */
const NAMES_SHOWN = 4

/** The same for reading: within the directory that was built in, else the end of a long path. */
export function shortPlaceOf(failure: Placed, cwd?: string | null): string {
  const file = failure.file ?? ''
  if (cwd && file.startsWith(`${cwd}/`)) return placeOf({ ...failure, file: file.slice(cwd.length + 1) })
  const isAbsolute = file.startsWith('/') || /^[A-Za-z]:[\\/]/.test(file)
  const names = file.split(/[\\/]/)
  if (!isAbsolute || names.length <= NAMES_SHOWN + 1) return placeOf(failure)
  return placeOf({ ...failure, file: `…/${names.slice(-NAMES_SHOWN).join('/')}` })
}
