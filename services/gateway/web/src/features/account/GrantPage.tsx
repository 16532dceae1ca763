/** Grant page: whoever started `build-dashboard login` says here that it was they. */
import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useLocation, useNavigate } from 'react-router'
import { useApp } from '@/shared/api/app-context'
import { useMe } from '@/shared/api/queries/me'
import { tokens as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Failed } from '@/shared/ui/Failed'
import { Notice } from '@/shared/ui/Notice'
import { Page } from '@/shared/ui/Page'
import type { TokenGrant, TokenView } from '@/shared/wire'
import classes from './account.module.css'
import { codeOf, grantFrom } from './grant'

export function GrantPage() {
  const asked = grantFrom(useLocation().hash)
  const me = useMe()
  return (
    <Page title={text.grantTitle}>
      {asked === undefined ? (
        <Notice title={text.grantOdd} />
      ) : (
        <Answer read={me}>{({ name }) => <Question asked={asked} user={name} />}</Answer>
      )}
    </Page>
  )
}

function Question({ asked, user }: { asked: TokenGrant; user: string }) {
  const { api } = useApp()
  const navigate = useNavigate()
  const grant = useMutation({ mutationFn: () => api.post<TokenView>('/tokens/grant', asked) })
  if (grant.isSuccess) return <Notice title={text.granted} />
  return (
    <div className={classes.question}>
      <p>{text.grantLead(user)}</p>
      <dl className={classes.facts}>
        <dt>{text.grantName}</dt>
        <dd>{asked.name}</dd>
        <dt>{text.level}</dt>
        <dd>{text.levels[asked.level ?? 'read']}</dd>
        <dt>{text.grantCode}</dt>
        <dd>
          <strong data-testid="grant-code">{codeOf(asked)}</strong>
        </dd>
      </dl>
      <p>{text.grantCodeHint}</p>
      <div className={classes.answers}>
        <Button size="xs" loading={grant.isPending} onClick={() => grant.mutate()}>
          {text.grantYes}
        </Button>
        <Button size="xs" variant="default" onClick={() => void navigate('/')}>
          {text.grantNo}
        </Button>
      </div>
      {grant.error !== null && <Failed error={grant.error} />}
    </div>
  )
}
