/** Shortcuts: which keys do what right now. Pages add theirs while they are shown; help and a palette list them. */

export interface Shortcut {
  /** Keys as typed, one after the other: `/`, `?`, `g b`. */
  keys: string
  title: string
  run: () => void
}

/** Shortcuts as people read them: what can be done, and each way to do it. */
export function byTitle(shortcuts: readonly Pick<Shortcut, 'keys' | 'title'>[]): { title: string; chords: string[] }[] {
  const chords = new Map<string, string[]>()
  for (const { keys, title } of shortcuts) chords.set(title, [...(chords.get(title) ?? []), keys])
  return [...chords].map(([title, ways]) => ({ title, chords: ways }))
}

/** The keys of a chord must follow each other this fast. */
const CHORD_MS = 1000

export class Shortcuts {
  private readonly layers: (readonly Shortcut[])[] = []
  private typed = ''
  private typedAt = 0

  /** Adds shortcuts over those there are; call what it returns to take them away. */
  add(layer: readonly Shortcut[]): () => void {
    this.layers.push(layer)
    return () => {
      const at = this.layers.indexOf(layer)
      if (at !== -1) this.layers.splice(at, 1)
    }
  }

  /** What can be done now, the newest layer first; a key taken twice is the newer one's. */
  list(): Shortcut[] {
    const all = this.layers.toReversed().flat()
    return all.filter((shortcut, at) => all.findIndex((other) => other.keys === shortcut.keys) === at)
  }

  /** Takes a typed key; true when it was (part of) a shortcut. */
  press(key: string, at: number): boolean {
    const chord = this.typed !== '' && at - this.typedAt <= CHORD_MS ? `${this.typed} ${key}` : key
    const known = this.list()
    const hit = known.find((shortcut) => shortcut.keys === chord)
    this.typed = hit === undefined && known.some((shortcut) => shortcut.keys.startsWith(`${chord} `)) ? chord : ''
    this.typedAt = at
    hit?.run()
    return hit !== undefined || this.typed !== ''
  }
}
