// Builds the scripts in dist and prints their sizes. With --check it writes nothing, and fails when a committed file is not
// what the source builds to. It always fails when a file is too big.
import { readFile, writeFile } from 'node:fs/promises';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { bundle, scripts, shrink } from './bundle.mjs';

/** @param {string} reason */
function fail(reason) {
  console.error(reason);
  process.exitCode = 1;
}

for (const { name, limit } of scripts) {
  const file = `dist/${name}.js`;
  const output = new URL(file, import.meta.url);
  const code = await shrink(await bundle(name));
  const bytes = Buffer.from(code);
  const gzip = gzipSync(bytes, { level: 9 }).length;
  const brotli = brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY },
  }).length;
  console.log(`${file}: ${bytes.length} bytes, gzip ${gzip}, brotli ${brotli}`);

  if (gzip >= limit) {
    fail(`${file} would be ${gzip} bytes of gzip: it must be below ${limit}`);
  } else if (process.argv.includes('--check')) {
    const committed = await readFile(output, 'utf8').catch(() => '');
    if (committed !== code) {
      fail(`${file} is not what the source builds to: run npm run build -w tracker`);
    }
  } else {
    await writeFile(output, code);
  }
}
