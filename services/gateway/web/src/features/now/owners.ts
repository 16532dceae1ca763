/** Owners: whose the configurations are that an incident hit, as the server's config.yaml names them. */
import type { IncidentSummary, LaneSummary } from '@/shared/wire'

/** The configurations of an incident that have not recovered. */
export function stillRed({ configs, recoveredConfigs }: IncidentSummary): string[] {
  return configs.filter((config) => !recoveredConfigs.includes(config))
}

/** Their owners, each once. */
export function ownersOf(incident: IncidentSummary, lanes: readonly LaneSummary[]): string[] {
  const red = new Set(stillRed(incident))
  const owners = lanes
    .filter(
      ({ project, branch, config }) =>
        project === incident.project && branch === (incident.branch ?? '') && red.has(config),
    )
    .map(({ declared }) => declared.owner)
  return [...new Set(owners.filter((owner) => owner != null))]
}
