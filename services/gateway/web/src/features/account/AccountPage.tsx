/** Account page: what belongs to the person who is signed in. */
import { tokens as text } from '@/shared/i18n'
import { Page } from '@/shared/ui/Page'
import { SecondFactor } from './SecondFactor'
import { Tokens } from './Tokens'

export function AccountPage() {
  return (
    <Page title={text.title}>
      <Tokens />
      <SecondFactor />
    </Page>
  )
}
