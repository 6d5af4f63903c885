import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { bundle } from '../bundle.mjs';
import wire from '../testdata/wire.json' with { type: 'json' };
import { type Options, plainTag, Tab } from './browser.js';

const hashTag = plainTag.replace('data-domain', 'data-hash data-domain');
const localTag = plainTag.replace('data-domain', 'data-local data-domain');

/** One way to make each body in testdata/wire.json; the body is the last one sent. */
const scenarios: Record<string, { options?: Options; act?: (tab: Tab) => void }> = {
  pageview: {},
  'pageview from another site, in a campaign': {
    options: {
      url: 'https://user:secret@www.example.com/pricing?utm_source=news&utm_campaign=caf%C3%A9&q=a%20b',
      referrer: 'https://search.example/find?q=salt',
    },
  },
  'pageview, fragment kept out': { options: { url: 'https://example.com/guide#token=secret' } },
  'pageview in hash mode': {
    options: { url: 'https://example.com/app#/settings?tab=2', tag: hashTag },
  },
  'pageview by an automated browser': { options: { webdriver: true } },
  'pageview, domain of the page': {
    options: {
      url: 'https://shop.example.com:8443/',
      tag: '<script defer src="https://stats.example/js/d.js"></script>',
    },
  },
  'pageview on the own machine': {
    options: {
      url: 'http://localhost:8000/demo',
      tag: '<script defer src="/js/d.js" data-domain="demo.localhost" data-local></script>',
    },
  },
  engagement: {
    act(tab) {
      tab.wait(4200.4);
      tab.scroll(500);
      tab.hide();
    },
  },
  'engagement in hash mode by an automated browser': {
    options: { url: 'https://example.com/app#/a', tag: hashTag, webdriver: true },
    act: (tab) => tab.leave(),
  },
};

test('every golden body has a scenario', () => {
  expect(wire.map(({ name }) => name)).toEqual(Object.keys(scenarios));
});

// What is shipped is tested as hard as what is written.
describe.each([
  ['src', await bundle('d')],
  ['dist/d.js', readFileSync(new URL('../dist/d.js', import.meta.url), 'utf8')],
])('%s', (_name, script) => {
  const tabs: Tab[] = [];
  function load(options?: Options): Tab {
    const tab = new Tab(options);
    tabs.push(tab);
    return tab.run(script);
  }

  afterEach(() => {
    expect(tabs.flatMap((tab) => tab.noise)).toEqual([]);
    tabs.length = 0;
  });

  describe('wire format', () => {
    test.each(wire)('$name', ({ name, body }) => {
      const { options, act } = scenarios[name] ?? {};
      const tab = load(options);
      act?.(tab);
      expect(tab.lastBody).toBe(JSON.stringify(body));
    });

    test('is posted as text, outliving the page, with the cookie that may hold an objection', () => {
      const { requests } = load();
      expect(requests).toHaveLength(1);
      expect(requests[0]?.url).toBe('https://stats.example/api/event');
      const init = requests[0]?.init;
      expect({ ...init, body: typeof init?.body }).toEqual({
        method: 'POST',
        keepalive: true,
        mode: 'no-cors',
        credentials: 'include',
        body: 'string',
      });
      const type = new Request('https://stats.example/', { ...init }).headers.get('content-type');
      expect(type).toBe('text/plain;charset=UTF-8');
    });

    test.each([
      ['where data-api says', 'data-api="/collect" data-domain', '/collect'],
      ['to the script’s host', 'data-domain', 'https://stats.example/api/event'],
    ])('goes %s', (_name, attributes, api) => {
      const tab = load({ tag: plainTag.replace('data-domain', attributes) });
      expect(tab.requests[0]?.url).toBe(api);
    });

    test('goes to an address without user name and password', () => {
      const tab = load({
        url: 'https://user:secret@example.com/',
        tag: '<script src="/js/d.js"></script>',
      });
      expect(tab.requests[0]?.url).toBe('https://example.com/api/event');
    });
  });

  describe('pages without a load', () => {
    test('pushState, back and forward count', () => {
      const tab = load({ referrer: 'https://search.example/' });
      tab.push('/a');
      tab.push('/a?page=2');
      tab.traverse('/a');
      tab.traverse('/a?page=2');
      expect(tab.pages).toEqual([
        'pageview /',
        'pageview /a',
        'pageview /a?page=2',
        'pageview /a',
        'pageview /a?page=2',
      ]);
      const last = JSON.parse(tab.lastBody ?? '');
      expect(last.r).toBe('https://search.example/');
    });

    test('the same path and query in a row count once', () => {
      const tab = load({ url: 'https://example.com/a?b=1' });
      tab.push('/a?b=1');
      tab.push('/a?b=1#c');
      tab.traverse('#d');
      tab.jump('#e');
      expect(tab.pages).toEqual(['pageview /a?b=1']);
      tab.push('/a');
      tab.push('/a?b=1');
      expect(tab.pages).toHaveLength(3);
    });

    test('replaceState does not count, now or when the tab is shown again', () => {
      const tab = load();
      tab.history.replaceState(null, '', '/replaced');
      tab.hide();
      tab.show();
      expect(tab.pages).toEqual(['pageview /']);
    });

    test('pushState does for the page what it did before', () => {
      const tab = new Tab();
      const calls: unknown[] = [];
      tab.history.pushState = function (...args: unknown[]) {
        calls.push(this, ...args);
      };
      tab.run(script);
      tab.history.pushState({ id: 1 }, 'title', '/a');
      expect(calls).toEqual([tab.history, { id: 1 }, 'title', '/a']);
    });

    test('what pushState throws reaches the page, and nothing is counted', () => {
      const tab = load();
      expect(() => tab.push('https://other.example/')).toThrow('another origin');
      expect(tab.events).toEqual(['pageview /']);
    });
  });

  describe('hash mode', () => {
    test('fragments are pages, counted once each', () => {
      const tab = load({ url: 'https://example.com/app', tag: hashTag });
      tab.jump('#/a');
      tab.push('#/b');
      tab.jump('#/b');
      expect(tab.pages).toEqual(['pageview /app', 'pageview /app#/a', 'pageview /app#/b']);
    });

    test('a hashchange without popstate counts', () => {
      const tab = load({ tag: hashTag });
      tab.location = new URL('#/a', tab.location);
      tab.window.dispatchEvent(new Event('hashchange'));
      expect(tab.pages).toEqual(['pageview /', 'pageview /#/a']);
    });

    test('without it a hashchange is not listened to', () => {
      const tab = load();
      tab.location = new URL('/moved#a', tab.location);
      tab.window.dispatchEvent(new Event('hashchange'));
      expect(tab.pages).toEqual(['pageview /']);
    });
  });

  describe('whom it leaves alone', () => {
    test.each([
      ['http://localhost/'],
      ['http://localhost:8000/'],
      ['http://demo.localhost/'],
      ['http://127.0.0.1:3000/'],
      ['http://127.8.9.10/'],
      ['http://[::1]:3000/'],
      ['file:///home/a/index.html'],
      ['file://server/share/index.html'],
      ['about:blank'],
    ])('%s, but for data-local', (url) => {
      const tab = load({ url });
      tab.scroll(500);
      tab.leave();
      expect(tab.requests).toEqual([]);
      expect(load({ url, tag: localTag }).requests).toHaveLength(1);
    });

    test.each([
      ['https://localhost.example.com/'],
      ['https://notlocalhost/'],
      ['https://127.example.com/'],
      ['http://10.127.0.1/'],
      ['http://[::2]/'],
      ['https://file.example/file:'],
    ])('not %s', (url) => {
      expect(load({ url }).requests).toHaveLength(1);
    });

    test.each(['plausible_ignore', 'daysalt_ignore'])('localStorage.%s', (flag) => {
      const tab = load({ storage: { [flag]: 'true' } });
      tab.push('/a');
      tab.leave();
      expect(tab.requests).toEqual([]);
      expect(load({ storage: { [flag]: 'false' } }).requests).toHaveLength(1);
    });

    test('a flag that is set while the page is open', () => {
      const tab = load();
      tab.storage.daysalt_ignore = 'true';
      tab.push('/a');
      tab.leave();
      expect(tab.events).toEqual(['pageview /']);
    });

    test('storage that throws is no flag', () => {
      expect(load({ storageThrows: 'always' }).events).toEqual(['pageview /']);
    });
  });

  describe('when a page is seen', () => {
    test('a hidden or prerendered page waits, and is counted at its address of then', () => {
      const tab = load({ hidden: true });
      tab.wait(60_000);
      tab.push('/a');
      expect(tab.requests).toEqual([]);
      tab.show();
      tab.hide();
      tab.show();
      expect(tab.events).toEqual(['pageview /a', 'engagement /a 40% 0ms']);
    });

    test('a page that is never seen is never counted', () => {
      const tab = load({ hidden: true });
      tab.wait(60_000);
      tab.leave();
      expect(tab.requests).toEqual([]);
    });

    test('navigation in a background tab waits', () => {
      const tab = load();
      tab.hide();
      tab.push('/a');
      tab.push('/b');
      expect(tab.pages).toEqual(['pageview /']);
      tab.show();
      expect(tab.pages).toEqual(['pageview /', 'pageview /b']);
    });

    test('out of the back-forward cache it counts again', () => {
      const tab = load();
      tab.wait(5000);
      tab.leave();
      tab.wait(60_000);
      tab.comeBack();
      tab.wait(3500);
      tab.leave();
      expect(tab.events).toEqual([
        'pageview /',
        'engagement / 40% 5000ms',
        'pageview /',
        'engagement / 40% 3500ms',
      ]);
    });

    test('pageshow of a load does not count', () => {
      const tab = load();
      tab.pageShow(false);
      expect(tab.events).toEqual(['pageview /']);
    });
  });

  describe('engagement', () => {
    test('the first event of a page goes out at once, with the depth of the first screen', () => {
      const tab = load();
      tab.wait(10);
      tab.hide();
      expect(tab.events).toEqual(['pageview /', 'engagement / 40% 10ms']);
    });

    test('leaving fires two events and sends one', () => {
      const tab = load();
      tab.wait(5000);
      tab.leave();
      expect(tab.events).toEqual(['pageview /', 'engagement / 40% 5000ms']);
    });

    test('pagehide is enough where it is all that fires', () => {
      const tab = load();
      tab.wait(5000);
      tab.window.dispatchEvent(new Event('pagehide'));
      expect(tab.events).toEqual(['pageview /', 'engagement / 40% 5000ms']);
    });

    test('after it 3000 ms are needed, which add up; hidden time does not count', () => {
      const tab = load();
      tab.hide();
      tab.wait(60_000);
      tab.show();
      tab.wait(1000);
      tab.hide();
      tab.wait(60_000);
      tab.show();
      tab.wait(1999);
      tab.hide();
      expect(tab.events).toEqual(['pageview /', 'engagement / 40% 0ms']);
      tab.show();
      tab.wait(1);
      tab.hide();
      expect(tab.events.slice(2)).toEqual(['engagement / 40% 3000ms']);
    });

    test('or a greater depth', () => {
      const tab = load();
      tab.hide();
      tab.show();
      tab.wait(100);
      tab.scroll(700);
      tab.scroll(0);
      tab.hide();
      tab.show();
      tab.scroll(600);
      tab.hide();
      expect(tab.events.slice(1)).toEqual(['engagement / 40% 0ms', 'engagement / 75% 100ms']);
    });

    test('each page without a load has its own', () => {
      const tab = load();
      tab.wait(2000);
      tab.scroll(1200);
      tab.push('/a');
      tab.scroll(0);
      tab.wait(1500);
      tab.push('/a#same');
      tab.push('/b');
      expect(tab.events).toEqual([
        'pageview /',
        'engagement / 100% 2000ms',
        'pageview /a',
        'engagement /a 40% 1500ms',
        'pageview /b',
      ]);
    });

    test('depth is of the page as it is when left, and never above 100', () => {
      const tab = load();
      tab.scroll(1200);
      tab.pageHeight = 4000;
      tab.hide();
      tab.show();
      tab.pageHeight = 1000;
      tab.hide();
      expect(tab.events.slice(1)).toEqual(['engagement / 50% 0ms', 'engagement / 100% 0ms']);
    });

    test('depth that was lost and found again is not greater', () => {
      const tab = load();
      tab.hide();
      tab.show();
      tab.pageHeight = 4000;
      tab.wait(3000);
      tab.hide();
      tab.show();
      tab.pageHeight = 2000;
      tab.hide();
      expect(tab.events.slice(1)).toEqual(['engagement / 40% 0ms', 'engagement / 20% 3000ms']);
    });

    test('a bounce past the top or a fraction short of the bottom is no depth of its own', () => {
      const tab = load();
      tab.scroll(-90);
      tab.scroll(1199.5);
      tab.hide();
      expect(tab.events).toEqual(['pageview /', 'engagement / 100% 0ms']);
    });

    test('a frame without height sends numbers', () => {
      const tab = load();
      tab.globals.innerHeight = 0;
      tab.pageHeight = 0;
      tab.wait(3000);
      tab.hide();
      expect(tab.events).toEqual(['pageview /', 'engagement / 0% 3000ms']);
    });
  });

  describe('harm', () => {
    test.each(['throws', 'missing'] as const)('fetch %s: a beacon is sent instead', (fetch) => {
      const { requests } = load({ fetch });
      const fetched = load().requests[0];
      expect(requests).toEqual([{ by: 'beacon', url: fetched?.url, body: fetched?.body }]);
    });

    test('fetch rejects: nothing is sent again, and the rejection is handled', async () => {
      const tab = load({ fetch: 'rejects' });
      // An unhandled rejection would fail the whole run.
      await new Promise((resolve) => setTimeout(resolve));
      expect(tab.requests.map(({ by }) => by)).toEqual(['fetch']);
    });

    test('no way to send breaks nothing', () => {
      const tab = new Tab({ fetch: 'missing' });
      tab.globals.navigator = {};
      tab.run(script);
      tab.push('/a');
      // An error in a listener would fail the whole run.
      tab.leave();
      expect(tab.location.pathname).toBe('/a');
    });

    test('the next event is sent after one that could not be', () => {
      const tab = new Tab({ fetch: 'missing' });
      const { navigator } = tab.globals;
      tab.globals.navigator = {};
      tab.run(script);
      tab.globals.navigator = navigator;
      tab.push('/a');
      expect(tab.pages).toEqual(['pageview /a']);
    });

    test('a script element that cannot be found breaks nothing', () => {
      const tab = new Tab();
      Object.assign(tab.document, { currentScript: null });
      tab.run(script);
      tab.push('/a');
      expect(tab.requests).toEqual([]);
    });

    test('a tag that is there twice counts once', () => {
      const tab = load().run(script);
      tab.push('/a');
      tab.leave();
      expect(tab.events).toEqual([
        'pageview /',
        'engagement / 40% 0ms',
        'pageview /a',
        'engagement /a 40% 0ms',
      ]);
    });

    test('no global is added and nothing is stored', () => {
      const tab = new Tab();
      const names = () => [...Object.keys(tab.globals), ...Object.keys(tab.window)];
      const before = names();
      tab.run(script);
      tab.push('/a');
      tab.leave();
      expect(names()).toEqual(before);
      expect(tab.storage).toEqual({});
      expect(tab.document).not.toHaveProperty('cookie');
    });
  });
});
