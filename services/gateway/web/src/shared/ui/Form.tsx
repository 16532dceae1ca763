/** Form: fields beside each other, the button that sends them, and why the server refused. */
import { Button, Select, TextInput, type TextInputProps } from '@mantine/core'
import type { ReactNode } from 'react'
import { Failed } from './Failed'
import classes from './form.module.css'

interface Props {
  /** What the button does. */
  action: string
  isIncomplete?: boolean
  sending: { isPending: boolean; error: Error | null }
  onSubmit: () => void
  /** The fields. */
  children: ReactNode
}

export function Form({ action, isIncomplete = false, sending, onSubmit, children }: Props) {
  return (
    <form
      className={classes.form}
      onSubmit={(event) => {
        event.preventDefault()
        onSubmit()
      }}
    >
      {children}
      <Button size="xs" type="submit" disabled={isIncomplete} loading={sending.isPending}>
        {action}
      </Button>
      {sending.error !== null && <Failed error={sending.error} />}
    </form>
  )
}

interface FieldProps extends Omit<TextInputProps, 'onChange'> {
  onChange: (value: string) => void
  isWide?: boolean
}

/** A field of one line. */
export function Field({ onChange, isWide = false, ...rest }: FieldProps) {
  const className = isWide ? classes.wide : undefined
  return (
    <TextInput size="xs" className={className} onChange={(event) => onChange(event.currentTarget.value)} {...rest} />
  )
}

interface ChoiceProps<Value extends string> {
  label: string
  /** What each value is called. */
  names: Record<Value, string>
  value: Value
  onChange: (value: Value) => void
}

/** A field that has one of a few values. */
export function Choice<Value extends string>({ label, names, value, onChange }: ChoiceProps<Value>) {
  const choices = (Object.keys(names) as Value[]).map((each) => ({ value: each, label: names[each] }))
  return (
    <Select
      size="xs"
      label={label}
      data={choices}
      value={value}
      allowDeselect={false}
      onChange={(chosen) => onChange(chosen as Value)}
    />
  )
}
