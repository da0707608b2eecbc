import { defineConfig } from 'vite'

export default defineConfig({
  // Nothing is read that pipe.yaml does not name: no .env files, no PostCSS
  // configuration from a folder above.
  envDir: false,
  css: { postcss: {} },
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: { target: 'es2022', modulePreload: { polyfill: false } },
  // The api worker, when it runs beside the development server.
  server: { proxy: { '/api': 'http://127.0.0.1:8080' } },
})
