import react from '@vitejs/plugin-react'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// `npm run dev` serves the page with hot reload and hands the rest to a running gateway.
const gateway = process.env.BUILD_DASHBOARD_URL ?? 'http://127.0.0.1:8080'

// The gateway answers pages of its own origin only: what comes through here is to look like one.
const toGateway = { target: gateway, changeOrigin: true, headers: { origin: new URL(gateway).origin } }

export default defineConfig({
  // Absolute, so that a deep link such as /builds/<id> finds its assets on reload.
  base: '/',
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('src', import.meta.url)) } },
  build: {
    outDir: '../src/build_gateway/page',
    emptyOutDir: true,
    target: 'es2023',
    // The page is served with a policy that refuses inline scripts and data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: true,
  },
  server: {
    proxy: {
      '/api': toGateway,
      '/ws': { ...toGateway, ws: true },
    },
  },
  test: { include: ['tests/*.test.ts'], environment: 'node' },
})
