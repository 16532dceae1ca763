import { expect, test } from 'vitest'
import { byTitle, Shortcuts } from '@/shared/keyboard/shortcuts'

test('a chord works when its keys follow each other, and not when they do not', () => {
  const pressed: string[] = []
  const shortcuts = new Shortcuts()
  shortcuts.add([{ keys: 'g b', title: '', run: () => pressed.push('g b') }])
  shortcuts.add([{ keys: 'b', title: '', run: () => pressed.push('b') }])

  for (const [key, at] of [
    ['g', 0],
    ['b', 200],
    ['g', 1000],
    ['b', 9000],
    ['x', 9100],
  ] as const)
    shortcuts.press(key, at)

  expect(pressed).toEqual(['g b', 'b'])
})

test('the newest layer has a key, and gives it back', () => {
  const shortcuts = new Shortcuts()
  shortcuts.add([{ keys: '/', title: 'page', run: () => undefined }])
  const remove = shortcuts.add([{ keys: '/', title: 'log', run: () => undefined }])

  expect(shortcuts.list().map(({ title }) => title)).toEqual(['log'])
  remove()
  expect(shortcuts.list().map(({ title }) => title)).toEqual(['page'])
})

test('the help names what can be done once, with every way to do it', () => {
  const listed = [
    { keys: ']', title: 'Next error' },
    { keys: 'f', title: 'Follow' },
    { keys: 'e', title: 'Next error' },
  ]

  expect(byTitle(listed)).toEqual([
    { title: 'Next error', chords: [']', 'e'] },
    { title: 'Follow', chords: ['f'] },
  ])
})
