/** Views: named addresses of the grid, in this browser; other tabs of it follow. */

export interface View {
  name: string
  search: string
}

const KEY = 'build-dashboard-grid-views'

/** Views that nobody could find again in a menu are not kept. */
const MOST = 30

export class Views {
  private now: readonly View[]
  private readonly listeners = new Set<() => void>()

  constructor(private readonly storage: Pick<Storage, 'getItem' | 'setItem'>) {
    this.now = parsed(storage.getItem(KEY))
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  readonly snapshot = (): readonly View[] => this.now

  /** Keeps a view; one of the same name is replaced. */
  save(view: View): void {
    const others = this.now.filter(({ name }) => name !== view.name)
    this.become([...others, view].sort((a, b) => a.name.localeCompare(b.name)).slice(0, MOST))
  }

  forget(name: string): void {
    this.become(this.now.filter((view) => view.name !== name))
  }

  /** What another tab has kept. */
  reread(): void {
    this.now = parsed(this.storage.getItem(KEY))
    for (const listener of this.listeners) listener()
  }

  private become(views: readonly View[]): void {
    this.now = views
    this.storage.setItem(KEY, JSON.stringify(views))
    for (const listener of this.listeners) listener()
  }
}

/** What is stored may be of another release, or anything. */
function parsed(stored: string | null): readonly View[] {
  try {
    const found: unknown = JSON.parse(stored ?? '[]')
    return Array.isArray(found) ? found.filter(isView) : []
  } catch {
    return []
  }
}

function isView(value: unknown): value is View {
  if (typeof value !== 'object' || value === null) return false
  const { name, search } = value as Partial<Record<keyof View, unknown>>
  return typeof name === 'string' && typeof search === 'string'
}
