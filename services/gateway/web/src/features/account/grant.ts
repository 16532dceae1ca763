/** Grant: what `build-dashboard login` asks for, read from its link; nothing of a link that is not whole. Pure. */
import type { TokenGrant } from '@/shared/wire'

const LEVELS: readonly string[] = ['read', 'write', 'admin']
const DAY_SECONDS = 86_400

export function grantFrom(hash: string): TokenGrant | undefined {
  const asked = new URLSearchParams(hash.replace(/^#/, ''))
  const [id, sha256, name, level, days] = ['id', 'sha256', 'name', 'level', 'days'].map((part) => asked.get(part) ?? '')
  if (!/^[0-9A-Za-z]{8}$/.test(id!) || !/^[0-9a-f]{64}$/.test(sha256!) || !LEVELS.includes(level!)) return undefined
  if (!/^[1-9][0-9]{0,2}$/.test(days!) || name === '') return undefined
  const expiresInSeconds = Number(days) * DAY_SECONDS
  return { id: id!, sha256: sha256!, name: name!, level: level as TokenGrant['level'], expiresInSeconds }
}

/** What the program shows of the same token. */
export function codeOf({ sha256 }: TokenGrant): string {
  return `${sha256.slice(0, 4)}-${sha256.slice(4, 8)}`.toUpperCase()
}
