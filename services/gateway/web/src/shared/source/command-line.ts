/** Shell: command lines as a person would type them. */
import type { BuildDetail, FailureData } from '@/shared/wire'

/** An argument as a shell would take it. */
export function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`
}

export function commandLine(command: readonly string[]): string {
  return command.map(quoted).join(' ')
}

/** What to type to see a failure again: at that commit, in that directory, only what failed where that is known. */
export function reproOf(build: BuildDetail, failure: FailureData): string {
  const again = failure.command ?? commandLine(build.command)
  return [
    build.commit && `git checkout ${build.commit}`,
    build.submodules.length > 0 && 'git submodule update --init --recursive',
    build.cwd && `cd ${quoted(build.cwd)}`,
    again,
  ]
    .filter(Boolean)
    .join(' && \\\n  ')
}
