/**
 * The daysalt tracker: counts pageviews, and how long and how far each page was read.
 *
 * It is the start of the line: a page loads it, it posts to /api/event, and everything else happens on
 * the server. tag and settings read the script tag, objection knows whether the visitor wants to be counted,
 * transport sends, engagement measures the page on screen, pages decides what a pageview is, guard keeps
 * failures away from the page.
 *
 * Invariants: it sets no cookie, stores nothing but an objection, adds no global, prints nothing, and no error of its
 * own reaches the page: what runs later is guarded, what runs while it loads is inside a try block that
 * build.mjs puts around the whole file. Each page runs one copy, so a module's variables are its state.
 *
 * It does not identify anybody, and it does not send custom events, clicks or downloads.
 */
import { watchScroll } from './engagement.js';
import { obeyFragment } from './objection.js';
import { watchPages } from './pages.js';
import { isMeasured } from './settings.js';

declare global {
  interface History {
    /** The tracker runs here: a tag that is on the page twice must not count twice. */
    daysalt?: boolean;
  }
}

obeyFragment();
if (isMeasured && !history.daysalt) {
  history.daysalt = true;
  watchPages();
  watchScroll();
}
