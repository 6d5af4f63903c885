import { useEffect } from 'preact/hooks';
import { LocationProvider, useLocation } from 'preact-iso/router';
import type { Bootstrap } from '../api/bootstrap.ts';
import { language, t } from '../i18n/index.ts';
import { SitePage } from './SitePage.tsx';
import { Message, SitesPage } from './SitesPage.tsx';

/** The whole application, given what the server wrote into the page. */
export function App({ bootstrap }: { bootstrap: Bootstrap }) {
  useEffect(() => {
    document.documentElement.lang = language.value;
  }, [language.value]);
  return (
    <LocationProvider>
      <Page bootstrap={bootstrap} />
    </LocationProvider>
  );
}

function Page({ bootstrap }: { bootstrap: Bootstrap }) {
  const { path, route } = useLocation();
  const only = bootstrap.sites.length === 1 ? bootstrap.sites[0] : undefined;
  const list = path === '/' || path === '/sites';
  const jump = list && only ? `/sites/${encodeURIComponent(only.domain)}` : undefined;
  useEffect(() => {
    if (jump) route(jump, true);
  }, [jump, route]);

  if (jump) return null;
  if (list) return <SitesPage bootstrap={bootstrap} />;
  const domain = siteOf(path);
  const site = bootstrap.sites.find((one) => one.domain === domain);
  if (site) return <SitePage key={site.domain} site={site} bootstrap={bootstrap} />;
  return (
    <Message
      bootstrap={bootstrap}
      text={domain === undefined ? t('page.missing') : t('sites.unknown', { domain })}
    />
  );
}

/** The domain in `/sites/{domain}`; undefined for any other path, a malformed escape included. */
export function siteOf(path: string): string | undefined {
  const [, encoded] = /^\/sites\/([^/]+)\/?$/.exec(path) ?? [];
  if (encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}
