// What the browser tests share: a real server on a fresh data directory, made-up sites on other origins, and a real browser.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const buildDir = join(root, 'build');
const binary = process.env.DAYSALT ?? join(root, 'bin', 'daysalt');

/** A free port; another process may take it in between, which then shows as a clear listen error. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** Starts daysalt on a fresh (or given) data directory. stop() ends it as an operator would. */
export async function startDaysalt(dir, settings = {}) {
  const data = dir ?? (await mkdtemp(join(tmpdir(), 'daysalt-e2e-')));
  const [port, admin] = [await freePort(), await freePort()];
  const child = spawn(
    binary,
    [
      'serve',
      '--data-dir',
      data,
      '--web-listen',
      `127.0.0.1:${port}`,
      '--admin-listen',
      `127.0.0.1:${admin}`,
      '--web-demo',
    ],
    // Keys in the process alone: none is left behind in the user's own directory.
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DAYSALT_SALT_STORAGE: 'memory', ...settings },
    },
  );
  let log = '';
  child.stderr.on('data', (text) => {
    log += text;
  });
  const started = Date.now();
  await new Promise((resolve, reject) => {
    child.stdout.on('data', (text) => String(text).includes('dashboard') && resolve());
    child.on('exit', (code) => reject(new Error(`daysalt ended with ${code}:\n${log}`)));
  });
  return {
    data,
    port,
    base: `http://127.0.0.1:${port}`,
    startedInMs: Date.now() - started,
    log: () => log,
    site: (...args) => promisify(execFile)(binary, ['site', ...args, '--data-dir', data]),
    /** Resolves to what the command prints. */
    import: async (...args) =>
      (await promisify(execFile)(binary, ['import', ...args, '--data-dir', data])).stdout,
    metrics: async () => (await fetch(`http://127.0.0.1:${admin}/metrics`)).text(),
    /** SIGTERM; resolves to the exit code. */
    stop: async () => {
      child.kill('SIGTERM');
      const [code] = await once(child, 'exit');
      return code;
    },
    clean: () => rm(data, { recursive: true, force: true }),
  };
}

/** Serves pages: a map of path to HTML, on every host name that leads here. */
export async function servePages(pages) {
  const server = createServer((request, response) => {
    const page = pages[new URL(request.url, 'http://x').pathname];
    response.writeHead(page ? 200 : 404, {
      'content-type': page?.type ?? 'text/html; charset=utf-8',
    });
    response.end(page?.body ?? page ?? '');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: server.address().port, close: () => server.close() };
}

const chrome = process.env.CHROMIUM ?? '/usr/bin/chromium';
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP *.test 127.0.0.1',
];

/** Opens a browser: as a person's, or as what it is (automated) for the test that bots are seen. */
export async function openBrowser({ automated = false, args = [], ...options } = {}) {
  const own = automated ? [] : ['--disable-blink-features=AutomationControlled'];
  const browser = await chromium.launch({
    executablePath: chrome,
    args: [...flags, ...own, ...args],
  });
  const agent = `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${browser.version().split('.')[0]}.0.0.0 Safari/537.36`;
  const context = await browser.newContext({
    ...(automated ? {} : { userAgent: agent }),
    viewport: { width: 1280, height: 1000 },
    locale: 'en-GB',
    ...options,
  });
  return { browser, context };
}

/**
 * Opens a browser as a person has it, with a profile on disk: only there can be said whether cookies of other sites are sent.
 * close() ends it and deletes the profile.
 */
export async function openProfile({ thirdPartyCookies, args = [], ...options }) {
  const profile = await mkdtemp(join(tmpdir(), 'daysalt-profile-'));
  await mkdir(join(profile, 'Default'));
  const blocked = thirdPartyCookies === 'blocked';
  await writeFile(
    join(profile, 'Default', 'Preferences'),
    JSON.stringify({
      profile: { block_third_party_cookies: blocked, cookie_controls_mode: blocked ? 1 : 0 },
    }),
  );
  const agent =
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: chrome,
    // The agent is a flag too: a page that is left sends with the browser's own, which says that it is headless, and is a bot.
    args: [
      ...flags,
      '--disable-blink-features=AutomationControlled',
      `--user-agent=${agent}`,
      ...args,
    ],
    userAgent: agent,
    viewport: { width: 1280, height: 1000 },
    locale: 'en-GB',
    ...options,
  });
  return {
    context,
    close: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** A time zone in which it is about noon now, so that no test's day ends while it runs. */
export function zoneAtNoon(now = new Date()) {
  const offset = 12 - now.getUTCHours(); // hours east of Greenwich
  return offset === 0 ? 'Etc/GMT' : `Etc/GMT${offset > 0 ? '-' : '+'}${Math.abs(offset)}`;
}

/** For a site in UTC: waits, if the day ends within the minute, until the next one has begun. */
export async function clearOfMidnight() {
  const left = 86_400_000 - (Date.now() % 86_400_000);
  if (left < 60_000) await new Promise((resolve) => setTimeout(resolve, left + 1000));
}

/** Waits until check returns something truthy; fails with what it saw last. */
export async function within(ms, what, check) {
  const end = Date.now() + ms;
  let last;
  while (Date.now() < end) {
    try {
      last = await check();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not within ${ms} ms: ${what} (last: ${last})`);
}

/** The dashboard's numbers and the rows of its panels, as a reader sees them. */
export async function readDashboard(page) {
  return page.evaluate(() => {
    const value = (name) => document.querySelector(`[data-testid="metric-${name}"]`)?.dataset.value;
    const rows = (panel) =>
      Object.fromEntries(
        [...document.querySelectorAll(`[data-testid="panel-${panel}"] [data-testid="row"]`)].map(
          (row) => [row.dataset.label, Number(row.dataset.value)],
        ),
      );
    return {
      visitors: Number(value('visitors')),
      visits: Number(value('visits')),
      pageviews: Number(value('pageviews')),
      pages: rows('pages'),
      sources: rows('sources'),
      countries: rows('countries'),
      devices: rows('devices'),
    };
  });
}
