import { begin, flush, page } from './engagement.js';
import { guarded, on } from './guard.js';
import { hashMode } from './settings.js';
import { send } from './transport.js';

let waiting = false; // a page is to be counted as soon as it is visible

/** Counts the page unless it is the one counted last. A prerendered or hidden page waits until it is seen. */
const count = guarded(() => {
  const { origin, pathname, search, hash } = location;
  // Without hash mode the fragment stays here: browsers never send it, and it may hold secrets.
  const url = origin + pathname + search + (hashMode ? hash : '');
  waiting = document.hidden;
  if (waiting || url === page) {
    return;
  }
  flush();
  begin(url);
  // The original referrer each time, also after navigation without a load: the server reads it only at
  // a visit's first event, and a visit that begins anew in an open tab came from where the tab came from.
  send('pageview', url, { r: document.referrer });
});

/** Counts the page that is loaded and every page that follows it without a load. */
export function watchPages() {
  count();
  on(document, 'visibilitychange', () => {
    flush();
    if (waiting) {
      count();
    }
  });
  on(window, 'pagehide', flush);
  on(window, 'pageshow', (event: PageTransitionEvent) => {
    // Back from the back-forward cache: the script does not run again, but the page is seen again.
    if (event.persisted) {
      begin('');
      count();
    }
  });
  on(window, 'popstate', count);
  if (hashMode) {
    on(window, 'hashchange', count);
  }
  const { pushState } = history;
  history.pushState = function (...args) {
    pushState.apply(this, args); // What it throws is the page's own.
    count();
  };
}
