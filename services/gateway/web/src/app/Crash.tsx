/** Crash: what is shown when a page breaks, or a part of it cannot be loaded because a newer release took its place. */
import { Button } from '@mantine/core'
import { Component, type ReactNode } from 'react'
import { crash } from '@/shared/i18n'
import layout from '@/shared/ui/layout.module.css'
import classes from './Crash.module.css'

interface State {
  error: Error | undefined
}

export class Crash extends Component<{ children: ReactNode }, State> {
  override state: State = { error: undefined }

  static getDerivedStateFromError(error: Error): State {
    return { error }
  }

  override render(): ReactNode {
    if (this.state.error === undefined) return this.props.children
    return (
      <div className={`${layout.notice} ${layout.alone} ${classes.crash}`} role="alert">
        <h1>{crash.title}</h1>
        <p>{crash.text}</p>
        <code>{this.state.error.message}</code>
        <Button size="xs" onClick={() => location.reload()}>
          {crash.reload}
        </Button>
      </div>
    )
  }
}
