/** The words on the wire, by the names the page uses; the types themselves are generated from the protocol. */
import type { components } from './rest'
import type { Build, BuildChanged, LogAppended, Pong, Ready, Resync, Subscribed } from './wire'

export type * from './wire'

type Rest = components['schemas']

export type AccessGrant = Rest['AccessGrant']
export type CommandView = Rest['CommandView']
export type NewCommand = Rest['NewCommand']
export type RecordPage = Rest['Events']

export type BuildStatus = Build['status']
export type Phase = NonNullable<Build['phase']>
export type Stream = 'out' | 'err' | 'pty'

/** A frame from the gateway to a viewer. */
export type ViewerEvent = Ready | Subscribed | BuildChanged | LogAppended | Resync | Pong

/** The viewer's WebSocket subprotocol; its name carries the version. */
export const VIEWER_SUBPROTOCOL = 'build-dashboard.viewer.v1'

export const CLOSE_BAD_TOKEN = 4401

export function isFinal(status: BuildStatus): boolean {
  return status !== 'queued' && status !== 'running'
}
