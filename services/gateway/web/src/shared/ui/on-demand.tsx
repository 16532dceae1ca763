/** On demand: a part of the page in a chunk of its own, drawn at once where that is there already.
 *
 * React's `lazy` would do, but holds every part that was ever waited for back for 300 ms, lest the screen flickers.
 */
import { useEffect, useReducer, useState, type ComponentType, type ReactNode } from 'react'

export interface OnDemand<P> {
  (props: P): ReactNode
  /** Begins to load it. */
  preload: () => Promise<void>
}

/** The part that `load` brings; `waiting` is shown until it is there. */
export function onDemand<P extends object>(
  load: () => Promise<ComponentType<P>>,
  waiting: ReactNode = null,
): OnDemand<P> {
  let Loaded: ComponentType<P> | undefined
  let loading: Promise<void> | undefined

  const preload = (): Promise<void> =>
    (loading ??= load().then(
      (component) => {
        Loaded = component
      },
      (error: unknown) => {
        loading = undefined // the next one tries again
        throw error
      },
    ))

  function Part(props: P) {
    const [, redraw] = useReducer((drawn: number) => drawn + 1, 0)
    const [failure, setFailure] = useState<Error>()
    useEffect(() => {
      if (Loaded === undefined) preload().then(redraw, setFailure)
    }, [])
    // Shown where every crash of a page is.
    if (failure !== undefined) throw failure
    return Loaded === undefined ? waiting : <Loaded {...props} />
  }
  return Object.assign(Part, { preload })
}
