import { isObjected } from './objection.js';
import { api, hashMode } from './settings.js';
import { domain } from './tag.js';

/** What an event carries beyond its name, address and site. */
export interface Fields {
  /** Referrer, '' when there is none. */
  r?: string;
  /** Scroll depth, percent 0 to 100. */
  sd?: number;
  /** Time the page was visible since its last engagement event, in milliseconds. */
  e?: number;
}

/** Sends one event. It may throw, so callers are guarded. */
export const send = (name: string, url: string, fields: Fields) => {
  try {
    if (isObjected()) {
      return;
    }
  } catch {
    // Storage is forbidden, so nothing can have been said in it.
  }
  const body = JSON.stringify({
    n: name,
    u: url,
    d: domain,
    ...fields,
    h: hashMode,
    // Automation is reported, not hidden: the server counts it as a bot.
    b: navigator.webdriver ? 1 : undefined,
  });
  try {
    // A text body makes the content type text/plain, which needs no preflight request. Where the browser allows cookies of other
    // sites, an objection at the server arrives as one; the answer is of no interest, so it need not be readable (no-cors). A rejection
    // is not followed by a beacon: the server may have the event, and it would be counted twice.
    fetch(api, {
      method: 'POST',
      body,
      keepalive: true,
      mode: 'no-cors',
      credentials: 'include',
    }).catch(() => {});
  } catch {
    navigator.sendBeacon(api, body);
  }
};
