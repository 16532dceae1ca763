/** Projects as typed and as shown: none means all. */
import { settings as text } from '@/shared/i18n'

/** Names from a line, parted by commas or blanks; undefined (all projects) of an empty one. */
export function projectsFrom(line: string): string[] | undefined {
  const names = line.split(/[\s,]+/).filter((name) => name !== '')
  return names.length === 0 ? undefined : names
}

export function projectsShown(projects: readonly string[] | null | undefined): string {
  return projects == null ? text.allProjects : projects.join(', ')
}
