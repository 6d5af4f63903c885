import { api, domain, hashMode } from './settings.js';

/** What an event carries beyond its name, address and site. */
export interface Fields {
  /** Referrer, '' when there is none. */
  r?: string;
  /** Scroll depth, percent 0 to 100. */
  sd?: number;
  /** Time the page was visible since its last engagement event, in milliseconds. */
  e?: number;
}

/** Whether this browser was told not to be counted, here or in a tracker used before. */
function isIgnored(): boolean {
  try {
    return [localStorage.daysalt_ignore, localStorage.plausible_ignore].includes('true');
  } catch {
    return false; // Storage is forbidden, so nothing can have been said in it.
  }
}

/** Sends one event. It may throw, so callers are guarded. */
export function send(name: string, url: string, fields: Fields) {
  if (isIgnored()) {
    return;
  }
  const body = JSON.stringify({
    n: name,
    u: url,
    d: domain,
    r: fields.r,
    sd: fields.sd,
    e: fields.e,
    h: hashMode ? 1 : undefined,
    // Automation is reported, not hidden: the server counts it as a bot.
    b: navigator.webdriver ? 1 : undefined,
  });
  try {
    // A text body makes the content type text/plain, which needs no preflight request. A rejection is
    // not followed by a beacon: the server may have the event, and it would be counted twice.
    fetch(api, { method: 'POST', body, keepalive: true, credentials: 'omit' }).catch(() => {});
  } catch {
    navigator.sendBeacon(api, body);
  }
}
