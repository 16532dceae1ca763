// What the types alone do not catch: promises nobody waits for, hooks out of order, elements that only a mouse can use.
import js from '@eslint/js'
import jsxA11y from 'eslint-plugin-jsx-a11y'
import reactHooks from 'eslint-plugin-react-hooks'
import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['src/shared/wire/rest.ts', 'src/shared/wire/wire.ts', 'public/**', 'scripts/**', '*.mjs', '.*.mjs'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  reactHooks.configs.flat.recommended,
  jsxA11y.flatConfigs.recommended,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // A region that scrolls has to be reached by the keyboard, and so has a note that explains itself where it is pointed at.
      'jsx-a11y/no-noninteractive-tabindex': ['error', { tags: [], roles: ['region', 'tabpanel', 'note', 'img'] }],
    },
  },
  {
    // A log is kept outside React, which asks where it is scrolled to while it is drawn: the viewport is read, not copied.
    files: ['src/features/build/log/**'],
    rules: {
      'react-hooks/refs': 'off',
      'react-hooks/immutability': 'off',
      'react-hooks/set-state-in-effect': 'off',
    },
  },
  {
    // What stands in for the network answers like it: later.
    files: ['tests/**'],
    rules: { '@typescript-eslint/require-await': 'off' },
  },
)
