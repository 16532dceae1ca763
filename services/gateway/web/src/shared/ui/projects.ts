/** Projects as typed and as shown: none means all; `iree=maintainer` is another role in one. */
import { settings as text } from '@/shared/i18n'
import type { NewUser } from '@/shared/wire'

interface Rights {
  projects?: readonly string[] | null
  roles?: Readonly<Record<string, string>>
}

/** Names from a line, parted by commas or blanks; undefined (all projects) of an empty one. */
export function projectsFrom(line: string): string[] | undefined {
  const names = words(line)
  return names.length === 0 ? undefined : names
}

/** Projects and roles in single ones from a line; who is given single ones only has no other project. */
export function rightsFrom(line: string): { projects: string[] | undefined; roles: NewUser['roles'] } {
  const names = words(line)
  const single = names.filter((name) => name.includes('='))
  const roles = Object.fromEntries(single.map((name) => name.split('=', 2))) as NewUser['roles']
  return { projects: names.length === 0 ? undefined : names.filter((name) => !name.includes('=')), roles }
}

export function projectsShown(projects: readonly string[] | null | undefined): string {
  return projects == null ? text.allProjects : projects.join(', ')
}

export function rightsShown({ projects, roles = {} }: Rights): string {
  const single = Object.entries(roles).map(([project, role]) => `${project}=${role}`)
  return [projectsShown(projects), ...single].filter((part) => part !== '').join(', ')
}

function words(line: string): string[] {
  return line.split(/[\s,]+/).filter((word) => word !== '')
}
