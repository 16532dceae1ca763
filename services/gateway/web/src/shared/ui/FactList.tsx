/** Fact list: names beside their values; what is not known is left out. */

export type NamedFact = readonly [name: string, value: string | null | undefined]

export function FactList({ facts, className }: { facts: readonly NamedFact[]; className?: string }) {
  return (
    <dl className={className}>
      {facts.map(
        ([name, value]) =>
          value != null &&
          value !== '' && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <code>{value}</code>
              </dd>
            </div>
          ),
      )}
    </dl>
  )
}
