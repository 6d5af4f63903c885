// The proof that the line works: a script tag on a page of another origin, a real browser, a real server, and the numbers on the dashboard.
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { build } from 'esbuild';
import {
  buildDir,
  clearOfMidnight,
  openBrowser,
  readDashboard,
  root,
  servePages,
  startDaysalt,
  within,
  zoneAtNoon,
} from './harness.mjs';
import { pastDays } from './past.mjs';

let daysalt;

before(async () => {
  await mkdir(buildDir, { recursive: true });
  daysalt = await startDaysalt();
});

after(async () => {
  assert.equal(await daysalt.stop(), 0, 'a clean stop ends with 0');
  await daysalt.clean();
});

const html = (title, tag, body) =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>${tag}</head><body><h1>${title}</h1>${body}</body></html>`;

/** Three pages that link to each other, and a page elsewhere that links to the first. */
async function serveShop(host, tag, extra = {}) {
  const links = '<a href="/pricing">pricing</a> <a href="/blog/salt">blog</a>';
  const shop = await servePages({
    '/': html('Home', tag, links),
    '/pricing': html('Pricing', tag, links),
    '/blog/salt': html('Blog', tag, links),
    ...extra,
  });
  const news = await servePages({
    '/article': html(
      'News',
      '',
      `<a href="http://${host}:${shop.port}/?utm_campaign=spring&secret=1">shop</a>`,
    ),
  });
  return {
    article: `http://news.test:${news.port}/article`,
    origin: `http://${host}:${shop.port}`,
    close: () => {
      shop.close();
      news.close();
    },
  };
}

/** Comes from the article, opens three pages by clicking. Resolves when every event was answered. */
async function visitThreePages(context, shop) {
  const page = await context.newPage();
  const answers = [];
  page.on(
    'response',
    (response) => response.url().endsWith('/api/event') && answers.push(response),
  );
  const kept = (n) =>
    within(
      5000,
      `${n} pageviews answered`,
      () => answers.filter((a) => a.request().postDataJSON().n === 'pageview').length >= n,
    );
  await page.goto(shop.article);
  await page.click('text=shop');
  await kept(1);
  await page.click('text=pricing');
  await kept(2);
  await page.click('text=blog');
  await kept(3);
  for (const answer of answers) {
    assert.equal(answer.status(), 202);
    assert.equal(answer.headers()['x-plausible-dropped'], undefined, 'no event was dropped');
  }
  await page.close();
}

/** Opens the site's dashboard and waits for the numbers; any other number in the end fails. */
async function expectOnDashboard(context, site, shot) {
  const page = await context.newPage();
  const problems = [];
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(String(error)));
  await page.goto(`${daysalt.base}/sites/${site}`);
  const seen = await within(5000, 'three pageviews on the dashboard', async () => {
    const numbers = await readDashboard(page);
    return numbers.pageviews === 3 && Object.keys(numbers.pages).length === 3 && numbers;
  });
  assert.deepEqual([seen.visitors, seen.visits, seen.pageviews], [1, 1, 3]);
  assert.deepEqual(Object.keys(seen.pages).sort(), ['/', '/blog/salt', '/pricing']);
  assert.deepEqual(seen.sources, { 'news.test': 1 });
  assert.deepEqual(seen.devices, { Chrome: 1 });
  if (shot) await page.screenshot({ path: join(buildDir, shot), fullPage: true });
  await page.click('[data-testid="panel-devices"] >> text=Systems');
  await within(5000, 'the system', async () => (await readDashboard(page)).devices.Linux === 1);
  assert.deepEqual(problems, [], 'no error and no policy violation in the console');
  await page.close();
}

test('our tag: three pages, one visitor, on the dashboard', async () => {
  const site = 'shop.test';
  await daysalt.site('add', site, '--timezone', zoneAtNoon());
  const tag = `<script defer src="http://stats.test:${daysalt.port}/js/d.js" data-domain="${site}"></script>`;
  const shop = await serveShop(site, tag);
  const { browser, context } = await openBrowser();
  try {
    await visitThreePages(context, shop);
    await expectOnDashboard(context, site, 'dashboard.png');
  } finally {
    await browser.close();
    shop.close();
  }
});

test("Plausible's npm package, unchanged, as the client", async () => {
  const site = 'other.test';
  await daysalt.site('add', site, '--timezone', zoneAtNoon());
  const entry = `import { init } from '@plausible-analytics/tracker'; window.__plausible = true;
    init({ domain: '${site}', endpoint: 'http://stats.test:${daysalt.port}/api/event' });`;
  const bundle = await build({
    stdin: { contents: entry, resolveDir: join(root, 'e2e') },
    bundle: true,
    write: false,
    format: 'iife',
  });
  const shop = await serveShop(site, '<script defer src="/app.js"></script>', {
    '/app.js': { type: 'text/javascript', body: bundle.outputFiles[0].text },
  });
  const { browser, context } = await openBrowser();
  try {
    await visitThreePages(context, shop);
    await expectOnDashboard(context, site);
  } finally {
    await browser.close();
    shop.close();
  }
});

test('an automated browser is counted as a bot, not as a visitor', async () => {
  const site = 'robots.test';
  await daysalt.site('add', site, '--timezone', zoneAtNoon());
  const bots = async () =>
    Number(
      /daysalt_ingest_dropped_total\{reason="bot"\} (\d+)/.exec(await daysalt.metrics())?.[1] ?? 0,
    );
  const before = await bots();
  const shop = await serveShop(
    site,
    `<script defer src="http://stats.test:${daysalt.port}/js/d.js" data-domain="${site}"></script>`,
  );
  const { browser, context } = await openBrowser({ automated: true });
  try {
    const page = await context.newPage();
    const [answer] = await Promise.all([
      page.waitForResponse(/\/api\/event$/),
      page.goto(`${shop.origin}/`),
    ]);
    assert.equal(answer.status(), 202);
    await within(2000, 'the bot counter', async () => (await bots()) > before);
    await page.goto(`${daysalt.base}/sites/${site}`);
    await new Promise((resolve) => setTimeout(resolve, 2500)); // an event that was kept would be in answers by now
    const numbers = await within(5000, 'numbers', async () => {
      const seen = await readDashboard(page);
      return Number.isInteger(seen.visitors) && seen;
    });
    assert.deepEqual([numbers.visitors, numbers.visits, numbers.pageviews], [0, 0, 0]);
  } finally {
    await browser.close();
    shop.close();
  }
});

test('the demo page: two links clicked, and an open dashboard follows within 5 seconds', async () => {
  await clearOfMidnight();
  const { browser, context } = await openBrowser();
  try {
    const dashboard = await context.newPage();
    await dashboard.goto(`${daysalt.base}/sites/demo.localhost`);
    await within(
      5000,
      'the empty dashboard',
      async () => (await readDashboard(dashboard)).pageviews === 0,
    );
    const demo = await context.newPage();
    await demo.goto(`${daysalt.base}/demo`);
    await Promise.all([demo.waitForResponse(/\/api\/event$/), demo.click('text=Products')]);
    await Promise.all([demo.waitForResponse(/\/api\/event$/), demo.click('text=Recipes')]);
    await dashboard.bringToFront();
    const numbers = await within(5000, 'three pageviews without a reload', async () => {
      const seen = await readDashboard(dashboard);
      return seen.pageviews === 3 && Object.keys(seen.pages).length === 3 && seen;
    });
    assert.deepEqual([numbers.visitors, numbers.visits], [1, 1]);
    assert.deepEqual(Object.keys(numbers.pages).sort(), [
      '/demo',
      '/demo/products',
      '/demo/recipes',
    ]);
    await dashboard.screenshot({ path: join(buildDir, 'demo.png') });
    // A source that is not there can be filtered on like any other: a second visitor, who has one, goes.
    const other = await browser.newContext({
      userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    });
    await (await other.newPage()).goto(`${daysalt.base}/demo?utm_source=flyer`);
    const pageviews = async () => (await readDashboard(dashboard)).pageviews;
    await within(5000, 'the fourth pageview', async () => (await pageviews()) === 4);
    await dashboard.click('[data-testid="row"][data-label="Direct / None"]');
    await within(5000, 'direct visits only', async () => (await pageviews()) === 3);
  } finally {
    await browser.close();
  }
});

test('a file of past events is on the dashboard, once, however often it is loaded', async () => {
  await clearOfMidnight();
  await daysalt.site('add', 'past.test');
  const { text, expected } = pastDays('past.test', 30);
  const file = join(buildDir, 'past.jsonl');
  await writeFile(file, text);
  const first = JSON.parse(await daysalt.import('events', file, '--json'));
  assert.equal(first.kept, expected.pageviews);
  await daysalt.import('events', file);
  const { browser, context } = await openBrowser();
  try {
    const page = await context.newPage();
    await page.goto(`${daysalt.base}/sites/past.test?period=30d`);
    const seen = await within(5000, 'a month of pageviews', async () => {
      const numbers = await readDashboard(page);
      return numbers.pageviews === expected.pageviews && numbers;
    });
    assert.equal(seen.visitors, expected.visitors);
    assert.equal(seen.visits, expected.visitors);
    await page.screenshot({ path: join(buildDir, 'dashboard-past.png'), fullPage: true });
  } finally {
    await browser.close();
  }
});

test('a second start takes under 5 seconds and knows the first one', async (t) => {
  const first = await startDaysalt();
  await first.site('add', 'kept.test');
  assert.equal(await first.stop(), 0);
  const second = await startDaysalt(first.data);
  t.diagnostic(`first start ${first.startedInMs} ms, second start ${second.startedInMs} ms`);
  assert.ok(second.startedInMs < 5000, `took ${second.startedInMs} ms`);
  const answer = await (await fetch(`${second.base}/api/v1/sites`)).json();
  assert.ok(answer.sites.some((site) => site.domain === 'kept.test'));
  assert.equal(await second.stop(), 0);
  await second.clean();
});

test('the dashboard is accessible, in light and dark, on a phone and on a screen', async () => {
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  for (const colorScheme of ['light', 'dark']) {
    for (const viewport of [
      { width: 360, height: 800 },
      { width: 1280, height: 1000 },
    ]) {
      const { browser, context } = await openBrowser({ colorScheme, viewport, bypassCSP: true });
      try {
        const page = await context.newPage();
        await page.goto(`${daysalt.base}/sites/shop.test`);
        await within(5000, 'numbers', async () => (await readDashboard(page)).pageviews === 3);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() =>
          globalThis.axe.run(document, {
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
          }),
        );
        assert.deepEqual(
          violations.map((v) => `${v.id}: ${v.nodes[0].html}`),
          [],
          `${colorScheme} at ${viewport.width} px`,
        );
        const sideways = await page.evaluate(
          () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
        );
        assert.equal(
          sideways,
          false,
          `no sideways scrolling, ${colorScheme} at ${viewport.width} px`,
        );
        await page.screenshot({
          path: join(buildDir, `dashboard-${colorScheme}-${viewport.width}.png`),
          fullPage: true,
        });
      } finally {
        await browser.close();
      }
    }
  }
});

test('a click on a row filters every number, and the address remembers it', async () => {
  const { browser, context } = await openBrowser();
  try {
    const page = await context.newPage();
    await page.goto(`${daysalt.base}/sites/shop.test`);
    await within(5000, 'numbers', async () => (await readDashboard(page)).pageviews === 3);
    await page.click('[data-testid="panel-pages"] [data-testid="row"][data-label="/pricing"]');
    await within(
      5000,
      'one pageview of /pricing',
      async () => (await readDashboard(page)).pageviews === 1,
    );
    assert.equal((await readDashboard(page)).visits, 1);
    await page.reload();
    await within(
      5000,
      'the same after a reload',
      async () => (await readDashboard(page)).pageviews === 1,
    );
    await page.goBack();
    await within(5000, 'all pages again', async () => (await readDashboard(page)).pageviews === 3);
  } finally {
    await browser.close();
  }
});
