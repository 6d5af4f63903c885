import { describe, expect, it } from 'vitest';
import { createBatcher, type Send } from '../src/api/batch.ts';
import { ApiError } from '../src/api/client.ts';
import { totals } from '../src/api/questions.ts';
import type { Answer } from '../src/api/types.ts';
import { parseView } from '../src/state/view.ts';

const question = (domain: string) => totals(domain, parseView(''));
const answer = (name: string): Answer => ({
  results: [{ dimensions: [name], metrics: [1] }],
  meta: {},
  query: {},
});
const never = () => new AbortController().signal;

/** A server that records what it is asked and answers each question with its site's name. */
function recorder(refused: string[] = []) {
  const requests: { sites: string[]; signal: AbortSignal }[] = [];
  const send: Send = async (queries, signal) => {
    const sites = queries.map((query) => query.site_id);
    requests.push({ sites, signal });
    await new Promise((resolve) => setTimeout(resolve, 5));
    return sites.map((site) => (refused.includes(site) ? { error: `no ${site}` } : answer(site)));
  };
  return { requests, ask: createBatcher(send) };
}

describe('batcher', () => {
  it('sends the questions of one moment as one request and gives each its own answer', async () => {
    const { requests, ask } = recorder(['b']);
    const [a, b, c] = await Promise.allSettled(
      ['a', 'b', 'c'].map((site) => ask(question(site), never())),
    );
    expect(requests.map(({ sites }) => sites)).toEqual([['a', 'b', 'c']]);
    expect(a).toEqual({ status: 'fulfilled', value: answer('a') });
    expect(c).toEqual({ status: 'fulfilled', value: answer('c') });
    expect(b).toMatchObject({ status: 'rejected', reason: new ApiError('no b', 'later') });
    await ask(question('d'), never());
    expect(requests).toHaveLength(2);
  });

  it('knows a question that is wrong from a server that cannot answer', async () => {
    const again = async (error: string) => {
      const refuse = createBatcher(async () => [{ error }]);
      const [one] = await Promise.allSettled([refuse(question('a'), never())]);
      return one?.status === 'rejected' && (one.reason as ApiError).again;
    };
    expect(await again('filters[0]: visit:entry_page is not known')).toBe('never');
    expect(await again('site_id: is not one of the sites')).toBe('never');
    expect(await again('date_range[1]: must be a date')).toBe('never');
    expect(await again('the database does not answer')).toBe('later');
    expect(await again('metrics could not be read')).toBe('later');
    expect(await again('constructor: odd')).toBe('later');
    expect(await again('internal error')).toBe('later');
  });

  it('leaves out a question nobody waits for any more', async () => {
    const { requests, ask } = recorder();
    const gone = new AbortController();
    const first = ask(question('a'), gone.signal);
    const second = ask(question('b'), never());
    gone.abort();
    await expect(first).rejects.toThrow();
    await second;
    expect(requests.map(({ sites }) => sites)).toEqual([['b']]);
  });

  it('gives up the request only when all of its questions are given up', async () => {
    const { requests, ask } = recorder();
    const [one, two] = [new AbortController(), new AbortController()];
    const both = [ask(question('a'), one.signal), ask(question('b'), two.signal)];
    await new Promise((resolve) => setTimeout(resolve, 1));
    one.abort();
    expect(requests[0]?.signal.aborted).toBe(false);
    two.abort();
    expect(requests[0]?.signal.aborted).toBe(true);
    expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual([
      'rejected',
      'rejected',
    ]);
  });

  it('splits what is too much for one request', async () => {
    const { requests, ask } = recorder();
    await Promise.all(Array.from({ length: 25 }, (_, i) => ask(question(`s${i}`), never())));
    expect(requests.map(({ sites }) => sites.length)).toEqual([20, 5]);
  });

  it('fails all when the request fails, and any answer that is none', async () => {
    const broken = createBatcher(() => Promise.reject(new ApiError('down', 'soon')));
    await expect(broken(question('a'), never())).rejects.toThrow('down');
    const odd = createBatcher(async () => [{} as Answer]);
    await expect(odd(question('a'), never())).rejects.toBeInstanceOf(ApiError);
  });
});
