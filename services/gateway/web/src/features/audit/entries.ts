/** Entries: pages of the trail as one list; those of the moment where two pages meet come twice. Pure. */
import type { AuditEntries, AuditEntry } from '@/shared/wire'

export function entriesOf(pages: readonly AuditEntries[]): AuditEntry[] {
  const known = new Map<string, AuditEntry>()
  for (const { items } of pages) for (const entry of items) known.set(keyOf(entry), entry)
  return [...known.values()]
}

export function keyOf({ chain, number, at, subject }: AuditEntry): string {
  return chain ? `${chain} ${number}` : `${at} ${subject}`
}
