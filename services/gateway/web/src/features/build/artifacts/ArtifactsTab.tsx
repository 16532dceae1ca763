/** Artifacts tab: what a build produced, and the way to it. */
import { Button, CopyButton } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import tab from '@/features/build/tab/tabs.module.css'
import { useApp } from '@/shared/api/app-context'
import { useArtifacts } from '@/shared/api/queries/artifacts'
import { bytes } from '@/shared/format'
import { artifacts as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import layout from '@/shared/ui/layout.module.css'
import { Notice } from '@/shared/ui/Notice'
import { Table } from '@/shared/ui/Table'
import type { ArtifactLink, ArtifactView, Build } from '@/shared/wire'
import classes from './ArtifactsTab.module.css'

const COLUMNS = [text.name, text.size, text.checksum, text.stored, '']

export function ArtifactsTab({ build }: { build: Build }) {
  const read = useArtifacts(build.id)
  return (
    <div className={tab.page}>
      <Answer read={read}>
        {({ items }) =>
          items.length === 0 ? (
            <Notice title={text.emptyTitle}>
              <p>
                {text.empty} <code>{text.emptyCommand}</code>
              </p>
            </Notice>
          ) : (
            <Table label={text.title} columns={COLUMNS} figures={[text.size]}>
              {items.map((artifact) => (
                <Row key={artifact.id} artifact={artifact} />
              ))}
            </Table>
          )
        }
      </Answer>
    </div>
  )
}

function Row({ artifact }: { artifact: ArtifactView }) {
  const { name, sizeBytes, sha256, contentType, state, problem, createdAt } = artifact
  return (
    <tr data-testid="artifact" data-state={state}>
      <td className={tab.name}>
        <code>{name}</code>
        {contentType != null && <span className={layout.faint}>{contentType}</span>}
      </td>
      <td className={tab.figure}>{bytes(sizeBytes)}</td>
      <td className={layout.nowrap}>
        <CopyButton value={sha256}>
          {({ copied, copy }) => (
            <button type="button" className={classes.copy} title={text.copyHint(sha256)} onClick={copy}>
              <code>{copied ? text.copied : sha256.slice(0, 12)}</code>
            </button>
          )}
        </CopyButton>
      </td>
      <td className={layout.nowrap}>
        <Ago at={createdAt} />
      </td>
      <td className={classes.act}>
        {state === 'verified' ? (
          <Download artifact={artifact} />
        ) : (
          <span className={layout.warned} title={problem ?? undefined}>
            {text.states[state]}
            {problem != null && <span className={layout.faint}> {problem}</span>}
          </span>
        )}
      </td>
    </tr>
  )
}

/** The link is good for a minute, so it is asked for when wanted. */
function Download({ artifact }: { artifact: ArtifactView }) {
  const { api } = useApp()
  const client = useQueryClient()
  const open = useMutation({
    mutationFn: () => api.get<ArtifactLink>(`/artifacts/${artifact.id}/link`),
    onSuccess: ({ url }) => {
      const anchor = document.createElement('a')
      anchor.href = url
      anchor.download = artifact.name.split('/').at(-1) ?? artifact.name
      anchor.click()
    },
    // Its bytes may have been found damaged just now: the list shows it.
    onError: () => client.invalidateQueries({ queryKey: ['artifacts'] }),
  })
  return (
    <>
      {open.isError && (
        <span role="alert" className={layout.red}>
          {text.failed} {open.error.message}{' '}
        </span>
      )}
      <Button
        size="compact-xs"
        variant="default"
        leftSection={<IconDownload size={14} stroke={1.8} />}
        aria-label={text.downloadOf(artifact.name)}
        loading={open.isPending}
        onClick={() => open.mutate()}
      >
        {text.download}
      </Button>
    </>
  )
}
