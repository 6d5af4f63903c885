import { useEffect } from 'preact/hooks';
import type { Bootstrap } from '../api/bootstrap.ts';
import { t } from '../i18n/index.ts';
import { Frame } from './Frame.tsx';
import styles from './sitespage.module.css';

/** All sites, each a link to its dashboard. */
export function SitesPage({ bootstrap }: { bootstrap: Bootstrap }) {
  const title = t('sites.title');
  useEffect(() => {
    document.title = `${title} · daysalt`;
  }, [title]);
  return (
    <Frame bootstrap={bootstrap} bar={<strong>daysalt</strong>}>
      <h1 class={styles.title}>{title}</h1>
      {bootstrap.sites.length > 0 ? <SiteList bootstrap={bootstrap} /> : <None />}
    </Frame>
  );
}

/** A page that can only say one sentence, and offers the sites there are. */
export function Message({ bootstrap, text }: { bootstrap: Bootstrap; text: string }) {
  useEffect(() => {
    document.title = 'daysalt';
  }, []);
  return (
    <Frame bootstrap={bootstrap} bar={<strong>daysalt</strong>}>
      <h1 class={styles.title}>{text}</h1>
      <SiteList bootstrap={bootstrap} />
    </Frame>
  );
}

function SiteList({ bootstrap }: { bootstrap: Bootstrap }) {
  return (
    <ul class={styles.sites}>
      {bootstrap.sites.map(({ domain, timezone }) => (
        <li key={domain}>
          <a class={styles.site} href={`/sites/${encodeURIComponent(domain)}`}>
            <strong>{domain}</strong>
            <span>{t('period.zone', { zone: timezone })}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function None() {
  return (
    <p class={styles.none}>
      {t('sites.none')} <code>daysalt site add DOMAIN --timezone ZONE</code>
    </p>
  );
}
