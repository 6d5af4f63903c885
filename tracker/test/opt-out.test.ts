import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { bundle } from '../bundle.mjs';
import { type Options, Tab } from './browser.js';

const tag =
  '<script defer src="https://stats.example/js/opt-out.js" data-domain="example.com"></script>';
const fallback = '<a href="https://stats.example/opt-out?site=example.com">Opt out</a>';
const html = `<div data-daysalt-optout>${fallback}</div>`;
const bothFlags = { daysalt_ignore: 'true', plausible_ignore: 'true' };

describe.each([
  ['src/opt-out.ts', await bundle('opt-out')],
  ['dist/opt-out.js', readFileSync(new URL('../dist/opt-out.js', import.meta.url), 'utf8')],
])('the embed: %s', (_name, script) => {
  const tabs: Tab[] = [];
  function load(options: Options = {}): Tab {
    const tab = new Tab({ tag, html, lang: 'en', ...options });
    tabs.push(tab);
    return tab.run(script);
  }
  const status = (tab: Tab) => tab.box.querySelector('[role=status]')?.textContent;
  const button = (tab: Tab) => tab.box.querySelector('button');
  const link = (tab: Tab) => tab.box.querySelector('a')?.getAttribute('href') ?? '';

  afterEach(() => {
    expect(tabs.flatMap((tab) => tab.noise)).toEqual([]);
    expect(tabs.flatMap((tab) => tab.requests)).toEqual([]);
    tabs.length = 0;
  });

  test('says the state, and one button switches it in place', () => {
    const tab = load();
    const sameButton = button(tab);
    expect(status(tab)).toBe('You have not opted out here.');
    expect(sameButton?.textContent).toBe('Do not count my visits');
    expect(tab.storage).toEqual({});

    sameButton?.click();
    expect(status(tab)).toBe('You have opted out here.');
    expect(tab.storage).toEqual(bothFlags);

    expect(button(tab)).toBe(sameButton);
    expect(sameButton?.textContent).toBe('Count my visits again');
    sameButton?.click();
    expect(status(tab)).toBe('You have not opted out here.');
    expect(tab.storage).toEqual({});
  });

  test.each([{ daysalt_ignore: 'true' }, { plausible_ignore: 'true' }])(
    '%j is an objection, and undoing removes it',
    (storage) => {
      const tab = load({ storage: { ...storage } });
      expect(status(tab)).toBe('You have opted out here.');
      button(tab)?.click();
      expect(tab.storage).toEqual({});
    },
  );

  test('shows what the fragment has just changed', () => {
    const url = 'https://example.com/privacy?id=3#daysalt-opt-out';
    const tab = load({ url, referrer: 'https://stats.example/' });
    expect(status(tab)).toBe('You have opted out here.');
    expect(link(tab)).not.toContain('daysalt-opt-out');
  });

  test('follows another tab, and a return out of the back-forward cache', () => {
    const tab = load();
    Object.assign(tab.storage, bothFlags);
    tab.window.dispatchEvent(new Event('storage'));
    expect(status(tab)).toBe('You have opted out here.');
    delete tab.storage.daysalt_ignore;
    delete tab.storage.plausible_ignore;
    tab.pageShow(true);
    expect(status(tab)).toBe('You have not opted out here.');
  });

  test('links to the server for all its sites, and back to this page', () => {
    const tab = load({ url: 'https://user:secret@example.com/privacy?id=3&x=ä#part' });
    const url = new URL(link(tab));
    expect(url.origin + url.pathname).toBe('https://stats.example/opt-out');
    expect([...url.searchParams]).toEqual([
      ['site', 'example.com'],
      ['back', 'https://example.com/privacy?id=3&x=%C3%A4'],
    ]);
  });

  test('the site is the host name where the tag names none', () => {
    const tab = load({
      url: 'https://shop.example.com/privacy',
      tag: '<script defer src="https://stats.example/js/opt-out.js"></script>',
    });
    expect(new URL(link(tab)).searchParams.get('site')).toBe('shop.example.com');
  });

  test.each([
    ['de', 'en-GB', 'de'],
    ['de-AT', 'en-GB', 'de'],
    ['DE', 'en-GB', 'de'],
    ['en', 'de-DE', 'en'],
    ['fr', 'de-DE', 'en'],
    ['den', 'de-DE', 'en'],
    ['', 'de-DE', 'de'],
    ['', 'fr-FR', 'en'],
  ])(
    'in a page in “%s”, in a browser in %s, it speaks %s and says so',
    (lang, language, spoken) => {
      const tab = load({ lang, language });
      expect(tab.box.lang).toBe(spoken);
      expect(button(tab)?.textContent).toBe(
        spoken === 'de' ? 'Meine Besuche nicht zählen' : 'Do not count my visits',
      );
      button(tab)?.click();
      expect(status(tab)).toBe(
        spoken === 'de' ? 'Sie haben hier widersprochen.' : 'You have opted out here.',
      );
    },
  );

  test('with Global Privacy Control there is nothing to switch', () => {
    const tab = load({ globalPrivacyControl: true });
    expect(status(tab)).toContain('Global Privacy Control');
    expect(button(tab)).toBeNull();
    expect(link(tab)).toContain('/opt-out?');
  });

  test.each(['always', 'on writing'] as const)('storage that is refused %s', (storageThrows) => {
    const tab = load({ storageThrows });
    button(tab)?.click();
    expect(status(tab)).toContain('does not let this site store an opt-out');
    expect(button(tab)).toBeNull();
    expect(link(tab)).toContain('/opt-out?');
  });

  test('has no styles, no markup from outside, and nothing of the fallback', () => {
    const tab = load({ url: 'https://example.com/%3Cb%3E?<i>' });
    expect(tab.box.querySelector('[style], style, b, i')).toBeNull();
    expect(tab.box.innerHTML).not.toContain(fallback);
    expect([...tab.box.children].map(({ tagName }) => tagName)).toEqual(['P', 'P', 'P', 'P']);
    expect(button(tab)?.getAttribute('type')).toBe('button');
  });

  test('every box on the page is filled; without one nothing happens', () => {
    const tab = load({ html: html + html });
    const boxes = [...tab.document.querySelectorAll('[data-daysalt-optout]')];
    expect(boxes.map((box) => box.querySelectorAll('button').length)).toEqual([1, 1]);
    expect(load({ html: '' }).storage).toEqual({});
  });

  test('a script that runs before the page is read waits for it', () => {
    const tab = new Tab({ tag, html, lang: 'en' });
    tab.document.readyState = 'loading';
    tab.run(script);
    expect(tab.box.innerHTML).toBe(fallback);
    tab.document.dispatchEvent(new Event('DOMContentLoaded'));
    expect(button(tab)).not.toBeNull();
  });

  test('what cannot be made leaves the fallback', () => {
    const tab = new Tab({ tag, html });
    delete tab.globals.URLSearchParams;
    tabs.push(tab);
    tab.run(script);
    expect(tab.box.innerHTML).toBe(fallback);
  });
});
