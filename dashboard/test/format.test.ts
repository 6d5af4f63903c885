import { afterEach, describe, expect, it } from 'vitest';
import {
  formatDates,
  formatDuration,
  formatShare,
  formatTime,
  formatValue,
  longCount,
  shortCount,
} from '../src/i18n/format.ts';
import { tn } from '../src/i18n/index.ts';
import { filterName, nameOf } from '../src/i18n/names.ts';
import { setLanguage } from '../src/state/prefs.ts';

/** Intl uses several kinds of narrow and thin spaces and dashes; which one is its own business. */
const plain = (text: string) => text.replace(/[\u00a0\u2009\u202f]/g, ' ').replace(/\u2013/g, '-');

afterEach(() => setLanguage('auto'));

describe('English', () => {
  it('writes numbers', () => {
    setLanguage('en');
    expect(shortCount(0)).toBe('0');
    expect(shortCount(9999)).toBe('9,999');
    expect(shortCount(12_345)).toBe('12.3K');
    expect(shortCount(4_560_000)).toBe('4.6M');
    expect(longCount(4_560_000)).toBe('4,560,000');
    expect(formatValue('ratio', 2.6449)).toBe('2.64');
    expect(formatValue('percent', 41.34)).toBe('41.3%');
    expect(formatValue('percent', 41.34, true)).toBe('41.34%');
    expect(formatValue('count', null)).toBe('–');
    expect(formatValue('count', Number.NaN)).toBe('–');
    expect(formatShare(0)).toBe('0%');
    expect(formatShare(0.25149)).toBe('25.1%');
    expect(formatShare(0.0001)).toBe('< 0.1%');
  });

  it('writes durations with two units at most', () => {
    setLanguage('en');
    const f = (seconds: number, want: string) => expect(formatDuration(seconds)).toBe(want);
    f(0, '0s');
    f(-5, '0s');
    f(59.4, '59s');
    f(59.6, '1m');
    f(60, '1m');
    f(187, '3m 7s');
    f(3599, '59m 59s');
    f(3600, '1h');
    f(3725, '1h 2m');
    f(3_600_000, '1,000h');
  });

  it('writes times of the site, never moved into the zone of the reader', () => {
    setLanguage('en');
    expect(plain(formatTime('2026-11-22 14:00:00'))).toBe('2 PM');
    expect(plain(formatTime('2026-11-22 14:00:00', true))).toBe('2:00 - 3:00 PM');
    expect(formatTime('2026-11-22')).toBe('Nov 22');
    expect(formatTime('2026-11-22', true)).toBe('Sun, Nov 22');
    expect(formatTime('nonsense')).toBe('nonsense');
    expect(formatDates('2026-11-22', '2026-11-22')).toBe('Sunday, November 22, 2026');
    expect(plain(formatDates('2026-11-15T00:00:00+01:00', '2026-11-21T23:59:59+01:00'))).toBe(
      'November 15 - 21, 2026',
    );
  });

  it('names values', () => {
    setLanguage('en');
    expect(nameOf('visit:source', '')).toBe('Direct / None');
    expect(nameOf('visit:country', '')).toBe('Unknown');
    expect(nameOf('visit:country', 'ZZ')).toBe('Unknown');
    expect(nameOf('visit:country', 'DE')).toBe('Germany');
    expect(nameOf('visit:country', '<b>')).toBe('<b>');
    expect(nameOf('visit:device', 'Mobile')).toBe('Mobile');
    expect(nameOf('visit:device', 'toString')).toBe('toString');
    expect(nameOf('event:page', '/a')).toBe('/a');
    expect(filterName({ op: 'is', dimension: 'visit:country', values: ['DE', 'AT'] })).toBe(
      'Country is Germany or Austria',
    );
  });

  it('knows one from many', () => {
    setLanguage('en');
    expect(tn('now', 1)).toBe('1 current visitor');
    expect(tn('now', 0)).toBe('0 current visitors');
  });
});

describe('German', () => {
  it('writes numbers', () => {
    setLanguage('de');
    expect(shortCount(9999)).toBe('9.999');
    expect(shortCount(123_456)).toBe('123.456');
    expect(plain(shortCount(1_234_567))).toBe('1,2 Mio.');
    expect(plain(formatValue('percent', 41.3))).toBe('41,3 %');
    expect(formatValue('ratio', 2.64)).toBe('2,64');
    expect(formatDuration(187)).toBe('3 min 7 s');
    expect(formatDuration(3725)).toBe('1 h 2 min');
  });

  it('writes times and names', () => {
    setLanguage('de');
    expect(formatTime('2026-11-22 14:00:00')).toBe('14:00');
    expect(formatTime('2026-11-22')).toBe('22. Nov.');
    expect(plain(formatDates('2026-11-15', '2026-11-21'))).toBe('15.-21. November 2026');
    expect(nameOf('visit:source', '')).toBe('Direkt / Keine');
    expect(nameOf('visit:country', 'DE')).toBe('Deutschland');
    expect(nameOf('visit:browser', 'Other')).toBe('Andere');
    expect(nameOf('visit:browser', 'Firefox')).toBe('Firefox');
    expect(nameOf('visit:source', 'Other')).toBe('Other');
  });
});
