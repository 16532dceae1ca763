// Which part of the page may import which; `npm test` holds the source to it.
// shared <- features <- app; no feature imports another; inside `shared/` each room imports only those listed before it.
const ROOMS = ['theme', 'wire', 'format', 'source', 'keyboard', 'i18n', 'live', 'api', 'ui', 'address']

/** Plain functions and classes over the wire's types. */
const PURE = ['features/build/log/model', 'features/grid/model', 'shared/format', 'shared/source']

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'shared-imports-shared',
      comment: 'What features share knows none of them: move what it needs down to shared/.',
      severity: 'error',
      from: { path: '^src/shared/' },
      to: { path: '^src/(?!shared/)' },
    },
    {
      name: 'features-do-not-import-app',
      comment: 'A page does not know what surrounds it: move what it needs down to shared/.',
      severity: 'error',
      from: { path: '^src/features/' },
      to: { path: '^src/app/' },
    },
    {
      name: 'features-do-not-import-each-other',
      comment: 'What two features need belongs to shared/; what shows both is put together in app/routes.tsx.',
      severity: 'error',
      from: { path: '^src/features/([^/]+)/' },
      to: { path: '^src/features/', pathNot: '^src/features/$1/' },
    },
    {
      name: 'every-room-is-known',
      comment: 'A new top folder, or a new room of shared/, is named here with what it may import.',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: `^src/(app|features|shared/(${ROOMS.join('|')}))/` },
    },
    ...ROOMS.map((room, at) => ({
      name: `shared-${room}-imports-downward`,
      comment: `shared/${room} imports only ${ROOMS.slice(0, at).join(', ') || 'nothing of the page'}.`,
      severity: 'error',
      from: { path: `^src/shared/${room}/` },
      to: { path: '^src/shared/', pathNot: `^src/shared/(${ROOMS.slice(0, at + 1).join('|')})/` },
    })),
    {
      name: 'pure-rooms-import-no-package',
      comment: 'What decides about text and logs needs neither React nor the network, and is tested without them.',
      severity: 'error',
      from: { path: `^src/(${PURE.join('|')})/` },
      to: { pathNot: `^src/(${PURE.join('|')}|shared/wire)/` },
    },
    {
      name: 'no-file-circle',
      comment: 'Files that import each other in a circle are one file, or miss a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-folder-circle',
      comment: 'Folders of a feature import each other one way.',
      severity: 'error',
      scope: 'folder',
      from: {},
      to: { circular: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    // Types are imports too: who names another room's type cannot be read without it.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { extensions: ['.ts', '.tsx', '.css'] },
  },
}
