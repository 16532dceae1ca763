/** Settings page: the keys agents use and the people who may sign in; for admins. */
import { useMe } from '@/shared/api/queries/me'
import { settings as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Notice } from '@/shared/ui/Notice'
import { Page } from '@/shared/ui/Page'
import { Groups } from './Groups'
import { Keys } from './Keys'
import { Users } from './Users'

export function SettingsPage() {
  return (
    <Page title={text.title}>
      <Answer read={useMe()}>
        {({ role, name }) =>
          role === 'admin' ? (
            <>
              <Keys />
              <Users self={name} />
              <Groups />
            </>
          ) : (
            <Notice title={text.adminsOnly}>
              <p>{text.adminsOnlyText(role)}</p>
            </Notice>
          )
        }
      </Answer>
    </Page>
  )
}
