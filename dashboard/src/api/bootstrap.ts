// What the server wrote into the page, so that the first paint needs one round trip and not two.
import type { Site } from '../state/siteview.ts';
import { fetchSites } from './client.ts';

export interface Attribution {
  text: string;
  url: string;
}

export interface Bootstrap {
  version: string;
  sites: readonly Site[];
  /** Owed to the maker of the location database; null when there is none. */
  attribution: Attribution | null;
}

/** The data block of the page. An empty one (the development server fills nothing) is made up for by asking for the sites. */
export async function loadBootstrap(root: Document = document): Promise<Bootstrap> {
  const block = parse(root.getElementById('daysalt-data')?.textContent ?? '');
  if (Array.isArray(block.sites)) {
    return {
      version: block.version ?? '',
      sites: block.sites,
      attribution: safe(block.attribution),
    };
  }
  return { version: '', sites: await fetchSites(), attribution: null };
}

function parse(text: string): Partial<Bootstrap> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** Only web addresses become links. */
function safe(attribution: Attribution | null | undefined): Attribution | null {
  return attribution && /^https?:\/\//.test(attribution.url) ? attribution : null;
}
