import { describe, expect, it } from 'vitest';
import { breakdown, isAnonymous, isLive, series, totals } from '../src/api/questions.ts';
import { dateLabel, hourLabel } from '../src/state/clock.ts';
import { DIMENSIONS } from '../src/state/dimensions.ts';
import { rangeOf } from '../src/state/periods.ts';
import { PANELS, reportOf } from '../src/state/reports.ts';
import { parseView, withFilter } from '../src/state/view.ts';

const view = parseView('?period=7d&metric=bounce_rate&f=is,visit:source,&f=is,event:page,/a');
const filters = [
  ['is', 'visit:source', ['']],
  ['is', 'event:page', ['/a']],
];

describe('questions', () => {
  it('ask for the six top numbers', () => {
    expect(totals('a.example', view)).toEqual({
      site_id: 'a.example',
      date_range: '7d',
      filters,
      metrics: [
        'visitors',
        'visits',
        'pageviews',
        'views_per_visit',
        'bounce_rate',
        'visit_duration',
      ],
    });
  });

  it('ask for the chosen metric by day, by hour for today', () => {
    expect(series('a.example', view, false)).toEqual({
      site_id: 'a.example',
      date_range: '7d',
      filters,
      metrics: ['bounce_rate'],
      dimensions: ['time:day'],
      include: { time_labels: true },
    });
    const today = series('a.example', parseView(''), false);
    expect(today.dimensions).toEqual(['time:hour']);
    expect(isLive(today)).toBe(true);
    expect(isLive(series('a.example', view, false))).toBe(false);
  });

  it('ask for nine rows of each report, in an order that does not change by chance', () => {
    for (const panel of PANELS) {
      for (const report of panel.reports) {
        expect(breakdown('a.example', view, report, false)).toEqual({
          site_id: 'a.example',
          date_range: '7d',
          filters,
          metrics: ['visitors'],
          dimensions: [report.dimension],
          order_by: [
            ['visitors', 'desc'],
            [report.dimension, 'asc'],
          ],
          pagination: { limit: 9, offset: 0 },
        });
      }
    }
  });

  it('go by pageviews where a site makes no visitor numbers', () => {
    expect(series('a.example', view, true).metrics).toEqual(['pageviews']);
    const report = PANELS[0]?.reports[0];
    if (!report) throw new Error('no report');
    const question = breakdown('a.example', view, report, true);
    expect(question.metrics).toEqual(['pageviews']);
    expect(question.order_by?.[0]).toEqual(['pageviews', 'desc']);
  });

  it('are told by their answers that a site makes none', () => {
    const answer = (code: string) => ({
      results: [],
      meta: { metric_warnings: { visits: { code, warning: '' } } },
      query: {},
    });
    expect(isAnonymous(answer('no_visitor_numbers'))).toBe(true);
    expect(isAnonymous(answer('something_else'))).toBe(false);
    expect(isAnonymous({ results: [], meta: {}, query: {} })).toBe(false);
  });

  it('turn each dimension into its filter', () => {
    for (const { id } of DIMENSIONS) {
      const question = totals('a.example', withFilter(parseView(''), id, 'x'));
      expect(question.filters).toEqual([['is', id, ['x']]]);
    }
  });
});

describe('reports', () => {
  it('have names of their own within a panel and fall back to the first', () => {
    for (const panel of PANELS) {
      expect(new Set(panel.reports.map(({ id }) => id)).size).toBe(panel.reports.length);
      expect(reportOf(panel, 'nope')).toBe(panel.reports[0]);
      expect(reportOf(panel, undefined)).toBe(panel.reports[0]);
    }
  });
});

describe('days', () => {
  it('are those of the site', () => {
    const now = new Date('2026-11-22T23:30:00Z');
    expect(hourLabel(now, 'UTC')).toBe('2026-11-22 23:00:00');
    expect(hourLabel(now, 'Europe/Berlin')).toBe('2026-11-23 00:00:00');
    expect(dateLabel(now, 'America/New_York')).toBe('2026-11-22');
    expect(dateLabel(now, 'No/Where')).toBe('2026-11-22');
  });

  it('of 7d and 30d end yesterday', () => {
    expect(rangeOf('day', '2026-03-01')).toEqual(['2026-03-01', '2026-03-01']);
    expect(rangeOf('7d', '2026-03-01')).toEqual(['2026-02-22', '2026-02-28']);
    expect(rangeOf('30d', '2026-03-01')).toEqual(['2026-01-30', '2026-02-28']);
  });
});
