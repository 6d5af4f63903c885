// The edge of the network in tests: a fetch that answers as the server would, and remembers what it was asked.
import { vi } from 'vitest';
import type { Answer, Meta, Question, Refusal } from '../src/api/types.ts';
import type { MetricId } from '../src/state/metrics.ts';

/** Rows by dimension: value and visitors. */
export type Rows = Record<string, [string, number][]>;

export function stubServer(rows: Rows) {
  const server = {
    rows,
    visitors: 10 as number | null,
    hours: [4] as (number | null)[],
    current: 3 as number | null,
    /** The site makes no visitor numbers; rows and values are then pageviews. */
    anonymous: false,
    /** Rows and filtered numbers of fewer visitors are not shown; the rows given are those that are. */
    least: 0,
    /** Status of the query endpoint when it is not 200. */
    status: 200,
    /** When not empty, every question of a batch is refused with it; the batch itself is answered with 200. */
    outage: '',
    /** Requests are taken and never answered. */
    hangs: false,
    /** Dimensions that are refused, with the reason. */
    refused: {} as Record<string, string>,
    batches: [] as Question[][],
    realtime: 0,
    realtimeStatus: 200,
  };
  const answer = (question: Question): Answer | Refusal => {
    const dimension = question.dimensions?.[0] ?? '';
    const reason = server.outage || server.refused[dimension];
    if (reason) return { error: reason };
    if (server.anonymous && /entry|exit/.test(JSON.stringify([dimension, question.filters])))
      return {
        error: `${/entry|exit/.test(dimension) ? 'dimensions' : 'filters'}[0]: not without visitor numbers`,
      };
    const meta: Meta = {};
    const unknown: MetricId[] = server.anonymous
      ? question.metrics.filter((id) => id !== 'pageviews')
      : [];
    if (unknown.length > 0)
      meta.metric_warnings = Object.fromEntries(
        unknown.map((id) => [id, { code: 'no_visitor_numbers', warning: 'not known' }]),
      );
    const course = dimension === '' || dimension.startsWith('time:');
    if (server.least > 0 && (!course || question.filters?.length))
      meta.withheld = { min_visitors: server.least, warning: 'not everything' };
    const value = (id: MetricId, known: number | null) => (unknown.includes(id) ? null : known);
    const query = { date_range: ['2026-11-22', '2026-11-22'] };
    if (dimension === '') {
      const metrics = question.metrics.map((id) =>
        value(id, id === 'visitors' ? server.visitors : 2.5),
      );
      return { results: [{ dimensions: [], metrics }], meta, query };
    }
    if (dimension.startsWith('time:')) {
      const time_labels = ['2026-11-22 00:00:00', '2026-11-22 01:00:00'];
      return {
        results: server.hours.map((hour, i) => ({
          dimensions: [time_labels[i] ?? ''],
          metrics: question.metrics.map((id) => value(id, hour)),
        })),
        meta: { ...meta, time_labels },
        query,
      };
    }
    const found = (server.rows[dimension] ?? []).map(([key, count]) => ({
      dimensions: [key],
      metrics: question.metrics.map((id) => value(id, count)),
    }));
    return { results: found, meta, query };
  };
  const reply = (body: unknown, status = 200) =>
    new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
  const silence = (signal?: AbortSignal | null) =>
    new Promise<Response>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  vi.stubGlobal('fetch', async (url: string, init: RequestInit = {}) => {
    if (server.hangs) return silence(init.signal);
    if (url.startsWith('/api/v1/stats/realtime/visitors?site_id=')) {
      server.realtime++;
      return reply(server.current, server.realtimeStatus);
    }
    if (url !== '/api/v2/query') throw new Error(`unexpected request to ${url}`);
    const { queries } = JSON.parse(String(init.body)) as { queries: Question[] };
    server.batches.push(queries);
    if (server.status !== 200) return reply({ error: 'the store is not reachable' }, server.status);
    return reply({ answers: queries.map(answer) });
  });
  return server;
}
