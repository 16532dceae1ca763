/** Source tree: where on the web a file is that a tool names, at the commit that was built. */
import type { BuildDetail } from '@/shared/wire'

type Facts = Pick<BuildDetail, 'repository' | 'commit' | 'cwd' | 'command' | 'submodules'>

/** Directories that hold what a build makes; their parent is the tree. */
const BUILD_DIRECTORY = /^(?:_?build.*|cmake-build.*|out|obj)$/i
/** Options whose value is where ninja, make or CMake work. */
const WORKS_IN = /^(?:-C|--directory|--build)$/

export class SourceTree {
  private constructor(
    private readonly base: string,
    private readonly root: string,
    private readonly worksIn: string,
    private readonly elsewhere: readonly string[],
  ) {}

  /** The tree of a build, or undefined when its repository, commit or directory is not known. */
  static of({ repository, commit, cwd, command, submodules }: Facts): SourceTree | undefined {
    const web = repository == null ? undefined : webOf(repository)
    if (web === undefined || !commit || !cwd?.startsWith('/')) return undefined
    const root = rootOf(cwd, web.name)
    const worksIn = resolved(cwd, directoryOf(command) ?? '.')
    // A submodule's files are another repository's, and what lies in the build directory was made there.
    const elsewhere = submodules.map(({ path }) => resolved(root, path))
    if (worksIn !== root && worksIn !== resolved(cwd, '.')) elsewhere.push(worksIn)
    return new SourceTree(`${web.url}/${web.blob}/${commit}`, root, worksIn, elsewhere)
  }

  /** The address of a line of a file as a tool named it; undefined for files that are not the repository's. */
  urlOf(file: string, line?: number | null): string | undefined {
    // A script that builds in a directory of the tree does not show it in its command: its tools do, by climbing out.
    const isClimbing = this.worksIn === this.root && file.startsWith('../')
    const path = isClimbing ? resolved(this.root, file.replace(/^(?:\.\.\/)+/, '')) : resolved(this.worksIn, file)
    if (!isWithin(path, this.root) || this.elsewhere.some((other) => isWithin(path, other))) return undefined
    const inTree = path
      .slice(this.root.length + 1)
      .split('/')
      .map(encodeURIComponent)
      .join('/')
    return `${this.base}/${inTree}${line == null ? '' : `#L${line}`}`
  }
}

interface Web {
  url: string
  name: string
  /** What stands between the repository's address and a commit, where files are shown. */
  blob: string
}

/** A repository's address for browsers, as far as the host is one whose addresses are known. */
function webOf(repository: string): Web | undefined {
  // git@host:owner/name, ssh://git@host/owner/name, https://user@host/owner/name.git
  const match = /^(?:[a-z+]+:\/\/)?(?:[^@/\s]+@)?([\w.-]+)(?::\d+)?[:/]([\w.~/-]+?)(?:\.git)?\/?$/i.exec(repository)
  const [, host = '', path = ''] = match ?? []
  const blob = /(^|\.)github\./.test(host) ? 'blob' : /(^|\.)gitlab\./.test(host) ? '-/blob' : undefined
  if (blob === undefined || !path.includes('/')) return undefined
  return { url: `https://${host}/${path}`, name: path.split('/').at(-1) ?? '', blob }
}

/** The tree's root: the directory named like the repository, else the one that holds the build directory. */
function rootOf(cwd: string, name: string): string {
  const parts = resolved(cwd, '.').split('/')
  const named = parts.lastIndexOf(name)
  if (named > 0) return parts.slice(0, named + 1).join('/')
  const built = parts.findIndex((part, at) => at > 1 && BUILD_DIRECTORY.test(part))
  return (built === -1 ? parts : parts.slice(0, built)).join('/')
}

function directoryOf(command: readonly string[]): string | undefined {
  // What a shell is handed as one word is a command line of its own.
  const words = command.flatMap((word) => word.split(/\s+/))
  const at = words.findIndex((word) => WORKS_IN.test(word))
  return at === -1 ? words.find((word) => /^-C./.test(word))?.slice(2) : words[at + 1]
}

/** `path` as seen from `from`, without `.` and `..`. */
function resolved(from: string, path: string): string {
  const parts: string[] = []
  for (const part of (path.startsWith('/') ? path : `${from}/${path}`).split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}

function isWithin(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`)
}
