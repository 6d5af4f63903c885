// The proof that an objection holds: over TLS, with sites that are no relatives of the server, where the browser blocks their cookies and where it
// does not; and that nobody but the visitor can make or undo one.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { build } from 'esbuild';
import {
  buildDir,
  openBrowser,
  openProfile,
  root,
  startDaysalt,
  within,
  zoneAtNoon,
} from './harness.mjs';
import { serveSites, tlsFlags } from './tls.mjs';

const measured = ['shop.test', 'other.test', 'news.test', 'first.test'];
const fragments = ['#daysalt-opt-out', '#daysalt-opt-in'];
const objected = { daysalt_ignore: 'true', plausible_ignore: 'true' };
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0';

let daysalt;
let sites;

before(async () => {
  await mkdir(buildDir, { recursive: true });
  daysalt = await startDaysalt(undefined, { DAYSALT_WEB_TRUSTED_PROXIES: '127.0.0.1/32' });
  for (const site of measured) await daysalt.site('add', site, '--timezone', zoneAtNoon());
  sites = await serveSites({
    daysalt,
    hosts: [...measured, 'stats.test', 'evil.test'],
    proxied: (host) => host === 'first.test',
  });
  await makePages();
});

after(async () => {
  sites.close();
  assert.equal(await daysalt.stop(), 0, 'a clean stop ends with 0');
  await daysalt.clean();
});

const html = (head, body = '') =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title>${head}</head><body><h1>Page</h1>${body}</body></html>`;

/** The opt-out page of a server, for a site's page about privacy. */
const optOutOf = (site, server = sites.origin('stats.test')) =>
  `${server}/opt-out?${new URLSearchParams({ site, back: `${sites.origin(site)}/privacy?id=3` })}`;

async function makePages() {
  const stats = sites.origin('stats.test');
  for (const [site, server] of [
    ['shop.test', stats],
    ['other.test', stats],
    ['first.test', sites.origin('first.test')],
  ]) {
    const tag = `<script defer src="${server}/js/d.js" data-domain="${site}"></script>`;
    sites.pages[site] = {
      '/': html(tag),
      '/pricing': html(tag),
      '/privacy': html(
        tag,
        `<a href="${optOutOf(site, server).replaceAll('&', '&amp;')}">Opt out</a>`,
      ),
      '/quiet': html(''),
    };
  }
  const embed = `<script defer src="${stats}/js/opt-out.js" data-domain="news.test"></script>`;
  const client = '<script defer src="/app.js"></script>';
  sites.pages['news.test'] = {
    '/': html(client),
    '/privacy': html(embed + client, '<div data-daysalt-optout>Opt out</div>'),
    '/quiet': html(''),
    '/style.css': { type: 'text/css', body: style },
    '/en': policyPage('en', embed),
    '/de': policyPage('de', embed),
    '/app.js': { type: 'text/javascript', body: await plausibleClient('news.test') },
  };
  sites.pages['evil.test'] = evilPages();
}

const style = `:root { color-scheme: light dark; font: 1.1rem/1.5 Georgia, serif; }
html { background: light-dark(#fff, #151515); }
a { color: light-dark(#0038b8, #9ec1ff); }
body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; }
button { font: inherit; }`;

/** A page about privacy with a policy that allows no more than the embed needs. */
function policyPage(lang, embed) {
  const allowed = `script-src ${sites.origin('stats.test')}; style-src 'self'`;
  const title = lang === 'de' ? 'Datenschutz' : 'Privacy';
  return {
    headers: {
      'content-security-policy': `default-src 'none'; ${allowed}; require-trusted-types-for 'script'`,
    },
    body: `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><title>${title}</title>
      <meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/style.css">${embed}</head>
      <body><main><h1>${title}</h1><div data-daysalt-optout>Opt out</div></main></body></html>`,
  };
}

/** Plausible's npm package as its customers bundle it. */
async function plausibleClient(domain) {
  const contents = `import { init } from '@plausible-analytics/tracker'; window.__plausible = true;
    init({ domain: '${domain}', endpoint: '${sites.origin('stats.test')}/api/event' });`;
  const stdin = { contents, resolveDir: join(root, 'e2e') };
  const bundle = await build({ stdin, bundle: true, write: false, format: 'iife' });
  return bundle.outputFiles[0].text;
}

/** What somebody tries who wants others to be counted, or not to be. */
function evilPages() {
  const shop = sites.origin('shop.test');
  const server = sites.origin('stats.test');
  const pages = { '/': html(''), '/window': html('', '<button onclick="open_()">open</button>') };
  pages['/window'] +=
    `<script>function open_() { victim = open(${JSON.stringify(optOutOf('shop.test'))}); }</script>`;
  for (const fragment of fragments) {
    const choice = fragment.slice('#daysalt-opt-'.length);
    const target = `${shop}/${fragment}`;
    pages[`/link-${choice}`] = html('', `<a href="${target}">go</a>`);
    // The address of this page looks like the server's, and is told in full.
    pages[`/${server}/${choice}`] = html(
      '',
      `<a referrerpolicy="unsafe-url" href="${target}">go</a>`,
    );
    pages[`/redirect-${choice}`] = html(`<meta http-equiv="refresh" content="0;url=${target}">`);
    pages[`/frame-${choice}`] = html('', `<iframe src="${target}"></iframe>`);
    pages[`/page-${choice}`] = html('', `<iframe src="${server}/opt-out?site=shop.test"></iframe>`);
    const fields = { site: 'shop.test', back: `${shop}/`, choice };
    const inputs = Object.entries(fields).map(([k, v]) => `<input name="${k}" value="${v}">`);
    pages[`/form-${choice}`] = html(
      '',
      `<form method="post" action="${server}/opt-out">${inputs.join('')}</form><script>document.forms[0].submit()</script>`,
    );
    pages[`/fetch-${choice}`] = html(
      '',
      `<script>fetch('${server}/opt-out', { method: 'POST', mode: 'no-cors', credentials: 'include',
        body: new URLSearchParams(${JSON.stringify(fields)}) }).finally(() => { document.title = 'sent'; })</script>`,
    );
  }
  return pages;
}

let barriers = 0;

/**
 * The pageviews of a site by path, out of ClickHouse, once everything is stored that was accepted before: the journal keeps the order, so that is
 * when an event has arrived that somebody else sends now.
 */
async function rows(site) {
  const barrier = `/barrier-${++barriers}`;
  const event = { n: 'pageview', u: `https://${site}${barrier}`, d: site };
  const sent = await fetch(`${daysalt.base}/api/event`, {
    method: 'POST',
    headers: { 'user-agent': firefox },
    body: JSON.stringify(event),
  });
  assert.equal(sent.headers.get('x-plausible-dropped'), null);
  const stored = await within(10_000, `${barrier} is stored`, async () => {
    const seen = await pagesOf(site);
    return barrier in seen && seen;
  });
  const entries = Object.entries(stored).filter(([path]) => !path.startsWith('/barrier-'));
  return Object.fromEntries(entries);
}

async function pagesOf(site) {
  const question = {
    site_id: site,
    metrics: ['pageviews'],
    date_range: 'day',
    dimensions: ['event:page'],
  };
  const answer = await fetch(`${daysalt.base}/api/v2/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(question),
  });
  const { results, error } = await answer.json();
  assert.equal(error, undefined);
  return Object.fromEntries(results.map(({ dimensions, metrics }) => [dimensions[0], metrics[0]]));
}

/** What was asked of daysalt since the last look, of one path. */
function asked(path) {
  return sites.log.splice(0).filter((entry) => entry.path === path);
}

/** A person: a browser, and what they do with it. */
async function open(thirdPartyCookies, options = {}) {
  const { context, close } = await openProfile({ thirdPartyCookies, args: tlsFlags, ...options });
  const page = context.pages()[0] ?? (await context.newPage());
  sites.log.length = 0;
  return {
    context,
    page,
    close,
    /** Opens an address and leaves it again; resolves to the events that reached daysalt. */
    async visit(url) {
      sites.log.length = 0;
      await page.goto(url, { waitUntil: 'networkidle' });
      await page.goto('about:blank');
      await new Promise((resolve) => setTimeout(resolve, 300)); // what is sent on leaving needs a moment
      return asked('/api/event');
    },
    /** Goes to the server's page through the link on the site's own, chooses, and comes back. Resolves to the server's answer. */
    async choose(site, button) {
      await page.goto(`${sites.origin(site)}/privacy?id=3`, { waitUntil: 'networkidle' });
      await page.getByRole('link', { name: /^opt out/i }).click();
      await page.getByRole('button', { name: button }).click();
      await page.waitForURL((url) => url.hostname === site);
      await page.waitForLoadState('networkidle');
      assert.equal(page.url(), `${sites.origin(site)}/privacy?id=3`, 'no fragment is left');
      return sites.log.find(({ method, path }) => method === 'POST' && path === '/opt-out');
    },
    /** What a site's storage holds. */
    async storage(site) {
      const other = await context.newPage();
      await other.goto(`${sites.origin(site)}/quiet`);
      const items = await other.evaluate(() => ({ ...localStorage }));
      await other.close();
      return items;
    },
    cookies: async () => (await context.cookies()).map(({ name, value }) => `${name}=${value}`),
  };
}

const optOut = 'Do not count my visits';
const optIn = 'Count my visits again';
const pageviews = (events) => events.filter(({ body }) => JSON.parse(body).n === 'pageview').length;

/** Every number that ingesting and keeping events counts. */
const counters = async () =>
  (await daysalt.metrics())
    .split('\n')
    .filter((line) => /^daysalt_(ingest|journal|abuse|salt)_/.test(line));

test('cookies of other sites blocked: a visitor opts out, and in again, on one site', async () => {
  const person = await open('blocked');
  try {
    assert.equal(pageviews(await person.visit(`${sites.origin('shop.test')}/`)), 1);
    assert.deepEqual(await rows('shop.test'), { '/': 1 });

    const { setCookie } = await person.choose('shop.test', optOut);
    assert.match(setCookie, /^daysalt_optout=1;.*SameSite=None; Secure/);
    assert.deepEqual(await person.storage('shop.test'), objected);
    assert.deepEqual(await person.visit(`${sites.origin('shop.test')}/pricing`), []);
    const before = { '/': 1, '/privacy': 1 }; // where the link was; not once more on coming back
    assert.deepEqual(await rows('shop.test'), before);

    // The server's cookie is there, and the browser keeps it from other sites: that is what blocking means.
    assert.deepEqual(await person.cookies(), ['daysalt_optout=1']);
    assert.deepEqual(await person.storage('other.test'), {});
    const events = await person.visit(`${sites.origin('other.test')}/`);
    assert.equal(pageviews(events), 1);
    assert.deepEqual(new Set(events.map(({ cookie }) => cookie)), new Set([undefined]));
    assert.deepEqual(await rows('other.test'), { '/': 1 });

    await person.choose('shop.test', optIn);
    assert.deepEqual(await person.storage('shop.test'), {});
    assert.deepEqual(await person.cookies(), []);
    assert.equal(pageviews(await person.visit(`${sites.origin('shop.test')}/pricing`)), 1);
    assert.deepEqual(await rows('shop.test'), { '/': 1, '/privacy': 2, '/pricing': 1 });
  } finally {
    await person.close();
  }
});

test('cookies of other sites allowed: opting out on one site covers all, without a counter', async () => {
  const person = await open('allowed');
  try {
    const { '/': before = 0 } = await rows('other.test');
    await person.choose('shop.test', optOut);
    assert.deepEqual(await person.storage('other.test'), {}, 'the second site knows nothing');
    const counted = await counters();
    assert.ok(counted.some((line) => line.startsWith('daysalt_ingest_kept_total')));
    const events = await person.visit(`${sites.origin('other.test')}/`);
    assert.equal(pageviews(events), 1, 'so its tracker sends');
    for (const { cookie, status, dropped } of events) {
      assert.deepEqual([cookie, status, dropped], ['daysalt_optout=1', 202, undefined]);
    }
    assert.deepEqual(await counters(), counted, 'and nothing is counted, not even that');
    assert.equal((await rows('other.test'))['/'] ?? 0, before);

    await person.choose('shop.test', optIn);
    assert.equal(pageviews(await person.visit(`${sites.origin('other.test')}/`)), 1);
    assert.equal((await rows('other.test'))['/'], before + 1);
  } finally {
    await person.close();
  }
});

test("a site's own proxy of the server: the cookie is the site's own, and is enough", async () => {
  const person = await open('blocked');
  try {
    await person.choose('first.test', optOut);
    assert.deepEqual(await person.storage('first.test'), objected);
    await person.page.evaluate(() => localStorage.clear()); // as Safari does after seven days
    const events = await person.visit(`${sites.origin('first.test')}/`);
    assert.equal(pageviews(events), 1);
    assert.ok(events.every(({ cookie }) => cookie === 'daysalt_optout=1'));
    assert.deepEqual(await rows('first.test'), { '/privacy': 1 });
  } finally {
    await person.close();
  }
});

/** Everything that evil.test can do to make or undo a choice. Resolves when it is done. */
async function attack(person, choice) {
  const { page, context } = person;
  const evil = sites.origin('evil.test');
  const fragment = `#daysalt-opt-${choice}`;
  for (const path of [`/link-${choice}`, `/${sites.origin('stats.test')}/${choice}`]) {
    await page.goto(evil + path);
    await page.click('text=go');
    await page.waitForURL((url) => url.hostname === 'shop.test' && url.hash === fragment);
    await page.waitForLoadState('networkidle');
    await page.reload({ waitUntil: 'networkidle' });
    assert.equal(new URL(page.url()).hash, fragment, 'it is left alone');
  }
  await page.goto(`${evil}/redirect-${choice}`);
  await page.waitForURL((url) => url.hostname === 'shop.test');
  // What a frame stores is its own there, so its address has to tell: whoever obeys the fragment removes it.
  await page.goto(`${evil}/frame-${choice}`, { waitUntil: 'networkidle' });
  assert.equal(new URL(page.frames().at(-1).url()).hash, fragment, 'it is left alone in a frame');
  // The page with the button cannot be laid under somebody's pointer unseen.
  await page.goto(`${evil}/page-${choice}`, { waitUntil: 'networkidle' });
  assert.match(page.frames().at(-1).url(), /^chrome-error:/, 'evil.test cannot frame the page');

  sites.log.length = 0;
  await page.goto(`${evil}/form-${choice}`, { waitUntil: 'networkidle' });
  await within(5000, 'an answer to the form', () =>
    sites.log.some(({ method }) => method === 'POST'),
  );
  await page.goto(`${evil}/fetch-${choice}`);
  await page.waitForFunction(() => document.title === 'sent');
  const forms = asked('/opt-out').filter(({ method }) => method === 'POST');
  assert.equal(forms.length, 2);
  for (const { status, setCookie } of forms) {
    assert.deepEqual([status, setCookie], [403, undefined], 'a form of another site is refused');
  }
  await attackByOpener(page, context, fragment);
}

/**
 * A page that was opened by evil.test and came from the server by the visitor's own click has the right referrer, and would keep it if evil.test added the
 * fragment. But evil.test lost hold of it when the server's page was shown.
 */
async function attackByOpener(page, context, fragment) {
  await page.goto(`${sites.origin('evil.test')}/window`);
  const [popup] = await Promise.all([context.waitForEvent('page'), page.click('text=open')]);
  await popup.getByRole('link', { name: 'Back to shop.test' }).click();
  await popup.waitForURL((url) => url.hostname === 'shop.test');
  await popup.waitForLoadState('networkidle');
  assert.equal(await popup.evaluate(() => document.referrer), `${sites.origin('stats.test')}/`);
  const before = popup.url();
  assert.ok(await page.evaluate(() => globalThis.victim.closed), 'the opener sees a closed window');
  await page.evaluate((to) => {
    globalThis.victim.location = to;
  }, before + fragment);
  await popup.waitForTimeout(500);
  assert.equal(popup.url(), before);
  await popup.close();
}

for (const thirdPartyCookies of ['blocked', 'allowed']) {
  test(`forged by another site, cookies ${thirdPartyCookies}: nothing changes, in either direction`, async () => {
    const person = await open(thirdPartyCookies);
    try {
      await attack(person, 'out');
      assert.deepEqual(await person.storage('shop.test'), {});
      assert.deepEqual(await person.cookies(), []);
      const { '/pricing': before = 0 } = await rows('shop.test');
      assert.equal(pageviews(await person.visit(`${sites.origin('shop.test')}/pricing`)), 1);
      assert.equal((await rows('shop.test'))['/pricing'], before + 1);

      await person.choose('shop.test', optOut);
      await attack(person, 'in');
      assert.deepEqual(await person.storage('shop.test'), objected);
      assert.deepEqual(await person.cookies(), ['daysalt_optout=1']);
      assert.deepEqual(await person.visit(`${sites.origin('shop.test')}/pricing`), []);
      assert.equal((await rows('shop.test'))['/pricing'], before + 1);
    } finally {
      await person.close();
    }
  });
}

test("Plausible's npm package, unchanged, and the embed", async () => {
  const person = await open('blocked');
  const status = person.page.getByRole('status');
  try {
    assert.equal(pageviews(await person.visit(`${sites.origin('news.test')}/`)), 1);
    await person.choose('news.test', optOut);
    assert.equal(await status.textContent(), 'You have opted out here.');
    assert.deepEqual(await person.storage('news.test'), objected);
    assert.deepEqual(await person.visit(`${sites.origin('news.test')}/`), []);
    // On the way out the page with the link was counted; on the way back it was not.
    assert.deepEqual(await rows('news.test'), { '/': 1, '/privacy': 1 });

    await person.choose('news.test', optIn);
    assert.equal(await status.textContent(), 'You have not opted out here.');
    assert.equal(pageviews(await person.visit(`${sites.origin('news.test')}/`)), 1);

    // The same in place, without the server.
    await person.page.goto(`${sites.origin('news.test')}/privacy`);
    await person.page.getByRole('button', { name: optOut }).click();
    assert.equal(await status.textContent(), 'You have opted out here.');
    // Plausible's client asks for the flag when a page is seen, so it still says how long this one was read.
    const [last, ...more] = await person.visit(`${sites.origin('news.test')}/`);
    const { n, u } = JSON.parse(last.body);
    assert.deepEqual([n, new URL(u).pathname, more], ['engagement', '/privacy', []]);
    assert.deepEqual(await person.visit(`${sites.origin('news.test')}/`), []);
    await person.page.goto(`${sites.origin('news.test')}/privacy`);
    await person.page.getByRole('button', { name: optIn }).click();
    assert.deepEqual(await person.storage('news.test'), {});
    const { '/': before } = await rows('news.test');
    assert.equal(pageviews(await person.visit(`${sites.origin('news.test')}/`)), 1);
    assert.equal((await rows('news.test'))['/'], before + 1);
  } finally {
    await person.close();
  }
});

/** What is on the screen, in each of its states: the page, and the embed in a site's page. */
const views = [
  {
    name: 'page',
    open: (page) => page.goto(optOutOf('shop.test')),
    press: async (page, name) => {
      await page.getByRole('button', { name }).click();
      await page.waitForURL((url) => url.hostname === 'shop.test');
      await page.goto(optOutOf('shop.test'));
    },
  },
  {
    name: 'embed',
    open: (page, lang) => page.goto(`${sites.origin('news.test')}/${lang}`),
    press: (page, name) => page.getByRole('button', { name }).click(),
  },
];

const buttons = {
  en: [optOut, optIn],
  de: ['Meine Besuche nicht zählen', 'Meine Besuche wieder zählen'],
};

/** Fails if a page breaks a rule of accessibility that a program can see, or is wider than the screen. */
async function expectAccessible(page, axe, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }),
  );
  const found = violations.map((v) => `${v.id}: ${v.nodes[0].html}`);
  assert.deepEqual(found, [], what);
  const { scrollWidth, clientWidth } = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return { scrollWidth, clientWidth };
  });
  assert.ok(scrollWidth <= clientWidth, `no sideways scrolling, ${what}`);
}

test('the page and the embed are accessible, in each language, light and dark, on a phone and on a screen', async () => {
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  const { browser } = await openBrowser({ args: tlsFlags });
  try {
    for (const colorScheme of ['light', 'dark'])
      for (const width of [360, 1280])
        for (const lang of ['en', 'de'])
          for (const view of views) {
            const what = `${view.name}-${lang}-${colorScheme}-${width}`;
            const viewport = { width, height: 900 };
            const locale = lang === 'de' ? 'de-DE' : 'en-GB';
            const context = await browser.newContext({ colorScheme, viewport, locale });
            const page = await context.newPage();
            const problems = [];
            page.on('console', (message) => {
              // A refused or broken thing; no favicon is one that these sites do not have.
              if (message.type() === 'error' && !message.location().url.endsWith('/favicon.ico'))
                problems.push(message.text());
            });
            page.on('pageerror', (error) => problems.push(String(error)));
            const [out, back] = buttons[lang];
            await view.open(page, lang);
            assert.equal(await page.locator('html').getAttribute('lang'), lang, what);
            await page.getByRole('button', { name: out }).waitFor();
            await expectAccessible(page, axe, `${what}, counted`);
            await page.screenshot({ path: join(buildDir, `opt-out-${what}.png`), fullPage: true });
            const place = async () => (await page.getByRole('link').boundingBox()).y;
            const before = await place();
            await view.press(page, out);
            await page.getByRole('button', { name: back }).waitFor();
            await expectAccessible(page, axe, `${what}, opted out`);
            if (view.name === 'embed')
              assert.equal(await place(), before, `nothing moves, ${what}`);
            await page.screenshot({
              path: join(buildDir, `opt-out-${what}-done.png`),
              fullPage: true,
            });
            assert.deepEqual(problems, [], what);
            await context.close();
          }
  } finally {
    await browser.close();
  }
});

test('a way back to another site is refused, in words', async () => {
  const { browser, context } = await openBrowser({ args: tlsFlags });
  try {
    const page = await context.newPage();
    const asked = { site: 'shop.test', back: `${sites.origin('evil.test')}/` };
    const answer = await page.goto(
      `${sites.origin('stats.test')}/opt-out?${new URLSearchParams(asked)}`,
    );
    assert.equal(answer.status(), 400);
    assert.match(await page.getByRole('alert').textContent(), /shop\.test/);
    assert.equal(await page.locator('a[href*="evil.test"], input[value*="evil.test"]').count(), 0);
    sites.log.length = 0;
    await page.getByRole('button', { name: optOut }).click({ noWaitAfter: true });
    const [{ location }] = await within(5000, 'an answer to the form', () => {
      const forms = sites.log.filter(({ method }) => method === 'POST');
      return forms.length > 0 && forms;
    });
    assert.equal(location, 'https://shop.test/#daysalt-opt-out', 'the root of the site instead');
  } finally {
    await browser.close();
  }
});
