import { on } from './guard.js';
import { send } from './transport.js';

/** Visible time in milliseconds that is worth an event of its own. */
const worthSending = 3000;

/** The address of the page that is measured; '' before there is one. */
export let page = '';

let visible = false;
let since = 0; // when the clock was last read
let time = 0; // visible milliseconds not yet sent
let bottom = 0; // lowest point seen, in pixels
let sentDepth = 0; // percent

/** Begins to measure a page; with '' none. Call flush first, which reads the clock. */
export function begin(url: string) {
  page = url;
  time = bottom = sentDepth = 0;
}

/** Sends what was measured since the last event of the page, if it is worth one. */
export function flush() {
  const now = performance.now();
  if (visible) {
    time += now - since;
  }
  since = now;
  visible = !document.hidden;
  look();
  // Against the height of now: a page that has grown since was read less far. A frame that is not
  // displayed has no height at all.
  const depth =
    Math.min(100, Math.round((100 * bottom) / document.documentElement.scrollHeight)) || 0;
  // A page's first event always goes out, because depth starts at nothing.
  if (page && (depth > sentDepth || time >= worthSending)) {
    send('engagement', page, { sd: depth, e: Math.round(time) });
    sentDepth = Math.max(sentDepth, depth);
    time = 0;
  }
}

export function watchScroll() {
  on(document, 'scroll', look);
}

function look() {
  bottom = Math.max(bottom, scrollY + innerHeight);
}
