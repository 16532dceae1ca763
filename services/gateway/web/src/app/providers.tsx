/** Providers: what every part of the page draws on: theme, cache of reads, long-lived parts, address. */
import { MantineProvider } from '@mantine/core'
import { type QueryClient, QueryClientProvider } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { BrowserRouter } from 'react-router'
import { type App, AppContext } from '@/shared/api/app-context'
import { theme } from '@/shared/theme/theme'

export function Providers({ app, queries, children }: { app: App; queries: QueryClient; children: ReactNode }) {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <QueryClientProvider client={queries}>
        <AppContext value={app}>
          <BrowserRouter>{children}</BrowserRouter>
        </AppContext>
      </QueryClientProvider>
    </MantineProvider>
  )
}
