/** Notices: each thing that waits, with what to do; a clock in doubt is agreed to here. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import { NOTICES, useNotices } from '@/shared/api/queries/notices'
import { instant } from '@/shared/format'
import { operation as text } from '@/shared/i18n'
import { useNow } from '@/shared/live/clock'
import { Answer } from '@/shared/ui/Answer'
import { Confirm } from '@/shared/ui/Confirm'
import layout from '@/shared/ui/layout.module.css'
import { Section } from '@/shared/ui/Page'
import { Table } from '@/shared/ui/Table'
import type { AdoptedClocks } from '@/shared/wire'

export function Notices() {
  return (
    <Section title={text.notices}>
      <Answer read={useNotices()}>
        {({ items }) =>
          items.length === 0 ? (
            <p className={layout.faint}>{text.noNotices}</p>
          ) : (
            <>
              <Table label={text.notices} columns={[text.what, text.todo]}>
                {items.map((notice) => (
                  <tr key={notice.kind + notice.service} data-testid="notice" data-kind={notice.kind}>
                    <td className={layout.words}>
                      <strong>{notice.text}</strong>
                    </td>
                    <td className={layout.words}>{notice.remedy}</td>
                  </tr>
                ))}
              </Table>
              {items.some(({ clockAt }) => clockAt != null) && <Adopt />}
            </>
          )
        }
      </Answer>
    </Section>
  )
}

/** The services compare what this machine shows with their own clocks: a wrong one of either is refused. */
function Adopt() {
  const { api } = useApp()
  const queries = useQueryClient()
  const now = useNow()
  const adopt = useMutation({
    mutationFn: () => api.post<AdoptedClocks>('/operation/clock/adopt', { nowAt: Date.now() }),
    onSuccess: () => queries.invalidateQueries({ queryKey: NOTICES }),
  })
  const refused = adopt.data?.items.filter(({ isAdopted }) => !isAdopted) ?? []
  return (
    <div className={layout.more}>
      <Confirm
        label={text.adopt}
        title={text.adoptTitle}
        explanation={text.adoptText(instant(now))}
        error={adopt.error}
        onConfirm={() => adopt.mutate()}
      />
      {refused.map(({ service, detail, remedy }) => (
        <p key={service} role="alert" className={layout.red}>
          {detail} {remedy}
        </p>
      ))}
    </div>
  )
}
