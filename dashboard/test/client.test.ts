import { afterEach, expect, it, vi } from 'vitest';
import { fetchCurrentVisitors, fetchSites, sendBatch } from '../src/api/client.ts';

/** A server that sends `head` at once and then nothing until the request is given up. */
function silent(head: boolean) {
  vi.stubGlobal('fetch', (_: string, { signal }: RequestInit) => {
    const over = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    return head ? Promise.resolve({ ok: true, status: 200, json: () => over }) : over;
  });
}

/** Puts the time limit of requests into the test's hands. */
function limit() {
  const timer = new AbortController();
  const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(timer.signal);
  return { timeout, expire: () => timer.abort(new DOMException('timed out', 'TimeoutError')) };
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

it.each([false, true])('gives a request up after its time, head there: %s', async (head) => {
  silent(head);
  const { timeout, expire } = limit();
  const sites = fetchSites();
  expect(timeout).toHaveBeenCalledWith(30_000);
  expire();
  await expect(sites).rejects.toMatchObject({ name: 'ApiError', again: 'soon' });
});

it.each([false, true])('leaves an abort of the caller an abort, head there: %s', async (head) => {
  silent(head);
  const caller = new AbortController();
  const current = fetchCurrentVisitors('a.example', caller.signal);
  await Promise.resolve();
  caller.abort();
  await expect(current).rejects.toMatchObject({ name: 'AbortError' });
});

it.each([
  [400, 'never'],
  [404, 'never'],
  [500, 'soon'],
  [503, 'soon'],
])('knows from the status %s when to ask again: %s', async (status, again) => {
  vi.stubGlobal('fetch', async () => new Response('{"error":"no"}', { status }));
  await expect(fetchSites()).rejects.toMatchObject({ message: 'no', again });
});

it('takes null for the current visitors, and for nothing else', async () => {
  vi.stubGlobal('fetch', async () => new Response('null'));
  const { signal } = new AbortController();
  expect(await fetchCurrentVisitors('a.example', signal)).toBeNull();
  await expect(fetchSites(signal)).rejects.toMatchObject({ name: 'ApiError' });
  await expect(sendBatch([], signal)).rejects.toMatchObject({ name: 'ApiError' });
});
