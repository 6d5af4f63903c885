import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { bundle } from '../bundle.mjs';
import { type Options, Tab } from './browser.js';

const optOut = '#daysalt-opt-out';
const optIn = '#daysalt-opt-in';
const server = 'https://stats.example/';
const noFlags = {};
const bothFlags = { daysalt_ignore: 'true', plausible_ignore: 'true' };

const built = (name: string) =>
  readFileSync(new URL(`../dist/${name}.js`, import.meta.url), 'utf8');
const sources = { d: await bundle('d'), 'opt-out': await bundle('opt-out') };

/** The address that a page elsewhere would forge, and what must not happen to the flags. */
const directions = [
  { fragment: optOut, storage: noFlags, after: bothFlags },
  { fragment: optIn, storage: bothFlags, after: noFlags },
];

// Both scripts obey the fragment, so that the embed does for another client what the tracker does for itself.
describe.each([
  ['src/d.ts', sources.d],
  ['dist/d.js', built('d')],
  ['src/opt-out.ts', sources['opt-out']],
  ['dist/opt-out.js', built('opt-out')],
])('the fragment: %s', (_name, script) => {
  const tabs: Tab[] = [];
  function load(options: Options): Tab {
    const tab = new Tab(options);
    tab.history.state = 'of the page';
    tabs.push(tab);
    return tab.run(script);
  }

  afterEach(() => {
    expect(tabs.flatMap((tab) => tab.noise)).toEqual([]);
    tabs.length = 0;
  });

  describe.each(directions)('$fragment', ({ fragment, storage, after }) => {
    const arrive = (options: Options = {}) =>
      load({
        url: `https://example.com/a?b=1${fragment}`,
        referrer: server,
        storage: { ...storage, other: 'kept' },
        ...options,
      });

    test('from the origin of the script is obeyed and removed, and nothing else of the address is', () => {
      const tab = arrive();
      expect(tab.storage).toEqual({ ...after, other: 'kept' });
      expect(tab.location.href).toBe('https://example.com/a?b=1');
      expect(tab.history.state).toBe('of the page');
    });

    test.each([
      ['an address that begins like another host', { url: `https://example.com//a/b${fragment}` }],
      ['an address with a user name', { url: `https://user:secret@example.com/${fragment}` }],
      [
        'the site’s own proxy of the server',
        {
          referrer: 'https://example.com/',
          tag: '<script defer src="/proxy/script.js"></script>',
        },
      ],
      [
        'a server with a port',
        {
          referrer: 'https://stats.example:8443/',
          tag: '<script src="https://stats.example:8443/js/x.js"></script>',
        },
      ],
    ])('%s', (_name, options) => {
      const tab = arrive(options);
      expect(tab.storage).toEqual({ ...after, other: 'kept' });
      const url = options && 'url' in options ? options.url : 'https://example.com/a?b=1';
      expect(tab.location.href).toBe(url.replace(fragment, ''));
    });

    test.each([
      ['from nowhere', { referrer: '' }],
      ['from the site itself', { referrer: 'https://example.com/' }],
      ['from another site', { referrer: 'https://evil.example/' }],
      [
        'from a host that begins like the server’s',
        { referrer: 'https://stats.example.evil.example/' },
      ],
      ['from a host that ends like the server’s', { referrer: 'https://evil-stats.example/' }],
      ['from an address that names the server', { referrer: `https://evil.example/?${server}` }],
      ['from the server’s other port', { referrer: 'https://stats.example:8443/' }],
      ['from the server without TLS', { referrer: 'http://stats.example/' }],
      [
        'from a page of the server that says where it is',
        { referrer: `${server}opt-out?site=example.com` },
      ],
      [
        'from another page of a site with its own proxy',
        {
          referrer: 'https://example.com/forum/7',
          tag: '<script defer src="/proxy/script.js"></script>',
        },
      ],
      ['on a reload', { navigation: 1 as const }],
      ['out of the history', { navigation: 2 as const }],
      ['with more behind it', { url: `https://example.com/a?b=1${fragment}s` }],
      ['with more before it', { url: `https://example.com/a?b=1#/${fragment}` }],
    ])('%s changes nothing', (_name, options: Options) => {
      const url = options.url ?? `https://example.com/a?b=1${fragment}`;
      const tab = arrive(options);
      expect(tab.storage).toEqual({ ...storage, other: 'kept' });
      expect(tab.location.href).toBe(url);
    });

    test('that comes into a page that is open changes nothing', () => {
      const tab = arrive({ url: 'https://example.com/a' });
      tab.jump(fragment);
      tab.leave();
      tab.comeBack();
      expect(tab.storage).toEqual({ ...storage, other: 'kept' });
      expect(tab.location.hash).toBe(fragment);
    });

    test.each(['always', 'on writing'] as const)(
      'where storage is refused %s, it is removed all the same',
      (storageThrows) => {
        const tab = arrive({ storageThrows });
        expect(tab.location.href).toBe('https://example.com/a?b=1');
      },
    );

    test('breaks nothing where the history refuses', () => {
      const tab = new Tab({ url: `https://example.com/${fragment}`, referrer: server, storage });
      tab.history.replaceState = () => {
        throw new DOMException('too often', 'SecurityError');
      };
      tab.run(script);
      expect(tab.storage).toEqual(after);
    });
  });
});

describe.each([
  ['src/d.ts', sources.d],
  ['dist/d.js', built('d')],
])('events after an objection: %s', (_name, script) => {
  const back = (fragment: string, options: Options = {}) =>
    new Tab({ url: `https://example.com/a${fragment}`, referrer: server, ...options }).run(script);

  test('none is sent, not even of the page that the visitor lands on', () => {
    const tab = back(optOut);
    tab.push('/b');
    tab.wait(5000);
    tab.leave();
    expect(tab.requests).toEqual([]);
  });

  test('after undoing, the page that the visitor lands on is counted, without the fragment', () => {
    const tag =
      '<script src="https://stats.example/js/d.js" data-domain="example.com" data-hash></script>';
    const tab = back(optIn, { storage: bothFlags, tag });
    expect(tab.pages).toEqual(['pageview /a']);
  });

  test('a forged one keeps nothing from being counted, and makes nothing be', () => {
    const referrer = 'https://evil.example/';
    expect(back(optOut, { referrer }).pages).toEqual(['pageview /a']);
    expect(back(optIn, { referrer, storage: bothFlags }).requests).toEqual([]);
  });

  test('where storage is forbidden, events go on: the server knows of the objection by its cookie', () => {
    const tab = back(optOut, { storageThrows: 'always' });
    expect(tab.pages).toEqual(['pageview /a']);
    expect(tab.requests[0]?.init?.credentials).toBe('include');
  });

  test('it is obeyed on the own machine too, where nothing is counted', () => {
    const tab = back(optOut, { url: `http://localhost/${optOut}` });
    expect(tab.storage).toEqual(bothFlags);
  });

  test('the address is put right before the history is listened to', () => {
    const tab = new Tab({ url: `https://example.com/a${optIn}`, referrer: server });
    const calls: string[] = [];
    const { replaceState } = tab.history;
    tab.history.replaceState = (...args) => {
      calls.push(`replaceState, ${tab.requests.length} events`);
      replaceState(...args);
    };
    tab.run(script);
    expect(calls).toEqual(['replaceState, 0 events']);
  });
});
