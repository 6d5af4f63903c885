// Builds dist/d.js and prints its sizes. With --check it writes nothing, and fails when the committed file is not
// what the source builds to. It always fails when the file is too big.
import { readFile, writeFile } from 'node:fs/promises';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { bundle, shrink } from './bundle.mjs';

const gzipLimit = 1000; // bytes; the file must stay below
const output = new URL('dist/d.js', import.meta.url);

/** @param {string} reason */
function fail(reason) {
  console.error(reason);
  process.exitCode = 1;
}

const code = await shrink(await bundle());
const bytes = Buffer.from(code);
const gzip = gzipSync(bytes, { level: 9 }).length;
const brotli = brotliCompressSync(bytes, {
  params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY },
}).length;
console.log(`dist/d.js: ${bytes.length} bytes, gzip ${gzip}, brotli ${brotli}`);

if (gzip >= gzipLimit) {
  fail(`dist/d.js would be ${gzip} bytes of gzip: it must be below ${gzipLimit}`);
} else if (process.argv.includes('--check')) {
  const committed = await readFile(output, 'utf8').catch(() => '');
  if (committed !== code) {
    fail('dist/d.js is not what the source builds to: run npm run build -w tracker');
  }
} else {
  await writeFile(output, code);
}
