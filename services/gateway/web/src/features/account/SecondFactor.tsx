/** Second factor: set up an authenticator, see whether it is on, turn it off. */
import { PasswordInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useApp } from '@/shared/api/app-context'
import { secondFactor as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Field, Form } from '@/shared/ui/Form'
import layout from '@/shared/ui/layout.module.css'
import { Section } from '@/shared/ui/Page'
import { ShownOnce } from '@/shared/ui/ShownOnce'
import type { OfferedSecondFactor, RecoveryCodes, SecondFactorState } from '@/shared/wire'

const PATH = '/users/me/second-factor'
const KEY = ['second-factor']

export function SecondFactor() {
  const { api } = useApp()
  const [codes, setCodes] = useState<readonly string[]>()
  const read = useQuery({ queryKey: KEY, queryFn: ({ signal }) => api.get<SecondFactorState>(PATH, {}, signal) })
  return (
    <Section title={text.section}>
      {codes !== undefined && (
        <ShownOnce
          lead={text.codes}
          value={codes.join('\n')}
          testId="recovery-codes"
          onDone={() => setCodes(undefined)}
        />
      )}
      <Answer read={read}>
        {({ isOn, recoveryCodesLeft }) => (
          <>
            <p className={layout.soft} data-testid="second-factor">
              {isOn ? text.on(recoveryCodesLeft ?? 0) : text.off}
            </p>
            {isOn ? <TurnOff /> : <SetUp onCodes={setCodes} />}
          </>
        )}
      </Answer>
    </Section>
  )
}

function SetUp({ onCodes }: { onCodes: (codes: readonly string[]) => void }) {
  const { api } = useApp()
  const queries = useQueryClient()
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const offer = useMutation({ mutationFn: () => api.post<OfferedSecondFactor>(PATH, { password }) })
  const confirm = useMutation({
    mutationFn: () => api.post<RecoveryCodes>(`${PATH}/confirm`, { code }),
    onSuccess: ({ codes }) => {
      onCodes(codes)
      return queries.invalidateQueries({ queryKey: KEY })
    },
  })
  if (offer.data === undefined)
    return (
      <Form action={text.setUp} sending={offer} onSubmit={() => offer.mutate()}>
        <Password value={password} onChange={setPassword} />
      </Form>
    )
  return (
    <>
      <p>{text.scan}</p>
      <p>
        <code data-testid="totp-secret">{offer.data.secret}</code> · <a href={offer.data.address}>{text.address}</a>
      </p>
      <Form action={text.confirm} sending={confirm} onSubmit={() => confirm.mutate()}>
        <Code value={code} onChange={setCode} />
      </Form>
    </>
  )
}

function TurnOff() {
  const { api } = useApp()
  const queries = useQueryClient()
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const end = useMutation({
    mutationFn: () => api.postSilent(`${PATH}/end`, { password, code }),
    onSuccess: () => queries.invalidateQueries({ queryKey: KEY }),
  })
  return (
    <Form action={text.end} sending={end} onSubmit={() => end.mutate()}>
      <Password value={password} onChange={setPassword} />
      <Code value={code} onChange={setCode} />
    </Form>
  )
}

interface Typed {
  value: string
  onChange: (value: string) => void
}

function Password({ value, onChange }: Typed) {
  return (
    <PasswordInput
      size="xs"
      label={text.password}
      required
      autoComplete="current-password"
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  )
}

function Code({ value, onChange }: Typed) {
  return (
    <Field
      label={text.code}
      required
      minLength={6}
      maxLength={32}
      autoComplete="one-time-code"
      {...{ value, onChange }}
    />
  )
}
