import { data, home } from './tag.js';

/** Pages of the developer's own machine, as protocol and host name; about:, blob: and data: pages have no host name. */
const ownMachine = /^file:|:$|[:.]localhost$|:127\.[\d.]+$|:\[::1]$/;

/** Whether this page is to be measured at all. */
export const isMeasured =
  data.local != null || !ownMachine.test(location.protocol + location.hostname);

/** Where events are posted. */
export const api = data.api || `${home}api/event`;

/** Whether the fragment is a part of the page's address, as an event says it. */
export const hashMode = data.hash == null ? undefined : 1;
