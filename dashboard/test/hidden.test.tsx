// What the page says where numbers are not shown, or not known at all.
import { cleanup, fireEvent, render, screen, within } from '@testing-library/preact';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ClientContext, createClient } from '../src/api/adapter.ts';
import { startPulse } from '../src/api/pulse.ts';
import { App } from '../src/pages/App.tsx';
import { setLanguage } from '../src/state/prefs.ts';
import { stubServer } from './server.ts';

let server: ReturnType<typeof stubServer>;
let stop: () => void;

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const panel = (id: string) => screen.getByTestId(`panel-${id}`);
const metric = (id: string) => screen.getByTestId(`metric-${id}`) as HTMLButtonElement;
const asked = () => server.batches.flat();

async function open(url: string) {
  history.replaceState(null, '', url);
  const client = createClient();
  stop = startPulse(client);
  const sites = [{ domain: 'a.example', timezone: 'UTC' }];
  render(
    <ClientContext.Provider value={client}>
      <App bootstrap={{ version: '', sites, attribution: null }} />
    </ClientContext.Provider>,
  );
  await pass(500);
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.setSystemTime('2026-11-22T01:30:00Z');
  setLanguage('en');
  server = stubServer({
    'event:page': [['/', 2]],
    'visit:source': [['Google', 1]],
  });
});

afterEach(() => {
  stop();
  cleanup();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('a site without visitor numbers', () => {
  beforeEach(() => {
    server.anonymous = true;
    server.current = null;
  });

  it('is shown by pageviews, with a dash for what is not known and the reason', async () => {
    await open('/sites/a.example?period=7d');
    expect(screen.getByText('Pageviews per day')).toBeTruthy();
    expect(metric('pageviews').getAttribute('aria-pressed')).toBe('true');
    expect(metric('visitors').textContent).toBe('Unique visitors–');
    expect(metric('visitors').dataset.value).toBe('');
    expect(metric('bounce_rate').disabled).toBe(true);
    expect(screen.getByText(/^Without visitor numbers/)).toBeTruthy();
    expect(screen.queryByText(/sum of its days/)).toBeNull();
    const [row] = within(panel('pages')).getAllByTestId('row');
    expect(row?.title).toBe('/: 2 (80%)');
    expect(panel('pages').textContent).toContain('Pageviews');
    expect(panel('pages').textContent).not.toContain('Visitors');
  });

  it('asks by visitors once, and by pageviews from then on', async () => {
    await open('/sites/a.example?metric=bounce_rate');
    await pass(7_000);
    const lists = (batch: number) =>
      server.batches[batch]
        ?.filter(({ dimensions }) => dimensions)
        .map(({ metrics }) => metrics.join());
    expect(lists(0)).toHaveLength(5);
    for (const batch of [1, 2, 3]) expect(lists(batch)).toEqual(Array(5).fill('pageviews'));
    fireEvent.click(screen.getByRole('link', { name: '7 days' }));
    await pass(500);
    expect(lists(server.batches.length - 1)).toEqual(Array(5).fill('pageviews'));
  });

  it('draws nothing of the answers by visitors', async () => {
    // The questions by pageviews are never answered.
    Object.defineProperty(server, 'hangs', { get: () => server.batches.length > 0 });
    await open('/sites/a.example');
    expect(metric('pageviews').dataset.value).toBe('2.5');
    expect(screen.queryAllByTestId('row')).toEqual([]);
    expect(screen.queryByRole('img')).toBeNull();
    expect(screen.getAllByRole('status', { name: 'Loading' })).toHaveLength(5);
  });

  it('says that there are no entry and exit pages, and does not ask for them again', async () => {
    await open('/sites/a.example?pages=entry');
    expect(panel('pages').textContent).toContain('has no entry and exit pages');
    expect(within(panel('pages')).queryByRole('alert')).toBeNull();
    fireEvent.click(within(panel('pages')).getByRole('tab', { name: 'Exit' }));
    await pass(10_000);
    expect(panel('pages').textContent).toContain('has no entry and exit pages');
    const visits = asked().filter(({ dimensions }) => /entry|exit/.test(dimensions?.[0] ?? ''));
    expect(visits).toHaveLength(1);
  });

  it('asks nothing again that was asked wrongly, until somebody wants it', async () => {
    await open('/sites/a.example?f=is,visit:entry_page,/a');
    expect(screen.getAllByRole('alert')[0]?.textContent).toContain('not without visitor numbers');
    const { length } = server.batches;
    await pass(20_000);
    expect(server.batches).toHaveLength(length);
    fireEvent.click(screen.getAllByRole('button', { name: 'Try again' })[0] as Element);
    await pass(500);
    expect(server.batches).toHaveLength(length + 1);
  });

  it('tells a screen reader of pageviews', async () => {
    await open('/sites/a.example');
    fireEvent.click(within(panel('sources')).getByTestId('row'));
    await pass(500);
    expect(screen.getByText('1 filter. Pageviews: 3')).toBeTruthy();
  });
});

it('has no average of an hour without visits', async () => {
  await open('/sites/a.example?metric=bounce_rate');
  fireEvent.click(screen.getByRole('button', { name: 'Show as table' }));
  await pass(50);
  expect(screen.getAllByRole('cell').map(({ textContent }) => textContent)).toEqual(['4%', '–']);
});

describe('a site that does not show small groups', () => {
  beforeEach(() => {
    server.least = 10;
  });

  it('says so below rows, and in place of none', async () => {
    await open('/sites/a.example');
    const text = 'Rows with fewer than 10 visitors are not shown.';
    expect(within(panel('pages')).getByText(text)).toBeTruthy();
    expect(within(panel('countries')).getByText(text)).toBeTruthy();
    expect(screen.queryByText(/Nothing in this period/)).toBeNull();
    expect(screen.queryByText(/^Numbers of fewer/)).toBeNull();
  });

  it('speaks of events where there are no visitor numbers', async () => {
    server.anonymous = true;
    await open('/sites/a.example');
    expect(panel('pages').textContent).toContain('fewer than 10 events');
  });

  it('has a dash, a gap and the words for a number that is not shown', async () => {
    server.visitors = null;
    server.hours = [null, 12];
    await open('/sites/a.example');
    fireEvent.click(within(panel('sources')).getByTestId('row'));
    await pass(500);
    expect(metric('visitors').textContent).toBe('Unique visitors–');
    expect(screen.getByText('1 filter. Unique visitors: not shown')).toBeTruthy();
    expect(screen.getByText('Numbers of fewer than 10 visitors are not shown.')).toBeTruthy();
    expect(screen.getByRole('img').getAttribute('aria-label')).toMatch(
      /lowest 12 .* Some values are not shown\.$/,
    );
    fireEvent.keyDown(screen.getByRole('region', { name: /Arrow keys/ }), { key: 'Home' });
    await pass(50);
    expect(screen.getByText(/^12.*1:00.*: not shown$/)).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Show as table' }));
    await pass(50);
    expect(screen.getAllByRole('cell').map(({ textContent }) => textContent)).toEqual([
      'not shown',
      '12',
    ]);
  });

  it('never has an older number of current visitors', async () => {
    await open('/sites/a.example');
    const current = () => screen.getByTestId('current-visitors');
    expect(current().dataset.value).toBe('3');
    server.current = null;
    await pass(4_000);
    expect(current().dataset.value).toBeUndefined();
    expect(current().textContent).toContain('– current visitors');
    expect(current().title).toMatch(/^Not shown/);
    server.current = 12;
    await pass(4_000);
    expect(current().dataset.value).toBe('12');
    server.realtimeStatus = 503;
    await pass(8_000);
    expect(current().textContent).toContain('– current visitors');
  });
});
