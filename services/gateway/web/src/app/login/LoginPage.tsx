/** Login page. */
import { Alert, Button, PasswordInput, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { Mark } from '@/app/shell/Mark'
import { useApp } from '@/shared/api/app-context'
import { SignInFailed, signInOptions } from '@/shared/api/session'
import { login, product } from '@/shared/i18n'
import classes from './LoginPage.module.css'

export function LoginPage() {
  const { session } = useApp()
  const [isBusy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string>()
  const [needsCode, setNeedsCode] = useState(false)

  const { data: options } = useQuery({ queryKey: ['sign-in options'], queryFn: signInOptions })

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const written = (name: string) => {
      const value = form.get(name)
      return typeof value === 'string' ? value : ''
    }
    setBusy(true)
    setProblem(undefined)
    const code = needsCode ? written('code') : undefined
    session.signIn(written('username'), written('password'), code).catch((error: unknown) => {
      setBusy(false)
      if (error instanceof SignInFailed && error.isCodeMissing) setNeedsCode(true)
      else setProblem(needsCode && isRefusal(error) ? login.wrongCode : sentence(error))
    })
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
          // eslint-disable-next-line jsx-a11y/no-autofocus -- signing in is all that this page is for
          autoFocus
        />
        <PasswordInput
          label={login.password}
          name="password"
          autoComplete="current-password"
          required
          withAsterisk={false}
        />
        {needsCode && (
          <TextInput
            label={login.code}
            name="code"
            autoComplete="one-time-code"
            minLength={6}
            maxLength={32}
            required
            withAsterisk={false}
            // eslint-disable-next-line jsx-a11y/no-autofocus -- it is all that is still missing
            autoFocus
          />
        )}
        {problem !== undefined && (
          <Alert color="red" role="alert">
            {problem}
          </Alert>
        )}
        <Button type="submit" loading={isBusy} fullWidth>
          {login.submit}
        </Button>
        {options?.sso != null && (
          <Button component="a" href={ssoAddress()} variant="default" fullWidth onClick={() => session.expectCookie()}>
            {login.by(options.sso)}
          </Button>
        )}
        <p className={classes.hint}>{login.hint}</p>
      </form>
    </main>
  )
}

/** The browser goes there by itself, and comes back to where it is now. */
function ssoAddress(): string {
  const { pathname, search, hash } = location
  return `/api/auth/sso?${new URLSearchParams({ next: pathname + search + hash }).toString()}`
}

function isRefusal(error: unknown): boolean {
  return error instanceof SignInFailed && error.status === 401
}

function sentence(error: unknown): string {
  if (!(error instanceof SignInFailed)) return login.unreachable
  if (error.status === 429) return login.throttled
  return error.status >= 500 ? login.unreachable : login.wrong
}
