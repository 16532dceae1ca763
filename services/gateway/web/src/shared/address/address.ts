/** Address: what a page shows is what its address names; what it cannot show is taken out of the address. */
import { useCallback, useEffect, useMemo } from 'react'
import { useSearchParams } from 'react-router'

/** Values of the parameters that have few; none: the page does not know the parameter. */
export type Known = Readonly<Record<string, readonly string[]>>

/** Parameters to set, or, where undefined, to take out. */
export type Changes = Readonly<Record<string, string | undefined>>

export interface Address {
  params: URLSearchParams
  get: (name: string) => string | undefined
  /** A choice is a step that the browser goes back from; what is typed is not. */
  change: (changes: Changes, isTyped?: boolean) => void
}

const ALL: Known = {}
const asIs = (params: URLSearchParams) => params

/** The state of a page. `complete` adds what the page shows where its address names none. */
export function useAddress(known: Known = ALL, complete = asIs): Address {
  const [given, setParams] = useSearchParams()
  const params = useMemo(() => complete(cleaned(given, known)), [given, known, complete])
  const isOther = params.toString() !== given.toString()
  useEffect(() => {
    if (isOther) setParams(params, { replace: true })
  }, [isOther, params, setParams])
  const change = useCallback(
    (changes: Changes, isTyped = false) => setParams(withChanges(params, changes), { replace: isTyped }),
    [params, setParams],
  )
  return { params, get: (name) => params.get(name) ?? undefined, change }
}

/** Each parameter once, without those that are empty. */
export function cleaned(params: URLSearchParams, known: Known): URLSearchParams {
  const clean = new URLSearchParams()
  for (const [name, value] of params) {
    const isKnown = !Object.hasOwn(known, name) || known[name]?.includes(value)
    if (value !== '' && isKnown && !clean.has(name)) clean.set(name, value)
  }
  return clean
}

export function withChanges(params: URLSearchParams, changes: Changes): URLSearchParams {
  const next = new URLSearchParams(params)
  for (const [name, value] of Object.entries(changes)) {
    if (value) next.set(name, value)
    else next.delete(name)
  }
  return next
}
