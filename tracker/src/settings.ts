// What the site owner wrote on the script tag. It is there only while the script first runs.
const script = document.currentScript as HTMLScriptElement;
const data = script.dataset;
const { hostname, protocol } = location;

/** Hosts that are the developer's own machine; about:, blob: and data: pages have an empty one. */
const ownMachine = /^$|(^|\.)localhost$|^127\.[\d.]+$|^\[::1]$/;

/** Whether this page is to be measured at all. */
export const isMeasured =
  data.local != null || (protocol !== 'file:' && !ownMachine.test(hostname));

/** Where events are posted. An origin carries no user name and password, which fetch refuses. */
export const api = data.api || `${new URL(script.src).origin}/api/event`;

/** The site, as the server knows it. */
export const domain = data.domain || hostname;

/** Whether the fragment is a part of the page's address. */
export const hashMode = data.hash != null;
