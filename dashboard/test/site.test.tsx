import { cleanup, fireEvent, render, screen, waitFor, within } from '@testing-library/preact';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ClientContext, createClient } from '../src/api/adapter.ts';
import { App } from '../src/pages/App.tsx';
import { setLanguage } from '../src/state/prefs.ts';
import { stubServer } from './server.ts';

const HOSTILE = '<img src=x onerror="globalThis.hacked=1">';
const SITES = [
  { domain: 'a.example', timezone: 'UTC' },
  { domain: 'b.example', timezone: 'Europe/Berlin' },
];

let server: ReturnType<typeof stubServer>;

function open(url: string, sites = SITES) {
  history.replaceState(null, '', url);
  const attribution = { text: 'IP Geolocation by DB-IP', url: 'https://db-ip.com' };
  return render(
    <ClientContext.Provider value={createClient()}>
      <App bootstrap={{ version: '0.1.0', sites, attribution }} />
    </ClientContext.Provider>,
  );
}

const panel = (id: string) => screen.getByTestId(`panel-${id}`);
const row = (id: string, key: string) =>
  waitFor(() => {
    const found = within(panel(id))
      .getAllByTestId('row')
      .find((element) => element.dataset.key === key);
    if (!found) throw new Error(`no row ${key} in ${id}`);
    return found as HTMLAnchorElement;
  });

beforeEach(() => {
  setLanguage('en');
  server = stubServer({
    'event:page': [
      ['/', 8],
      [HOSTILE, 2],
    ],
    'visit:exit_page': [['/bye', 1]],
    'visit:source': [
      ['', 5],
      ['Google', 3],
    ],
    'visit:country': [
      ['DE', 6],
      ['', 1],
    ],
    'visit:browser': [['Firefox', 4]],
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

describe('the page of a site', () => {
  it('asks for the whole first screen in one request', async () => {
    open('/sites/a.example');
    await row('pages', '/');
    expect(server.batches).toHaveLength(1);
    expect(server.batches[0]?.map(({ dimensions }) => dimensions?.[0] ?? 'totals').sort()).toEqual([
      'event:page',
      'time:hour',
      'totals',
      'visit:browser',
      'visit:country',
      'visit:source',
    ]);
    expect(screen.getByTestId('metric-visitors').dataset.value).toBe('10');
    expect(screen.getByTestId('metric-bounce_rate').dataset.value).toBe('2.5');
    await waitFor(() => expect(screen.getByTestId('current-visitors').dataset.value).toBe('3'));
    expect(screen.getByText('IP Geolocation by DB-IP').getAttribute('href')).toBe(
      'https://db-ip.com',
    );
  });

  it('sets a filter by a click on a row, shows it, and takes it away again', async () => {
    open('/sites/a.example');
    fireEvent.click(await row('sources', ''));
    await waitFor(() => expect(location.search).toBe('?f=is,visit:source,'));
    const chip = await screen.findByTestId('filter');
    expect(chip.textContent).toContain('Source is Direct / None');
    await waitFor(() => expect(server.batches).toHaveLength(2));
    for (const question of server.batches[1] ?? []) {
      expect(question.filters).toEqual([['is', 'visit:source', ['']]]);
    }
    const active = await row('sources', '');
    await waitFor(() => expect(active.getAttribute('aria-current')).toBe('true'));
    fireEvent.click(within(chip).getByRole('link', { name: /^Remove filter/ }));
    await waitFor(() => expect(location.search).toBe(''));
    expect(screen.queryByTestId('filter')).toBeNull();
  });

  it('writes hostile text as text and carries it through the URL', async () => {
    open('/sites/a.example');
    const hostile = await row('pages', HOSTILE);
    expect(hostile.textContent).toContain(HOSTILE);
    expect(document.querySelector('img')).toBeNull();
    fireEvent.click(hostile);
    const chip = await screen.findByTestId('filter');
    expect(chip.textContent).toContain(HOSTILE);
    await waitFor(() =>
      expect(server.batches.at(-1)?.[0]?.filters).toEqual([['is', 'event:page', [HOSTILE]]]),
    );
    expect(document.querySelector('img')).toBeNull();
    expect('hacked' in globalThis).toBe(false);
  });

  it('names countries, the unknown one too, and gives shares of the whole', async () => {
    open('/sites/a.example');
    expect((await row('countries', 'DE')).dataset.label).toBe('Germany');
    const unknown = await row('countries', '');
    expect(unknown.dataset.label).toBe('Unknown');
    expect(unknown.title).toBe('Unknown: 1 (10%)');
  });

  it('shows one failed panel, keeps the others, and tries again on demand', async () => {
    server.refused['visit:country'] = `countries: not now ${HOSTILE}`;
    open('/sites/a.example');
    const alert = await within(panel('countries')).findByRole('alert');
    expect(alert.textContent).toContain(`countries: not now ${HOSTILE}`);
    expect(document.querySelector('img')).toBeNull();
    await row('pages', '/');
    server.refused = {};
    fireEvent.click(within(alert).getByRole('button'));
    await row('countries', 'DE');
    expect(server.batches).toHaveLength(2);
    expect(server.batches[1]).toHaveLength(1);
  });

  it('opens a tab by its own question and puts it into the URL', async () => {
    open('/sites/a.example?pages=entry');
    await waitFor(() =>
      expect(within(panel('pages')).getByText(/Nothing in this period/)).toBeTruthy(),
    );
    fireEvent.click(within(panel('pages')).getByRole('tab', { name: 'Exit' }));
    await row('pages', '/bye');
    expect(location.search).toBe('?pages=exit');
  });

  it('selects the metric of the chart by its number', async () => {
    open('/sites/a.example');
    await row('pages', '/');
    fireEvent.click(screen.getByTestId('metric-pageviews'));
    await waitFor(() => expect(screen.getByText('Pageviews per hour')).toBeTruthy());
    expect(location.search).toBe('?metric=pageviews');
    expect(server.batches.at(-1)?.map(({ metrics }) => metrics)).toEqual([['pageviews']]);
  });

  it('says that visitors of several days are a sum', async () => {
    open('/sites/a.example?period=7d');
    await row('pages', '/');
    expect(screen.getByTestId('metric-visitors').title).toContain('sum of its days');
  });

  it('speaks German, the root element says so', async () => {
    setLanguage('de');
    open('/sites/a.example');
    expect((await row('countries', 'DE')).dataset.label).toBe('Deutschland');
    expect(document.documentElement.lang).toBe('de');
  });
});

describe('other addresses', () => {
  it('lists the sites, or goes straight to the only one', async () => {
    open('/');
    expect(screen.getByRole('link', { name: /b\.example/ }).getAttribute('href')).toBe(
      '/sites/b.example',
    );
    cleanup();
    open('/sites', SITES.slice(0, 1));
    await waitFor(() => expect(location.pathname).toBe('/sites/a.example'));
  });

  it.each(['/sites/nope.example', '/sites/%E0', '/nowhere', '/sites/a.example/x'])(
    'survives %s',
    (path) => {
      open(path);
      expect(screen.getByRole('heading', { level: 1 }).textContent).toMatch(
        /does not know|no page/,
      );
      expect(server.batches).toEqual([]);
    },
  );
});
