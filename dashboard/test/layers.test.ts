import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** What each folder may import, besides itself. Imports go one way: towards the start of this list. */
const ALLOWED: Record<string, readonly string[]> = {
  state: [],
  i18n: ['state'],
  api: ['state'],
  ui: ['i18n'],
  charts: ['state', 'ui'],
  controls: ['state', 'i18n', 'api', 'ui'],
  panels: ['state', 'i18n', 'api', 'ui', 'charts', 'controls'],
  pages: ['state', 'i18n', 'api', 'ui', 'controls', 'panels'],
};
/** Panels and controls stand side by side: what two of them share belongs below. */
const NO_SIBLINGS = ['panels', 'controls'];
const MAX_LINES = 250;

const root = join(import.meta.dirname, '../src');
const files = (readdirSync(root, { recursive: true }) as string[]).filter((name) =>
  /\.(tsx?|css|json)$/.test(name),
);

describe('source folders', () => {
  it('import only from below', () => {
    const wrong: string[] = [];
    for (const name of files.filter((file) => /\.tsx?$/.test(file) && file.includes('/'))) {
      const [folder = ''] = name.split('/');
      const allowed = ALLOWED[folder];
      if (!allowed) wrong.push(`${name}: folder ${folder} is not in the table`);
      const source = readFileSync(join(root, name), 'utf8');
      for (const [, target = ''] of source.matchAll(/from '(\.[^']+)'/g)) {
        const to = /^\.\.\/(\w+)\//.exec(target)?.[1] ?? folder;
        if (to !== folder && !allowed?.includes(to)) wrong.push(`${name} -> ${target}`);
        const sibling = to === folder && NO_SIBLINGS.includes(folder) && !target.endsWith('.css');
        if (sibling) wrong.push(`${name} -> ${target} (siblings)`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it(`hold no file of more than ${MAX_LINES} lines`, () => {
    const long = files.filter(
      (name) => readFileSync(join(root, name), 'utf8').split('\n').length > MAX_LINES,
    );
    expect(long).toEqual([]);
  });

  it('hold no inline style attribute and no raw HTML', () => {
    const bad = files.filter((name) =>
      /style="|dangerouslySetInnerHTML|innerHTML|\beval\(|new Function/.test(
        readFileSync(join(root, name), 'utf8'),
      ),
    );
    expect(bad).toEqual([]);
  });
});
