/** Axes: what a configuration is built by, with and for, read from its tags (`target:riscv64`), else from its name. */

/** A configuration, as far as its place among others needs it. */
export interface Named {
  config: string
  tags?: readonly string[]
}

export type Axes = Readonly<Record<string, string>>

const ARCHITECTURE =
  /^(x86_64|amd64|x64|x86|i[3-6]86|aarch64(_be)?|arm64(ec)?|arm(v\d\w*|hf)?|thumb\w*|riscv(32|64)?\w*|rv(32|64)\w*|ppc(64)?(le)?|powerpc\w*|s390x|systemz|loongarch(32|64)|mips\w*|sparc\w*|hexagon|wasm(32|64)?|amdgpu|amdgcn|gfx\w+|nvptx(64)?|cuda|rocm|vulkan|spirv(32|64)?|metal|bpf|avr|msp430|xcore|ve)$/
const COMPILER = /^(gcc|g\+\+|clang(cl)?|appleclang|msvc|cl|icc|icx|nvcc|hipcc|mingw(64)?)\d*(\.\d+)*$/
const MODE =
  /^(release|rel|debug|dbg|relwithdebinfo|minsizerel|opt|fastbuild|asan|ubsan|tsan|msan|lsan|hwasan|dfsan|sanitizers?|lto|thinlto|pgo|bolt|assert(s|ions)?|noasserts?|shared|static|dylib|coverage|cov|fuzz(er)?|nightly|bootstrap|stage\d)$/
const SYSTEM =
  /^(linux|windows|win(32|64|dows\w*)?|macos|mac|darwin|osx|freebsd|netbsd|openbsd|solaris|aix|android|ios|fuchsia|musl|ubuntu\w*|debian\w*|fedora\w*|centos\w*|rhel\w*|alpine\w*|manylinux\w*)$/

/** In the order in which they are offered. */
const IN_NAMES: readonly (readonly [axis: string, pattern: RegExp])[] = [
  ['target', ARCHITECTURE],
  ['compiler', COMPILER],
  ['mode', MODE],
  ['system', SYSTEM],
]

/** What names begin with, where nothing else is known of them. */
const FAMILY = 'family'

/** A tag that names its axis. */
const TAG = /^([a-z][a-z0-9_-]*)[:=](.+)$/i

const known = new WeakMap<Named, Axes>()

/** The axes of one configuration. A version belongs to the word before it: `gcc-12` is a compiler. */
export function axesOf(named: Named): Axes {
  let axes = known.get(named)
  if (axes === undefined) known.set(named, (axes = read(named)))
  return axes
}

function read({ config, tags = [] }: Named): Axes {
  const axes: Record<string, string> = {}
  for (const word of wordsOf(config)) {
    const axis = axisOfWord(word)
    if (axis !== undefined) axes[axis] = axes[axis] === undefined ? word : `${axes[axis]}-${word}`
  }
  axes[FAMILY] = wordsOf(config)[0] ?? config
  for (const tag of tags) {
    const [, axis, value] = TAG.exec(tag) ?? []
    if (axis !== undefined && value !== undefined) axes[axis.toLowerCase()] = value
  }
  return axes
}

/** The axes that tell these configurations apart in groups: not all alike, and not each for itself. */
export function axesAmong(configs: readonly Named[]): string[] {
  const values = new Map<string, Map<string, number>>()
  for (const config of configs) {
    for (const [axis, value] of Object.entries(axesOf(config))) {
      const counts = values.get(axis) ?? new Map<string, number>()
      values.set(axis, counts.set(value, (counts.get(value) ?? 0) + 1))
    }
  }
  const inNames = IN_NAMES.map(([axis]) => axis)
  const grouping = [...values].filter(([, counts]) => {
    const among = [...counts.values()].reduce((sum, count) => sum + count, 0)
    return counts.size > 1 && counts.size <= configs.length / 2 && among >= configs.length / 2
  })
  const names = grouping.map(([axis]) => axis)
  const tagged = names.filter((axis) => !inNames.includes(axis) && axis !== FAMILY).sort()
  const named = inNames.filter((axis) => names.includes(axis))
  const first = [...tagged, ...named]
  return first.length > 0 || !names.includes(FAMILY) ? first : [FAMILY]
}

/** A name without the words of one axis' value; the whole of it where nothing would be left. */
export function withoutValue(config: string, value: string): string {
  const dropped = new Set(wordsOf(value))
  const rest = wordsOf(config).filter((word) => !dropped.has(word))
  return rest.length === 0 ? config : rest.join('-')
}

export interface Covered {
  value: string
  count: number
}

/** Some of the configurations in words: the values of axes they are all of, and how many are left over. */
export function described(some: readonly string[], all: readonly Named[]): { whole: Covered[]; rest: string[] } {
  const left = new Set(some)
  const whole: Covered[] = []
  if (some.length > 1) {
    const members = membersByValue(all)
    for (const [value, configs] of [...members].sort(([, a], [, b]) => b.length - a.length)) {
      const isWhole = configs.length > 1 && configs.every((config) => some.includes(config))
      if (!isWhole || !configs.some((config) => left.has(config))) continue
      whole.push({ value, count: configs.length })
      for (const config of configs) left.delete(config)
    }
  }
  return { whole, rest: [...left] }
}

function membersByValue(all: readonly Named[]): Map<string, string[]> {
  const offered = new Set(axesAmong(all))
  const members = new Map<string, string[]>()
  for (const each of all) {
    for (const [axis, value] of Object.entries(axesOf(each))) {
      if (offered.has(axis)) members.set(value, [...(members.get(value) ?? []), each.config])
    }
  }
  return members
}

function axisOfWord(word: string): string | undefined {
  return IN_NAMES.find(([, pattern]) => pattern.test(word.toLowerCase().replace(/-[\d.]+$/, '')))?.[0]
}

/** The words of a name. A hyphen within an architecture's name, or before a version, parts nothing. */
function wordsOf(config: string): string[] {
  const words: string[] = []
  for (const word of config.replace(/x86-64/gi, 'x86_64').split(/[-/+:,\s]+/)) {
    const last = words.at(-1)
    if (/^\d[\d.]*$/.test(word) && last !== undefined) words[words.length - 1] = `${last}-${word}`
    else if (word !== '') words.push(...partsOf(word))
  }
  return words
}

/** An underscore parts words unless the whole is one that is known. */
function partsOf(word: string): string[] {
  return axisOfWord(word) !== undefined ? [word] : word.split('_').filter(Boolean)
}
