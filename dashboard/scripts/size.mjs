// The size gate: prints what a first visit loads and fails over the limits.
// Runs at the end of `vite build`; `node scripts/size.mjs` prints the same for a built folder.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const KB = 1024;
const LIMITS = {
  js: { target: 45 * KB, limit: 60 * KB },
  css: { target: 15 * KB, limit: 15 * KB },
};
const CHUNK_LIMIT = 25 * KB;

/**
 * Sizes of the files index.html asks for, in bytes after gzip -9, and of the chunks loaded later.
 * @param {string} dist
 */
export function measure(dist) {
  const html = readFileSync(join(dist, 'index.html'), 'utf8');
  const initial = { js: 0, css: 0 };
  /** @type {{ name: string, bytes: number }[]} */
  const later = [];
  for (const name of readdirSync(join(dist, 'assets'))) {
    const kind = name.endsWith('.js') ? 'js' : name.endsWith('.css') ? 'css' : undefined;
    if (kind === undefined) continue;
    const bytes = gzipSync(readFileSync(join(dist, 'assets', name)), { level: 9 }).length;
    if (html.includes(`/assets/${name}"`)) initial[kind] += bytes;
    else later.push({ name, bytes });
  }
  return { initial, later };
}

/** @param {string} dist */
export function checkSizes(dist) {
  const { initial, later } = measure(dist);
  const problems = [];
  for (const kind of /** @type {const} */ (['js', 'css'])) {
    const { target, limit } = LIMITS[kind];
    const bytes = initial[kind];
    console.log(`initial ${kind}: ${bytes} B gz (target ${target}, limit ${limit})`);
    if (bytes > limit) problems.push(`initial ${kind} is ${bytes} B gz, over ${limit}`);
    if (bytes === 0) problems.push(`index.html asks for no ${kind}`);
  }
  for (const { name, bytes } of later) {
    console.log(`later ${name}: ${bytes} B gz (limit ${CHUNK_LIMIT})`);
    if (bytes > CHUNK_LIMIT) problems.push(`${name} is ${bytes} B gz, over ${CHUNK_LIMIT}`);
  }
  if (problems.length > 0) throw new Error(`dashboard too large: ${problems.join('; ')}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  checkSizes(fileURLToPath(new URL('../dist', import.meta.url)));
}
