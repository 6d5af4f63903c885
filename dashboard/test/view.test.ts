import { describe, expect, it } from 'vitest';
import {
  formatView,
  hasFilter,
  parseView,
  siteHref,
  type View,
  withFilter,
  withoutFilter,
  withTab,
} from '../src/state/view.ts';

const plain: View = { period: 'day', metric: 'visitors', filters: [], tabs: {} };

describe('a view in the URL', () => {
  it('is empty at the defaults', () => {
    expect(formatView(plain)).toBe('');
    expect(parseView('')).toEqual(plain);
  });

  it('is written for people', () => {
    const view = withTab(
      withFilter({ ...plain, period: '7d', metric: 'bounce_rate' }, 'event:page', '/a b'),
      'pages',
      'entry',
    );
    expect(formatView(view)).toBe('?period=7d&metric=bounce_rate&f=is,event:page,/a+b&pages=entry');
  });

  const hostile = [
    '',
    ',',
    '\\',
    'a,b',
    '\\,',
    'a\\',
    '&f=is,visit:source,x',
    '?#%&=+',
    '%2F',
    '/a%20b',
    '<img src=x onerror=alert(1)>',
    '"\'`',
    '\u0000\u001f',
    'ünï 🧂',
    '__proto__',
    'javascript:alert(1)',
  ];
  it.each(hostile)('survives the round trip with the value %j', (value) => {
    const view = withFilter(
      withFilter({ ...plain, period: '30d' }, 'visit:source', value),
      'event:page',
      `/${value}`,
    );
    expect(parseView(formatView(view))).toEqual(view);
    // And through a real address, as the browser would store it.
    const url = new URL(siteHref('a.example', view), 'http://x');
    expect(url.pathname).toBe('/sites/a.example');
    expect(parseView(url.search)).toEqual(view);
  });

  it('keeps several values of one filter', () => {
    const filters = [{ op: 'is', dimension: 'visit:source', values: ['x', 'A,T', ''] }] as const;
    expect(parseView(formatView({ ...plain, filters }))).toEqual({ ...plain, filters });
  });

  it('does not choke on half a surrogate pair', () => {
    const view = parseView(formatView(withFilter(plain, 'event:page', '/\ud800')));
    expect(view.filters[0]?.values).toEqual(['/\ufffd']);
  });

  it.each([
    '?period=1y',
    '?period=constructor',
    '?metric=visits%00',
    '?pages=nope&devices=top&sources=',
    '?f=',
    '?f=is',
    '?f=is,event:page',
    '?f=is_not,event:page,/a',
    '?f=is,visit:salary,1',
    '?f=is,__proto__,1',
    `?f=is,event:page,${'x'.repeat(2001)}`,
    `?f=is,event:page,${'ü'.repeat(1001)}`,
    '?f=is,visit:country,de,DEU,%27,D1,DE%0A',
    '?f=%E0%A4%A',
  ])('drops what it does not know: %s', (search) => {
    expect(parseView(search)).toEqual(plain);
  });

  it('keeps of a country filter what can be a country', () => {
    const { filters } = parseView('?f=is,visit:country,DE,de,%3Cb%3E,,(not+set),AT');
    expect(filters[0]?.values).toEqual(['DE', '', '(not set)', 'AT']);
    expect(parseView('?f=is,visit:source,de').filters[0]?.values).toEqual(['de']);
  });

  it('takes no more values than the API answers for', () => {
    const many = Array.from({ length: 250 }, (_, i) => `/${i}`);
    const { filters } = parseView(`?f=is,event:page,${many.join(',')}`);
    expect(filters[0]?.values).toEqual(many.slice(0, 200));
  });

  it('takes no more text than the API answers for, all filters together', () => {
    const long = Array.from({ length: 17 }, (_, i) => String(i).padEnd(2000, 'x')).join(',');
    const { filters } = parseView(`?f=is,event:page,/a&f=is,visit:entry_page,${long}`);
    expect(filters).toEqual([{ op: 'is', dimension: 'event:page', values: ['/a'] }]);
  });

  it('lets the last filter of a dimension win', () => {
    const { filters } = parseView('?f=is,event:page,/a&f=is,visit:source,&f=is,event:page,/b');
    expect(filters).toEqual([
      { op: 'is', dimension: 'event:page', values: ['/b'] },
      { op: 'is', dimension: 'visit:source', values: [''] },
    ]);
  });

  it('sets, finds and removes one filter per dimension', () => {
    const one = withFilter(plain, 'visit:source', '');
    expect(hasFilter(one, 'visit:source', '')).toBe(true);
    expect(hasFilter(one, 'visit:country', '')).toBe(false);
    const other = withFilter(one, 'visit:source', 'Google');
    expect(other.filters).toHaveLength(1);
    expect(hasFilter(other, 'visit:source', '')).toBe(false);
    expect(withoutFilter(other, 'visit:source')).toEqual(plain);
  });

  it('encodes the domain', () => {
    expect(siteHref('a/b?c', plain)).toBe('/sites/a%2Fb%3Fc');
  });
});
