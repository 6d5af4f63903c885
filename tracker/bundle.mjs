// How source becomes one script: build.mjs writes the result of both steps, the tests run the result of each.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { minify } from 'terser';

/** Joins the modules of src into one script, readable. */
export async function bundle() {
  const built = await build({
    absWorkingDir: fileURLToPath(new URL('.', import.meta.url)),
    entryPoints: ['src/d.ts'],
    bundle: true,
    format: 'iife',
    target: 'es2017',
    banner: { js: 'try {' },
    footer: { js: '} catch (_) {}' },
    tsconfigRaw: {}, // else the compiler's strictness adds "use strict", which nothing here needs
    write: false,
  });
  return built.outputFiles.map((file) => file.text).join('');
}

/**
 * Makes a script as small as it gets, the same each time. Names that begin with _ are private.
 *
 * @param {string} script
 */
export async function shrink(script) {
  const { code } = await minify(script, {
    ecma: 2017,
    compress: { passes: 3, unsafe_arrows: true },
    mangle: { properties: { regex: /^_/ } },
    format: { ascii_only: true },
  });
  return `${code}\n`;
}
