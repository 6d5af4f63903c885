import { on } from './guard.js';
import { send } from './transport.js';

/** Visible time in milliseconds that is worth an event of its own. */
const worthSending = 3000;

/** The address of the page that is measured; '' before there is one. */
export let page = '';

// None of these is sent before flush and begin have set it.
let visible: boolean;
let since: number; // when the clock was last read
let time: number; // visible milliseconds not yet sent
let bottom: number; // lowest point seen, in pixels
let sentDepth: number; // percent

/** Begins to measure a page; with '' none. Call flush first, which reads the clock. */
export const begin = (url: string) => {
  page = url;
  time = bottom = sentDepth = 0;
};

const look = () => {
  bottom = Math.max(bottom, scrollY + innerHeight);
};

/** Sends what was measured since the last event of the page, if it is worth one. */
export const flush = () => {
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
};

export const watchScroll = () => on('scroll', look);
