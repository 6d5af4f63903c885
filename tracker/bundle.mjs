// How source becomes one script: build.mjs writes the result of both steps, the tests run the result of each.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { minify } from 'terser';

/** The scripts, each an entry point in src and a file in dist, and the bytes of gzip that each must stay below. */
export const scripts = [
  { name: 'd', limit: 1000 },
  { name: 'opt-out', limit: 2500 },
];

/**
 * Joins the modules of an entry point in src into one script, readable.
 *
 * @param {string} name
 */
export async function bundle(name) {
  const built = await build({
    absWorkingDir: fileURLToPath(new URL('.', import.meta.url)),
    entryPoints: [`src/${name}.ts`],
    bundle: true,
    format: 'iife',
    target: 'es2018',
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
    ecma: 2018,
    // Statements that repeat each other pack better than the shorter expressions that terser would make of them. Unsafe is
    // what it does to templates: a part that is no string could be written in another way.
    compress: { passes: 3, unsafe: true, unsafe_arrows: true, conditionals: false },
    mangle: { properties: { regex: /^_/ } },
    format: { ascii_only: true },
  });
  return `${code}\n`;
}
