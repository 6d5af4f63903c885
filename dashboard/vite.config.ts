import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
import { compress } from './scripts/compress.mjs';
import { checkSizes } from './scripts/size.mjs';

const themeSource = fileURLToPath(new URL('./src/boot/theme.js', import.meta.url));
const dist = fileURLToPath(new URL('./dist', import.meta.url));

/** Puts the theme script into the head as a classic, hashed, external file: no inline script, no flash. */
function themeScript(): Plugin {
  let building = false;
  let file = '';
  return {
    name: 'daysalt-theme',
    configResolved(config) {
      building = config.command === 'build';
    },
    buildStart() {
      if (!building) return;
      const source = readFileSync(themeSource, 'utf8').replace(/^\s*\/\/.*\n/gm, '');
      const hash = createHash('sha256').update(source).digest('base64url').slice(0, 8);
      file = `assets/theme-${hash}.js`;
      this.emitFile({ type: 'asset', fileName: file, source });
    },
    transformIndexHtml() {
      return [
        {
          tag: 'script',
          attrs: { src: building ? `/${file}` : '/src/boot/theme.js' },
          injectTo: 'head-prepend',
        },
      ];
    },
  };
}

/** Writes .br and .gz beside each asset, puts back the committed placeholder, and stops the build over the size limits. */
function finish(): Plugin {
  let failed = false;
  return {
    name: 'daysalt-finish',
    apply: 'build',
    buildEnd(error) {
      failed = error !== undefined;
    },
    closeBundle() {
      mkdirSync(dist, { recursive: true });
      writeFileSync(`${dist}/.placeholder`, '');
      if (failed) return;
      compress(dist);
      checkSizes(dist);
    },
  };
}

export default defineConfig({
  plugins: [themeScript(), finish()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  css: { transformer: 'lightningcss' },
  build: {
    target: 'es2022',
    // The first browsers with light-dark(), which would otherwise be rewritten into twice the styles, and AbortSignal.any().
    cssTarget: ['chrome123', 'firefox124', 'safari17.5'],
    // Inlined files would become data: addresses; everything here is served by name and cached for good.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8000' } },
  test: { environment: 'happy-dom', include: ['test/**/*.test.{ts,tsx}'] },
});
