// The edge of the network in tests: a fetch that answers as the server would, and remembers what it was asked.
import { vi } from 'vitest';
import type { Answer, Question, Refusal } from '../src/api/types.ts';

/** Rows by dimension: value and visitors. */
export type Rows = Record<string, [string, number][]>;

export function stubServer(rows: Rows) {
  const server = {
    rows,
    visitors: 10,
    current: 3,
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
  };
  const answer = (question: Question): Answer | Refusal => {
    const dimension = question.dimensions?.[0] ?? '';
    const reason = server.outage || server.refused[dimension];
    if (reason) return { error: reason };
    const query = { date_range: ['2026-11-22', '2026-11-22'] };
    if (dimension === '') {
      const metrics = question.metrics.map((id) => (id === 'visitors' ? server.visitors : 2.5));
      return { results: [{ dimensions: [], metrics }], meta: {}, query };
    }
    if (dimension.startsWith('time:')) {
      const time_labels = ['2026-11-22 00:00:00', '2026-11-22 01:00:00'];
      return {
        results: [{ dimensions: [time_labels[0] ?? ''], metrics: [4] }],
        meta: { time_labels },
        query,
      };
    }
    const found = (server.rows[dimension] ?? []).map(([key, value]) => ({
      dimensions: [key],
      metrics: [value],
    }));
    return { results: found, meta: {}, query };
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
      return reply(server.current);
    }
    if (url !== '/api/v2/query') throw new Error(`unexpected request to ${url}`);
    const { queries } = JSON.parse(String(init.body)) as { queries: Question[] };
    server.batches.push(queries);
    if (server.status !== 200) return reply({ error: 'the store is not reachable' }, server.status);
    return reply({ answers: queries.map(answer) });
  });
  return server;
}
