/** Wrong line: a reader reports that a failure was found at the wrong place, so that the rule behind it gets better. */
import { Button, NumberInput, Textarea } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useApp, useIsVisitor } from '@/shared/api/app-context'
import { wrongLine as text } from '@/shared/i18n'
import type { Build, FailureData, Remark } from '@/shared/wire'
import { Dialog } from '@/shared/ui/Dialog'
import classes from './failure.module.css'

export function WrongLine({ build, failure }: { build: Build; failure: FailureData | undefined }) {
  const { api } = useApp()
  const isVisitor = useIsVisitor()
  const [isOpen, setOpen] = useState(false)
  const [line, setLine] = useState<number | string>('')
  const [note, setNote] = useState('')
  const send = useMutation({
    mutationFn: () =>
      api.post<unknown>(`/builds/${build.id}/failures/feedback`, {
        signature: failure?.signature ?? undefined,
        line: Number(line),
        note: note || undefined,
      } satisfies Remark),
    onSuccess: () => setOpen(false),
  })
  if (isVisitor) return null
  if (send.isSuccess) return <span role="status">{text.thanks}</span>
  return (
    <>
      <Button size="compact-xs" variant="subtle" color="gray" onClick={() => setOpen(true)}>
        {failure === undefined ? text.missed : text.button}
      </Button>
      <Dialog isOpen={isOpen} onClose={() => setOpen(false)} title={text.title}>
        <form
          className={classes.override}
          onSubmit={(event) => {
            event.preventDefault()
            send.mutate()
          }}
        >
          <p>{text.explanation}</p>
          <NumberInput
            size="xs"
            label={text.line}
            required
            min={1}
            max={build.logLines}
            allowDecimal={false}
            hideControls
            value={line}
            onChange={setLine}
            data-autofocus
          />
          <Textarea
            size="xs"
            label={text.note}
            maxLength={1000}
            autosize={false}
            rows={3}
            value={note}
            onChange={(event) => setNote(event.currentTarget.value)}
          />
          {send.isError && (
            <p role="alert" className={classes.refused}>
              {text.failed} {send.error.message}
            </p>
          )}
          <div className={classes.acts}>
            <Button type="submit" size="xs" loading={send.isPending} disabled={line === ''}>
              {text.send}
            </Button>
          </div>
        </form>
      </Dialog>
    </>
  )
}
