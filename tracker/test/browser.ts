import vm from 'node:vm';
import { Window } from 'happy-dom';

/** The tag as the README shows it. */
export const plainTag =
  '<script defer src="https://stats.example/js/d.js" data-domain="example.com"></script>';

export interface Options {
  url?: string;
  tag?: string;
  referrer?: string;
  hidden?: boolean;
  webdriver?: boolean;
  storage?: Record<string, string>;
  /** What the browser refuses: storage as such, or only to write. */
  storageThrows?: 'always' | 'on writing';
  /** How the page came to be loaded: a navigation, a reload, or back and forward. */
  navigation?: 0 | 1 | 2;
  /** What the page holds beside the tag. */
  html?: string;
  /** The page's language, and the browser's. */
  lang?: string;
  language?: string;
  globalPrivacyControl?: boolean;
  /** What fetch does: answer, answer with a rejection, throw, or not be there. */
  fetch?: 'ok' | 'rejects' | 'throws' | 'missing';
}

export interface Request {
  by: 'fetch' | 'beacon';
  url: string;
  body: string;
  init?: RequestInit;
}

/** Storage whose methods are no items. */
function makeStorage(items: Record<string, string>, readOnly: boolean): Record<string, string> {
  return Object.defineProperties(items, {
    setItem: {
      value: (name: string, value: string) => {
        if (readOnly) {
          throw new DOMException('full', 'QuotaExceededError');
        }
        items[name] = value;
      },
    },
    removeItem: {
      value: (name: string) => {
        delete items[name];
      },
    },
  });
}

/**
 * As much of a browser tab as the scripts use, with time and scrolling in the test's hands.
 *
 * Events fire only when a test says so, in the order Chromium fires them. The script runs in a context of its
 * own, where a global that is not faked here does not exist.
 */
export class Tab {
  readonly requests: Request[] = [];
  /** What reached the console. */
  readonly noise: unknown[][] = [];
  readonly storage: Record<string, string>;
  readonly window = new EventTarget();
  readonly document;
  readonly history;
  readonly globals: Record<string, unknown>;
  pageHeight = 2000;
  private time = 1000;
  private top = 0;

  constructor(options: Options = {}) {
    const url = options.url ?? 'https://example.com/';
    this.storage = makeStorage({ ...options.storage }, options.storageThrows === 'on writing');
    const dom = new Window({ url }).document;
    dom.body.innerHTML = (options.tag ?? plainTag) + (options.html ?? '');
    this.document = Object.assign(new EventTarget(), {
      hidden: options.hidden ?? false,
      referrer: options.referrer ?? '',
      readyState: 'interactive',
      currentScript: dom.body.firstElementChild,
      documentElement: Object.defineProperty({ lang: options.lang ?? '' }, 'scrollHeight', {
        get: () => this.pageHeight,
      }),
      createElement: (name: string) => dom.createElement(name),
      querySelectorAll: (selector: string) => dom.querySelectorAll(selector),
    });
    Object.defineProperty(this.document, 'URL', { get: () => this.location.href });
    const go = (state: unknown, _title: string, to?: string | URL | null) => {
      const next = new URL(to ?? '', this.location);
      if (
        next.origin !== this.location.origin ||
        next.username !== this.location.username ||
        next.password !== this.location.password
      ) {
        throw new DOMException('another origin', 'SecurityError');
      }
      this.location = next;
      this.history.state = state;
    };
    this.history = { state: null as unknown, pushState: go, replaceState: go };
    this.globals = this.makeGlobals(new URL(url), options);
    vm.createContext(this.globals);
  }

  private makeGlobals(location: URL, options: Options): Record<string, unknown> {
    const log = (...args: unknown[]) => this.noise.push(args);
    const globals = {
      location,
      window: this.window,
      document: this.document,
      history: this.history,
      navigator: {
        webdriver: options.webdriver ?? false,
        language: options.language ?? 'en-GB',
        globalPrivacyControl: options.globalPrivacyControl,
        sendBeacon: (url: string, body: string) => this.requests.push({ by: 'beacon', url, body }),
      },
      performance: { now: () => this.time, navigation: { type: options.navigation ?? 0 } },
      addEventListener: (type: string, f: () => void, capture?: boolean) => {
        this.window.addEventListener(type, f);
        // The window hears what happens to the document on its way down; of what goes up again, not everything.
        if (capture) {
          this.document.addEventListener(type, f);
        }
      },
      console: { debug: log, error: log, info: log, log, warn: log },
      innerHeight: 800,
      URL,
      URLSearchParams,
      ...(options.fetch !== 'missing' && { fetch: this.makeFetch(options.fetch ?? 'ok') }),
    };
    Object.defineProperty(globals, 'scrollY', { get: () => this.top });
    Object.defineProperty(globals, 'localStorage', {
      get: () => {
        if (options.storageThrows === 'always') {
          throw new DOMException('denied', 'SecurityError');
        }
        return this.storage;
      },
    });
    return globals;
  }

  private makeFetch(behaviour: 'ok' | 'rejects' | 'throws') {
    return (url: string, init: RequestInit) => {
      if (behaviour === 'throws') {
        throw new TypeError('cannot fetch');
      }
      this.requests.push({ by: 'fetch', url, body: String(init.body), init });
      return behaviour === 'ok' ? Promise.resolve() : Promise.reject(new TypeError('no network'));
    };
  }

  get location(): URL {
    return this.globals.location as URL;
  }

  set location(to: URL) {
    this.globals.location = to;
  }

  /** What a reader of the page sees in the embed. */
  get box(): HTMLElement {
    return this.document.querySelectorAll('[data-daysalt-optout]')[0] as unknown as HTMLElement;
  }

  /** The body of the last event. */
  get lastBody(): string | undefined {
    return this.requests[this.requests.length - 1]?.body;
  }

  /** The events so far, as `pageview /path` or `engagement /path 40% 1200ms`. */
  get events(): string[] {
    return this.requests.map(({ body }) => {
      const { n, u, sd, e } = JSON.parse(body);
      const { pathname, search, hash } = new URL(u);
      return `${n} ${pathname}${search}${hash}${n === 'engagement' ? ` ${sd}% ${e}ms` : ''}`;
    });
  }

  /** The events so far without engagement. */
  get pages(): string[] {
    return this.events.filter((event) => event.startsWith('pageview'));
  }

  run(script: string): this {
    vm.runInContext(script, this.globals as vm.Context);
    return this;
  }

  wait(ms: number) {
    this.time += ms;
  }

  scroll(top: number) {
    this.top = top;
    this.document.dispatchEvent(new Event('scroll'));
  }

  hide() {
    this.document.hidden = true;
    this.document.dispatchEvent(new Event('visibilitychange'));
  }

  show() {
    this.document.hidden = false;
    this.document.dispatchEvent(new Event('visibilitychange'));
  }

  push(to: string) {
    this.history.pushState(null, '', to);
  }

  /** Goes back or forward in the history to an address of this page. */
  traverse(to: string) {
    this.location = new URL(to, this.location);
    this.window.dispatchEvent(new Event('popstate'));
  }

  /** Follows a link to a fragment. */
  jump(fragment: string) {
    this.traverse(fragment);
    this.window.dispatchEvent(new Event('hashchange'));
  }

  /** Leaves for another page, or closes the tab. */
  leave() {
    this.window.dispatchEvent(new Event('pagehide'));
    this.hide();
  }

  /** Comes back out of the back-forward cache. */
  comeBack() {
    this.show();
    this.pageShow(true);
  }

  pageShow(persisted: boolean) {
    this.window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted }));
  }
}
