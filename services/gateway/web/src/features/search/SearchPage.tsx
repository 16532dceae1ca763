/** Search page: the logs of a commit, a branch or a configuration, searched at once; hits come as they are found. */
import { Button, Checkbox, TextInput } from '@mantine/core'
import { IconSearch } from '@tabler/icons-react'
import { useState } from 'react'
import { useChoice } from '@/shared/address/useChoice'
import { isSha } from '@/shared/format/sha'
import { search as text } from '@/shared/i18n'
import { Notice } from '@/shared/ui/Notice'
import { Page } from '@/shared/ui/Page'
import { Found } from './Found'
import classes from './search.module.css'

const PARTS = ['project', 'branch', 'config'] as const
const KNOWN = { regex: ['true'], case: ['true'] }

export function SearchPage() {
  const choice = useChoice({ parts: PARTS, known: KNOWN })
  const { address, project, branch, config } = choice
  const [q, commit] = [address.get('q'), address.get('commit')]
  const params = { q, commit, project, branch, config, regex: address.get('regex'), case: address.get('case') }
  const isNarrow = [commit, branch, config].some((each) => each !== undefined)
  return (
    <Page title={text.title} lead={text.lead} tools={choice.selects}>
      <SearchForm
        key={`${q}\n${commit}\n${params.regex}\n${params.case}`}
        q={q}
        commit={commit}
        isRegex={params.regex !== undefined}
        isExact={params.case !== undefined}
        onSearch={address.change}
      />
      {q === undefined || !isNarrow ? (
        <Notice title={text.emptyTitle}>
          <p>{text.empty}</p>
        </Notice>
      ) : (
        <Found key={JSON.stringify(params)} params={params} />
      )}
    </Page>
  )
}

interface FormProps {
  q: string | undefined
  commit: string | undefined
  isRegex: boolean
  isExact: boolean
  onSearch: (changes: Record<string, string | undefined>) => void
}

function SearchForm({ q = '', commit = '', isRegex, isExact, onSearch }: FormProps) {
  const [typed, setTyped] = useState({ q, commit, isRegex, isExact })
  const sha = typed.commit.trim().toLowerCase()
  const isRefused = sha !== '' && !isSha(sha)
  return (
    <form
      className={classes.form}
      role="search"
      onSubmit={(event) => {
        event.preventDefault()
        if (isRefused) return
        onSearch({
          q: typed.q,
          commit: sha,
          regex: typed.isRegex ? 'true' : undefined,
          case: typed.isExact ? 'true' : undefined,
        })
      }}
    >
      <TextInput
        className={classes.query}
        size="xs"
        aria-label={text.query}
        placeholder={text.query}
        leftSection={<IconSearch size={15} stroke={1.8} />}
        maxLength={1000}
        value={typed.q}
        onChange={(event) => setTyped({ ...typed, q: event.currentTarget.value })}
      />
      <TextInput
        className={classes.commit}
        size="xs"
        aria-label={text.commit}
        placeholder={text.commit}
        error={isRefused && text.noSha}
        value={typed.commit}
        onChange={(event) => setTyped({ ...typed, commit: event.currentTarget.value })}
      />
      <Checkbox
        size="xs"
        label={text.regex}
        checked={typed.isRegex}
        onChange={(event) => setTyped({ ...typed, isRegex: event.currentTarget.checked })}
      />
      <Checkbox
        size="xs"
        label={text.exact}
        checked={typed.isExact}
        onChange={(event) => setTyped({ ...typed, isExact: event.currentTarget.checked })}
      />
      <Button size="xs" type="submit" disabled={typed.q.trim() === ''}>
        {text.action}
      </Button>
    </form>
  )
}
