import { begin, flush, page } from './engagement.js';
import { guarded, on } from './guard.js';
import { hashMode } from './settings.js';
import { send } from './transport.js';

let waiting: boolean; // a page is to be counted as soon as it is visible

const { pushState } = history;

/** Counts the page unless it is the one counted last. A prerendered or hidden page waits until it is seen. */
const count = guarded(() => {
  // Without hash mode the fragment stays here: browsers never send it, and it may hold secrets.
  const url =
    location.origin + location.pathname + location.search + (hashMode ? location.hash : '');
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
export const watchPages = () => {
  count();
  on('visibilitychange', () => {
    flush();
    if (waiting) {
      count();
    }
  });
  on('pagehide', flush);
  on('pageshow', (event: PageTransitionEvent) => {
    // Back from the back-forward cache: the script does not run again, but the page is seen again.
    if (event.persisted) {
      begin('');
      count();
    }
  });
  on('popstate', count);
  if (hashMode) {
    on('hashchange', count);
  }
  history.pushState = function (...args) {
    pushState.apply(this, args); // What it throws is the page's own.
    count();
  };
};
