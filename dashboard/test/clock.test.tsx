import { cleanup, fireEvent, render, screen } from '@testing-library/preact';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ClientContext, createClient } from '../src/api/adapter.ts';
import { App } from '../src/pages/App.tsx';
import { setLanguage } from '../src/state/prefs.ts';
import { stubServer } from './server.ts';

// No pulse here: nothing but the clock can move what is on the screen.
async function open(now: string, timezone: string) {
  vi.setSystemTime(now);
  history.replaceState(null, '', '/sites/a.example');
  render(
    <ClientContext.Provider value={createClient()}>
      <App
        bootstrap={{ version: '', sites: [{ domain: 'a.example', timezone }], attribution: null }}
      />
    </ClientContext.Provider>,
  );
  await pass(500);
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const heading = () => screen.getByRole('heading', { level: 1 }).textContent;

beforeEach(() => {
  vi.useFakeTimers();
  setLanguage('en');
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it.each([
  ['UTC', '2026-11-22T00:58:00Z'],
  ['Asia/Kolkata', '2026-11-21T19:28:00Z'],
])('begins the next hour of the chart in %s when no answer changes', async (zone, now) => {
  const server = stubServer({});
  await open(now, zone);
  fireEvent.click(screen.getByRole('button', { name: 'Show as table' }));
  await pass(50);
  const hours = () => screen.getAllByRole('rowheader');
  expect(hours()).toHaveLength(1);
  await pass(60_000);
  expect(hours()).toHaveLength(1);
  await pass(61_000);
  expect(hours()).toHaveLength(2);
  expect(hours()[1]?.textContent).toContain('so far');
  expect(server.batches).toHaveLength(1);
});

it('moves the heading to the next day at midnight while there is no answer', async () => {
  stubServer({}).status = 503;
  await open('2026-11-22T22:59:00Z', 'Europe/Berlin');
  expect(heading()).toContain('November 22');
  await pass(61_000);
  expect(heading()).toContain('November 23');
});
