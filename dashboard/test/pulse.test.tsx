import { cleanup, render, screen } from '@testing-library/preact';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ClientContext, createClient } from '../src/api/adapter.ts';
import { startPulse } from '../src/api/pulse.ts';
import { App } from '../src/pages/App.tsx';
import { stubServer } from './server.ts';

let server: ReturnType<typeof stubServer>;
let stop: () => void;

function open(url: string) {
  history.replaceState(null, '', url);
  const client = createClient();
  stop = startPulse(client);
  const sites = [{ domain: 'a.example', timezone: 'UTC' }];
  render(
    <ClientContext.Provider value={client}>
      <App bootstrap={{ version: '', sites, attribution: null }} />
    </ClientContext.Provider>,
  );
}

function show(visible: boolean) {
  vi.spyOn(document, 'visibilityState', 'get').mockReturnValue(visible ? 'visible' : 'hidden');
  document.dispatchEvent(new Event('visibilitychange'));
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  // The real one runs on a clock of its own, which fake timers do not move.
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new DOMException('timed out', 'TimeoutError')), ms);
    return controller.signal;
  });
  show(true);
  server = stubServer({ 'event:page': [['/', 1]] });
});

afterEach(() => {
  stop();
  cleanup();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('refreshing', () => {
  it('shows new traffic of today within its interval, each time by one request', async () => {
    open('/sites/a.example');
    await pass(500);
    expect(server.batches).toHaveLength(1);
    server.visitors = 11;
    await pass(3500);
    expect(screen.getByTestId('metric-visitors').dataset.value).toBe('11');
    expect(server.batches).toHaveLength(2);
    expect(server.batches[1]).toHaveLength(6);
  });

  it('asks for past days again only when their answers are five minutes old', async () => {
    open('/sites/a.example?period=7d');
    await pass(20_000);
    expect(server.batches).toHaveLength(1);
    expect(server.realtime).toBe(7); // who is there now does not depend on the period
    await pass(275_000);
    expect(server.batches).toHaveLength(1);
    server.visitors = 11; // also what a new day brings to a page left open
    await pass(10_000);
    expect(server.batches).toHaveLength(2);
    expect(screen.getByTestId('metric-visitors').dataset.value).toBe('11');
  });

  it('keeps asking for past days once a refresh of them has failed', async () => {
    open('/sites/a.example?period=30d');
    await pass(290_000);
    server.outage = 'the database does not answer';
    server.visitors = 11;
    await pass(20_000);
    expect(screen.getByTestId('metric-visitors').dataset.value).toBe('10');
    expect(screen.getByRole('alert').textContent).toContain('the database does not answer');
    server.outage = '';
    await pass(4_000);
    expect(screen.queryByRole('alert')).toBeNull();
    expect(screen.getByTestId('metric-visitors').dataset.value).toBe('11');
  });

  it('rests while hidden and asks once on return', async () => {
    open('/sites/a.example');
    await pass(500);
    show(false);
    await pass(60_000);
    expect(server.batches).toHaveLength(1);
    expect(server.realtime).toBe(1);
    show(true);
    await pass(500);
    expect(server.batches).toHaveLength(2);
    expect(server.realtime).toBe(2);
  });

  it('keeps the numbers when the server goes away, says so, and recovers by itself', async () => {
    open('/sites/a.example');
    await pass(500);
    server.outage = 'the store is not reachable';
    await pass(9_000);
    expect(screen.getByTestId('metric-visitors').dataset.value).toBe('10');
    expect(screen.getByRole('alert').textContent).toContain('the store is not reachable');
    server.outage = '';
    await pass(4_000);
    expect(screen.queryByRole('alert')).toBeNull();
    server.status = 503;
    await pass(9_000);
    expect(screen.getByTestId('metric-visitors').dataset.value).toBe('10');
    expect(screen.getByRole('alert').textContent).toContain('the store is not reachable');
    server.status = 200;
    await pass(4_000);
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it.each(['', '?period=7d'])(
    'recovers from an outage told question by question: %s',
    async (search) => {
      server.outage = 'the database does not answer';
      open(`/sites/a.example${search}`);
      await pass(7_000);
      expect(screen.getAllByRole('alert')).toHaveLength(6);
      expect(server.batches).toHaveLength(3); // one request a beat, no storm
      server.outage = '';
      await pass(4_000);
      expect(screen.queryByRole('alert')).toBeNull();
      expect(screen.getByTestId('metric-visitors').dataset.value).toBe('10');
    },
  );

  it('recovers from requests that are never answered', async () => {
    open('/sites/a.example');
    await pass(500);
    server.hangs = true;
    await pass(4_000);
    server.hangs = false;
    server.visitors = 12;
    await pass(40_000);
    expect(screen.getByTestId('metric-visitors').dataset.value).toBe('12');
  });

  it('does not blink between error and skeleton while the server stays away', async () => {
    server.status = 503;
    open('/sites/a.example');
    await pass(2_000);
    for (let i = 0; i < 40; i++) {
      await pass(200);
      expect(screen.getAllByRole('alert')).toHaveLength(6);
    }
  });
});
