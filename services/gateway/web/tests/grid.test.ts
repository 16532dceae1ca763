import { expect, test } from 'vitest'
import { filterOf, openGroups, withOpened } from '@/features/grid/address'
import { axesAmong, axesOf, described, withoutValue } from '@/features/grid/model/axes'
import { shownColumns } from '@/features/grid/model/filter'
import { axisOf, grouped } from '@/features/grid/model/groups'
import { cut } from '@/features/grid/model/labels'
import { doubtfulCommits, withLive } from '@/features/grid/model/live'
import { moved } from '@/features/grid/model/moves'
import { resultOf, worstOf } from '@/features/grid/model/results'
import { suspectIn, suspectRanges } from '@/features/grid/model/suspects'
import { blocksOf, blocksOn, columnsOf, leftOf, rowsOn } from '@/features/grid/model/table'
import { Views } from '@/features/grid/views'
import type { Build, Cell, Column, CommitRow } from '@/shared/wire'
import { buildRow } from './frames'

const row = (sha: string, ...cells: Cell[]): CommitRow => ({ project: 'p', branch: 'b', info: { sha }, cells })
const cell = (config: string, status: Cell['status'], more: Partial<Cell> = {}): Cell => ({
  config,
  buildId: config,
  status,
  failing: false,
  colour: 'none',
  startedAt: 0,
  attempts: 1,
  bothWays: false,
  ...more,
})
const column = (config: string, more: Partial<Column> = {}): Column => ({
  config,
  colour: 'green',
  state: 'production',
  latestStatus: 'succeeded',
  redBuilds: 0,
  greenBuilds: 0,
  ...more,
})
const named = (...configs: string[]) => configs.map((config) => ({ config }))
const FARM = ['clang', 'gcc'].flatMap((compiler) =>
  ['release', 'asan'].flatMap((mode) => ['x86_64', 'riscv64', 'aarch64'].map((to) => `${compiler}-${mode}-${to}`)),
)

test('the suspects are the commits after the last green one, up to the first red one', () => {
  const rows = ['e', 'd', 'c', 'b', 'a'].map((sha) => row(sha))
  const red = { colour: 'red', firstRed: 'd' } as const

  const ranges = suspectRanges(
    [
      column('known', { ...red, lastGreen: 'b' }),
      column('unbounded', red),
      column('elsewhere', { colour: 'red', firstRed: 'z' }),
      column('green'),
    ],
    rows,
  )
  const [known, unbounded, elsewhere] = ranges

  expect(known).toMatchObject({ suspects: ['d', 'c'], isWhole: true })
  expect(unbounded).toMatchObject({ suspects: ['d', 'c', 'b', 'a'], isWhole: false })
  expect(elsewhere).toMatchObject({ suspects: [], isWhole: false })
  expect([...(suspectIn(ranges).get('c') ?? [])]).toEqual(['known', 'unbounded'])
})

test('a pass after a failure of the same commit, a fault of the machine and a doomed build are shown apart', () => {
  expect(resultOf(cell('c', 'succeeded', { bothWays: true }))).toBe('retried')
  expect(resultOf(cell('c', 'failed', { fault: 'infra' }))).toBe('infra')
  expect(resultOf(cell('c', 'running', { failing: true }))).toBe('failing')
  expect(resultOf(cell('c', 'failed', { failing: true }))).toBe('failed')
})

test('a group is as its worst member, and counts those that are as bad', () => {
  const cells = [cell('a', 'succeeded'), cell('b', 'failed'), cell('c', 'running'), cell('d', 'failed')]

  expect(worstOf(cells)).toMatchObject({ result: 'failed', count: 2, cell: { config: 'b' } })
  expect(worstOf([cell('a', 'succeeded'), cell('b', 'running', { failing: true })])?.result).toBe('failing')
  expect(worstOf([cell('a', 'succeeded'), cell('b', 'running')])?.result).toBe('running')
  expect(worstOf([])).toBeUndefined()
})

test.each([
  ['clang-asan-x86_64-linux', { compiler: 'clang', mode: 'asan', target: 'x86_64', system: 'linux' }],
  ['windows-gcc', { compiler: 'gcc', system: 'windows' }],
  ['gcc-12-release-assertions-x86-64', { compiler: 'gcc-12', mode: 'release-assertions', target: 'x86_64' }],
  ['clang17_debug_ppc64le', { compiler: 'clang17', mode: 'debug', target: 'ppc64le' }],
  ['nightly/wheels', { mode: 'nightly' }],
])('the name %s says what it is built by, with and for', (name, axes) => {
  expect(axesOf({ config: name })).toMatchObject(axes)
})

test('a tag that names an axis stands above what the name says', () => {
  const axes = axesOf({ config: 'clang-x86_64', tags: ['target:riscv64', 'board=visionfive', 'fast'] })

  expect(axes).toMatchObject({ target: 'riscv64', board: 'visionfive', compiler: 'clang' })
})

test('an axis is offered where it makes groups: not of one each, nor one of all', () => {
  expect(axesAmong(named(...FARM))).toEqual(['target', 'compiler', 'mode'])
  expect(axesAmong(named('clang-x86_64', 'gcc-x86_64'))).toEqual([])
  expect(axesAmong(named('docs', 'release'))).toEqual([])
  expect(axesAmong(named('runtime-a', 'runtime-b', 'bindings-a', 'bindings-b'))).toEqual(['family'])
  const boards = ['one', 'two', 'three', 'four'].map((config, at) => ({ config, tags: [`board:${at % 2}`] }))
  expect(axesAmong(boards)).toEqual(['board'])
})

test('a break of whole groups is described by their names, and names are left over only where they must be', () => {
  const riscv = FARM.filter((name) => name.includes('riscv64'))

  expect(described(riscv, named(...FARM))).toEqual({ whole: [{ value: 'riscv64', count: 4 }], rest: [] })
  expect(described([...riscv, 'gcc-asan-x86_64'], named(...FARM)).rest).toEqual(['gcc-asan-x86_64'])
  expect(described(['gcc-asan-x86_64'], named(...FARM))).toEqual({ whole: [], rest: ['gcc-asan-x86_64'] })
})

test('many configurations are grouped, few are not, and the address has the last word', () => {
  const few = FARM.map((config) => column(config))
  const many = [...few, ...FARM.map((config) => column(`${config}-linux`))]

  expect(axisOf(undefined, few)).toBeUndefined()
  expect(axisOf(undefined, many)).toBe('target')
  expect(axisOf('none', many)).toBeUndefined()
  expect(axisOf('mode', few)).toBe('mode')
  expect(axisOf('no-such', many)).toBeUndefined()
})

test('what is red comes first, the group that is red as a whole before others', () => {
  const columns = FARM.map((config) => {
    const isRed = config.includes('riscv64') || config === 'clang-asan-aarch64'
    return column(config, isRed ? { colour: 'red' } : {})
  })

  const groups = grouped(columns, 'target')
  const [flat] = grouped([...columns, column('clang-asan-zz', { colour: 'red', state: 'staging' })], undefined)

  expect(groups.map(({ value, red }) => [value, red])).toEqual([
    ['riscv64', 4],
    ['aarch64', 1],
    ['x86_64', 0],
  ])
  expect(groups[1]?.members[0]?.config).toBe('clang-asan-aarch64')
  expect(flat?.members.map(({ config }) => config).slice(4, 6)).toEqual(['gcc-release-riscv64', 'clang-asan-zz'])
})

test('within a group names lose what the group says, unless that would make two alike', () => {
  expect(withoutValue('clang-asan-riscv64', 'riscv64')).toBe('clang-asan')
  expect(withoutValue('gcc-12-asan', 'gcc-12')).toBe('asan')
  expect(withoutValue('riscv64', 'riscv64')).toBe('riscv64')
  const alike = grouped([column('a-riscv64'), column('riscv64-a'), column('b-x86_64')], 'target')
  const labels = columnsOf(alike, () => true).map(({ label }) => label)
  expect(labels).toEqual(['a-riscv64', 'riscv64-a', 'b'])
})

test('a name that is cut keeps both ends', () => {
  expect(cut('clang-assertions-expensive-checks-linux', 22)).toBe('clang-asser…ecks-linux')
  expect(cut('clang-asan', 22)).toBe('clang-asan')
})

test('only the blocks and rows on the screen are drawn, and a few beside it', () => {
  const columns = columnsOf(
    grouped(
      Array.from({ length: 200 }, (_, at) => column(`c${at}`)),
      undefined,
    ),
    () => true,
  )
  const blocks = blocksOf(columns)

  expect([blocks.length, leftOf(columns, 200)]).toEqual([25, 4800])
  expect(blocksOn(blocks, 0, 900, 1)).toEqual({ from: 0, to: 6 })
  expect(blocksOn(blocks, 1000, 900, 1)).toEqual({ from: 4, to: 11 })
  expect(blocksOn(blocks, 4000, 900, 1)).toEqual({ from: 19, to: 25 })
  expect(blocksOn([], 0, 900, 1)).toEqual({ from: 0, to: 0 })
  expect(blocksOn(blocks, 1000, 900, 0)).toEqual({ from: 5, to: 10 })
  expect(rowsOn(100, 1400, 600, 0)).toEqual({ from: 48, to: 72 })
  expect(rowsOn(100, 1400, 600, 4)).toEqual({ from: 44, to: 76 })
  expect(rowsOn(3, 0, 600, 4)).toEqual({ from: 0, to: 3 })
  // Fewer rows than before, and the screen has not followed yet.
  expect(rowsOn(10, 1400, 600, 4)).toEqual({ from: 10, to: 10 })
})

test('a folded group is one column, and a fold is undone by the same key', () => {
  const groups = grouped(
    FARM.map((config) => column(config)),
    'target',
  )
  const open = openGroups(new URLSearchParams({ open: 'riscv64' }))

  const drawn = columnsOf(groups, ({ value }) => open.has(value))

  expect(drawn.map(({ label }) => label)).toEqual([
    'aarch64',
    'clang-asan',
    'clang-release',
    'gcc-asan',
    'gcc-release',
    'x86_64',
  ])
  expect(withOpened(open, 'x86_64')).toBe('riscv64~x86_64')
  expect(withOpened(open, 'riscv64')).toBeUndefined()
})

test('hidden is what was green for so many builds, whatever went wrong before', () => {
  const columns = [
    column('long', { greenBuilds: 30 }),
    column('new', { greenBuilds: 2 }),
    column('red', { colour: 'red' }),
  ]
  const shown = (search: string) =>
    shownColumns(columns, filterOf(new URLSearchParams(search))).map(({ config }) => config)

  expect(shown('hide=green')).toEqual(['red'])
  expect(shown('hide=5')).toEqual(['new', 'red'])
  expect(shown('')).toHaveLength(3)
})

test('columns are narrowed by name, tag, owner and state together', () => {
  const columns = [
    column('asan', { tags: ['nightly'], owner: 'ann@example.com', colour: 'red' }),
    column('tsan', { tags: ['nightly'], owner: 'bea@example.com', latestStatus: 'running' }),
    column('release', { state: 'staging' }),
  ]
  const shown = (search: string) =>
    shownColumns(columns, filterOf(new URLSearchParams(search))).map(({ config }) => config)

  expect(shown('tag=nightly')).toEqual(['asan', 'tsan'])
  expect(shown('tag=nightly&owner=bea@example.com')).toEqual(['tsan'])
  expect([shown('state=red'), shown('state=running'), shown('state=staging')]).toEqual([
    ['asan'],
    ['tsan'],
    ['release'],
  ])
  expect(shown('q=SAN')).toEqual(['asan', 'tsan'])
  expect(shownColumns(columns, { configs: new Set(['release']) })).toHaveLength(1)
})

const live = (id: string, config: string, more: Partial<Build>): Build =>
  buildRow({ id, project: 'p', branch: 'b', config, commit: 'a', ...more })

test('a build that ended is not shown as running because history does not know of it yet', () => {
  const rows = [
    row('a', cell('asan', 'running', { buildId: '1' }), cell('gcc', 'succeeded', { buildId: '2' })),
    row('z'),
  ]
  const builds = [live('1', 'asan', { status: 'failed' }), live('2', 'gcc', { status: 'lost' })]

  const shown = withLive(rows, builds)

  expect(shown[0]?.cells?.map(({ status }) => status)).toEqual(['failed', 'succeeded'])
  expect(shown[1]).toBe(rows[1])
})

test('a build that history does not know yet is shown; of another branch, origin or an older one is not', () => {
  const rows = [row('a', cell('gcc', 'failed', { buildId: '2', startedAt: 50 }))]
  const running = { status: 'running', startedAt: 60, serverStartedAt: null } as const
  const shown = (...builds: Build[]) => withLive(rows, builds)[0]?.cells?.map((each) => [each.config, each.buildId])

  expect(shown(live('3', 'asan', running), live('4', 'gcc', running))).toEqual([
    ['gcc', '4'],
    ['asan', '3'],
  ])
  const others = [
    live('5', 'asan', { ...running, branch: 'other' }),
    live('6', 'asan', { ...running, origin: 'local' }),
    live('7', 'gcc', { ...running, startedAt: 40 }),
  ]
  expect(withLive(rows, others)[0]).toEqual(rows[0])
})

test('what history calls running and no list has is asked about', () => {
  const rows = [row('a', cell('asan', 'running', { buildId: '1' })), row('b', cell('asan', 'succeeded'))]

  expect(doubtfulCommits(rows, new Map())).toEqual(['a'])
  expect(doubtfulCommits(rows, new Map([['1', live('1', 'asan', {})]]))).toEqual([])
})

test('keys move within the table and never out of it', () => {
  const size = { rows: 30, columns: 5 }
  const from = { row: 3, column: 2 }
  const press = (key: string, ctrlKey = false) => moved(from, { key, ctrlKey }, size)

  expect(press('ArrowDown')).toEqual({ row: 4, column: 2 })
  expect(press('PageUp')).toEqual({ row: 0, column: 2 })
  expect(press('End')).toEqual({ row: 3, column: 4 })
  expect(press('End', true)).toEqual({ row: 29, column: 4 })
  expect(press('Home', true)).toEqual({ row: 0, column: 0 })
  expect(press('x')).toBeUndefined()
})

test('views are kept by name, survive what a store holds, and other tabs follow', () => {
  const stored = new Map<string, string>()
  const storage = {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => void stored.set(key, value),
  }
  const views = new Views(storage)

  views.save({ name: 'riscv', search: 'q=riscv64' })
  views.save({ name: 'mine', search: 'owner=ann' })
  views.save({ name: 'riscv', search: 'q=riscv' })
  expect(new Views(storage).snapshot()).toEqual([
    { name: 'mine', search: 'owner=ann' },
    { name: 'riscv', search: 'q=riscv' },
  ])

  const [key] = stored.keys()
  stored.set(key ?? '', '[{"name": 3}, {"name": "x", "search": "q=1"}]')
  views.reread()
  expect(views.snapshot()).toEqual([{ name: 'x', search: 'q=1' }])
  stored.set(key ?? '', '{')
  expect(new Views(storage).snapshot()).toEqual([])
})
