import { describe, expect, it } from 'vitest';
import de from '../src/i18n/de.json';
import en from '../src/i18n/en.json';
import { DIMENSIONS } from '../src/state/dimensions.ts';
import { METRICS } from '../src/state/metrics.ts';
import { PERIODS } from '../src/state/periods.ts';
import { LANGUAGES, THEMES } from '../src/state/prefs.ts';
import { PANELS } from '../src/state/reports.ts';

const tables: Record<string, Record<string, string>> = { en, de };
const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

describe('messages', () => {
  it('exist in both languages, none is empty', () => {
    expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort());
    for (const table of Object.values(tables)) {
      for (const [key, text] of Object.entries(table)) expect(text.trim(), key).not.toBe('');
    }
  });

  it('have the same holes in both languages', () => {
    for (const [key, text] of Object.entries(en)) {
      expect(holes(tables.de?.[key] ?? ''), key).toEqual(holes(text));
    }
  });

  it('have a singular for each plural', () => {
    const ends = (end: string) =>
      Object.keys(en)
        .filter((key) => key.endsWith(end))
        .map((key) => key.slice(0, -end.length));
    expect(ends('_one')).toEqual(ends('_other'));
  });

  it('say what makes a visitor a current one', () => {
    expect(en['now.hint']).toMatch(/pageview or custom event.*5 minutes/);
    expect(de['now.hint']).toMatch(/5 Minuten.*Seitenaufruf oder einem eigenen Ereignis/);
  });

  it('name everything the configuration lists', () => {
    const wanted = [
      ...METRICS.map(({ id }) => `metric.${id}`),
      ...DIMENSIONS.map(({ id }) => `dimension.${id}`),
      ...PERIODS.flatMap(({ id }) => [`period.${id}`, `period.note.${id}`]),
      ...PANELS.map(({ id }) => `panel.${id}`),
      ...PANELS.flatMap(({ reports }) => reports.map(({ id }) => `report.${id}`)),
      ...THEMES.map((id) => `prefs.theme.${id}`),
      ...LANGUAGES.map((id) => `prefs.language.${id}`),
    ];
    expect(wanted.filter((key) => !Object.hasOwn(en, key))).toEqual([]);
  });
});
