/** Login page. */
import { Alert, Button, PasswordInput, TextInput } from '@mantine/core'
import { useState, type FormEvent } from 'react'
import { Mark } from '@/app/shell/Mark'
import { useApp } from '@/shared/api/app-context'
import { SignInFailed } from '@/shared/api/session'
import { login, product } from '@/shared/i18n'
import classes from './LoginPage.module.css'

export function LoginPage() {
  const { session } = useApp()
  const [isBusy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string>()

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    setBusy(true)
    setProblem(undefined)
    try {
      await session.signIn(String(form.get('username')), String(form.get('password')))
    } catch (error) {
      setProblem(sentence(error))
      setBusy(false)
    }
  }

  return (
    <main className={classes.page}>
      <form className={classes.card} onSubmit={submit} data-testid="login">
        <Mark size={36} />
        <h1 className={classes.title}>{product}</h1>
        <TextInput
          label={login.username}
          name="username"
          autoComplete="username"
          required
          withAsterisk={false}
          autoFocus
        />
        <PasswordInput
          label={login.password}
          name="password"
          autoComplete="current-password"
          required
          withAsterisk={false}
        />
        {problem !== undefined && (
          <Alert color="red" role="alert">
            {problem}
          </Alert>
        )}
        <Button type="submit" loading={isBusy} fullWidth>
          {login.submit}
        </Button>
        <p className={classes.hint}>{login.hint}</p>
      </form>
    </main>
  )
}

function sentence(error: unknown): string {
  if (!(error instanceof SignInFailed)) return login.unreachable
  if (error.status === 429) return login.throttled
  return error.status >= 500 ? login.unreachable : login.wrong
}
