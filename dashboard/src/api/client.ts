// HTTP to our own server, and nowhere else: every address is relative.
import type { Site } from '../state/siteview.ts';
import type { Answer, BatchAnswer, Question, Refusal } from './types.ts';

/** Longest wait for an answer. A request that never ended would hold up every refresh after it. */
const TIMEOUT_MS = 30_000;

/**
 * When the same may be asked again: `soon` after no connection, no answer in time or a 5xx, `later` where the server answers but has
 * no answer to give, `never` where what was asked is wrong.
 */
export type Again = 'soon' | 'later' | 'never';

/**
 * A request or question that failed. `message` is the server's own sentence, or empty when there was none
 * (no connection, or an answer that is not ours); it is shown as text.
 */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly again: Again,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

export async function fetchSites(signal?: AbortSignal): Promise<Site[]> {
  const body = await request<{ sites?: unknown } | null>('/api/v1/sites', signal ? { signal } : {});
  if (!Array.isArray(body?.sites)) throw new ApiError('', 'later');
  return body.sites as Site[];
}

/** Null where the number is not shown. */
export async function fetchCurrentVisitors(
  domain: string,
  signal: AbortSignal,
): Promise<number | null> {
  const count = await request<unknown>(
    `/api/v1/stats/realtime/visitors?site_id=${encodeURIComponent(domain)}`,
    { signal },
  );
  if (typeof count !== 'number' && count !== null) throw new ApiError('', 'later');
  return count;
}

/** Sends several questions as one request; the answers come in the order of the questions. */
export async function sendBatch(
  queries: readonly Question[],
  signal: AbortSignal,
): Promise<readonly (Answer | Refusal)[]> {
  const body = await request<BatchAnswer | null>('/api/v2/query', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ queries }),
    signal,
  });
  if (!Array.isArray(body?.answers) || body.answers.length !== queries.length)
    throw new ApiError('', 'later');
  return body.answers;
}

async function request<T>(url: string, init: RequestInit): Promise<T> {
  let response: Response;
  let body: unknown;
  try {
    const signal = AbortSignal.any([
      ...(init.signal ? [init.signal] : []),
      AbortSignal.timeout(TIMEOUT_MS),
    ]);
    response = await fetch(url, { ...init, signal, credentials: 'same-origin', cache: 'no-store' });
    body = await response.json().catch(() => init.signal?.throwIfAborted());
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError('', 'soon');
  }
  if (!response.ok) throw new ApiError(errorText(body), response.status >= 500 ? 'soon' : 'never');
  if (body === undefined) throw new ApiError('', 'soon');
  return body as T;
}

/** The sentence in `{"error": "..."}`, else empty. */
export function errorText(body: unknown): string {
  const text = (body as Partial<Refusal> | null | undefined)?.error;
  return typeof text === 'string' ? text : '';
}
