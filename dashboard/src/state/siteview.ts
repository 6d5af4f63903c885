import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { View } from './view.ts';

export interface Site {
  readonly domain: string;
  /** IANA name of the zone the site's days are counted in. */
  readonly timezone: string;
}

/** The site and view of the page, and the two ways to change the view: a link's address, or a jump. */
export interface SiteView {
  readonly site: Site;
  readonly sites: readonly Site[];
  readonly view: View;
  /** The site makes no visitor numbers: the chart and the lists go by pageviews. */
  readonly anonymous: boolean;
  href(next: View): string;
  /** Replaces the history entry: for what is not worth a step back, such as another tab. */
  replace(next: View): void;
}

export const SiteViewContext = createContext<SiteView | undefined>(undefined);

export function useSiteView(): SiteView {
  const value = useContext(SiteViewContext);
  if (!value) throw new Error('BUG: a part of the site page is used outside it');
  return value;
}
