/** Operation page: what the system stopped, set aside or holds back until an admin decides, and how that is ended. */
import { useMe } from '@/shared/api/queries/me'
import { operation as text, settings } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Notice } from '@/shared/ui/Notice'
import { Page } from '@/shared/ui/Page'
import { Notices } from './Notices'
import { Parked } from './Parked'

export function OperationPage() {
  return (
    <Page title={text.title}>
      <Answer read={useMe()}>
        {({ role }) =>
          role === 'admin' ? (
            <>
              <Notices />
              <Parked />
            </>
          ) : (
            <Notice title={text.adminsOnly}>
              <p>{settings.adminsOnlyText(role)}</p>
            </Notice>
          )
        }
      </Answer>
    </Page>
  )
}
