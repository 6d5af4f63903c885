import { guarded } from './guard.js';
import { home } from './tag.js';

/** The visitor's own word, in this browser and for this site; the second one is obeyed by Plausible's trackers too. */
export const flags = ['daysalt_ignore', 'plausible_ignore'];

/** Whether this browser was told not to be counted. It throws where storage is forbidden. */
export const isObjected = () => flags.some((flag) => localStorage[flag] === 'true');

/** Sets or removes the flags. It throws where storage is forbidden. */
export const mark = (how: 'setItem' | 'removeItem') =>
  flags.map((flag) => localStorage[how](flag, 'true'));

/**
 * Does what the server's opt-out page says in the fragment with which it sends the visitor back, and removes the fragment.
 *
 * Anybody can make a link with that fragment, so it counts only where the browser says that the visitor comes from
 * the origin of this script, and says no more than that, as the opt-out page asks it to: with a proxy of the site's own, all of the site's
 * pages are of that origin, and visitors may write links into some. A page keeps that referrer when only its fragment changes, and when it is loaded again or
 * out of the history, and a page elsewhere can cause all but one of these; so it counts only at a navigation that loads the page.
 */
export const obeyFragment = guarded(() => {
  const how = ({ '#daysalt-opt-out': 'setItem', '#daysalt-opt-in': 'removeItem' } as const)[
    location.hash
  ];
  if (how && document.referrer === home && !performance.navigation.type) {
    try {
      mark(how);
    } finally {
      // Not location.href: Chromium leaves a user name out of that, and takes no address that differs in it.
      history.replaceState(history.state, '', document.URL.replace(location.hash, ''));
    }
  }
});
