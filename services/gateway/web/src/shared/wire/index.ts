/** The words on the wire, by the names the page uses; the types themselves are generated from the protocol. */
import type { components } from './rest'
import type { Build, BuildChanged, FrameWarning, LogAppended, Pong, Ready, Resync, Subscribed } from './wire'

export type * from './wire'

type Rest = components['schemas']

export type AccessGrant = Rest['AccessGrant']
export type AdoptedClocks = Rest['AdoptedClocks']
export type AgentList = Rest['AgentList']
export type AuditCheck = Rest['AuditCheck']
export type AuditEntry = Rest['AuditEntry']
export type AuditEntries = Rest['AuditPage']
export type AgentView = Rest['AgentView']
export type ArtifactLink = Rest['Link']
export type ArtifactList = Rest['ArtifactList']
export type ArtifactView = Rest['ArtifactView']
export type Cell = Rest['Cell']
export type Column = Rest['Column']
export type CommandView = Rest['CommandView']
export type CommitAnswer = Rest['CommitAnswer']
export type CommitList = Rest['CommitList']
export type CommitOnBranch = Rest['CommitOnBranch']
export type CommitRow = Rest['CommitRow']
export type CommitSummary = Rest['CommitSummary']
export type ConfigAnswer = Rest['ConfigAnswer']
export type Day = Rest['Day']
export type Downstream = Rest['Downstream']
export type FailureGroup = Rest['FailureGroup']
export type FailureGroupList = Rest['FailureGroupList']
export type FailureGroupNow = Rest['FailureGroupNow']
export type Failures = Rest['Failures']
export type GateAnswer = Rest['GateAnswer']
export type GateConfig = Rest['GateConfig']
export type GroupList = Rest['GroupList']
export type GroupRights = Rest['GroupRights']
export type GroupView = Rest['GroupView']
export type Grid = Rest['Grid']
export type Incident = Rest['Incident']
export type IncidentList = Rest['IncidentList']
export type IncidentSummary = Rest['IncidentSummary']
export type Judged = Rest['Judged']
export type JudgedFailure = Rest['JudgedFailure']
export type KeyList = Rest['KeyList']
export type KeyView = Rest['KeyView']
export type Lag = Rest['Lag']
export type LaneSummary = Rest['LaneSummary']
export type MuteList = Rest['MuteList']
export type MuteRequest = Rest['MuteRequest']
export type NewCommand = Rest['NewCommand']
export type NewKey = Rest['NewKey']
export type NewKeyView = Rest['NewKeyView']
export type NewToken = Rest['NewToken']
export type NewTokenView = Rest['NewTokenView']
export type NewUser = Rest['NewUser']
export type NoticeList = Rest['NoticeList']
export type NotificationList = Rest['NotificationList']
export type NotificationRow = Rest['NotificationRow']
export type OfferedSecondFactor = Rest['OfferedSecondFactor']
export type Overdue = Rest['Overdue']
export type Override = Rest['Override']
export type Ownership = Rest['Ownership']
export type OwnershipEvent = Rest['OwnershipEvent']
export type ParkedList = Rest['ParkedList']
export type ParkedMessage = Rest['ParkedMessage']
export type ParkedView = Rest['ParkedView']
export type PinList = Rest['PinList']
export type PinMatrix = Rest['PinMatrix']
export type RecoveryCodes = Rest['RecoveryCodes']
export type Remark = Rest['Remark']
export type SecondFactorState = Rest['SecondFactorState']
export type SignInOptions = Rest['SignInOptions']
export type Summary = Rest['Summary']
export type TokenGrant = Rest['TokenGrant']
export type TokenList = Rest['TokenList']
export type TokenView = Rest['TokenView']
export type TestHistory = Rest['TestHistory']
export type TestList = Rest['TestList']
export type TestRun = Rest['TestRun']
export type TestStatistic = Rest['TestStatistic']
export type Trend = Rest['Trend']
export type TrendList = Rest['TrendList']
export type UserChange = Rest['UserChange']
export type UserList = Rest['UserList']
export type UserView = Rest['UserView']
export type Me = Rest['Me']
export type Mark = Rest['Mark']
export type Mute = Rest['Mute']
export type RecordPage = Rest['Events']

export type BuildStatus = Build['status']
export type Phase = NonNullable<Build['phase']>
export type Stream = 'out' | 'err' | 'pty'

/** A frame from the gateway to a viewer. */
export type ViewerEvent = Ready | Subscribed | BuildChanged | LogAppended | Resync | Pong | FrameWarning

/** The viewer's WebSocket subprotocol; its name carries the version. */
export const VIEWER_SUBPROTOCOL = 'build-dashboard.viewer.v2'

export const CLOSE_BAD_TOKEN = 4401

export function isFinal(status: BuildStatus): boolean {
  return status !== 'queued' && status !== 'running'
}
