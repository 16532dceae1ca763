/** Theme: the values Mantine's parts take; the same values as CSS variables stand in `tokens.css`. */
import { createTheme } from '@mantine/core'

export const theme = createTheme({
  fontFamily: "'Inter Variable', system-ui, sans-serif",
  fontFamilyMonospace: "'JetBrains Mono Variable', ui-monospace, monospace",
  primaryColor: 'blue',
  defaultRadius: 'sm',
  cursorType: 'pointer',
})
