import { t } from '../i18n/index.ts';
import { useSiteView } from '../state/siteview.ts';
import { siteHref } from '../state/view.ts';
import { Icon } from '../ui/Icon.tsx';
import { Menu } from '../ui/Menu.tsx';
import styles from './siteswitcher.module.css';

/** Name of the site; with several sites, the way to the others. The period goes along, filters do not. */
export function SiteSwitcher() {
  const { site, sites, view } = useSiteView();
  if (sites.length < 2) return <span class={styles.only}>{site.domain}</span>;
  const button = (
    <>
      <span class={styles.name}>{site.domain}</span>
      <span class="sr-only">, {t('sites.switch')}</span>
      <Icon name="chevron" />
    </>
  );
  return (
    <Menu button={button} class={styles.switcher}>
      <ul>
        {sites.map(({ domain }) => (
          <li key={domain}>
            <a
              class={styles.site}
              href={siteHref(domain, { ...view, filters: [] })}
              aria-current={domain === site.domain ? 'page' : undefined}
            >
              <span class={styles.name}>{domain}</span>
              {domain === site.domain && <Icon name="check" />}
            </a>
          </li>
        ))}
        <li class={styles.all}>
          <a class={styles.site} href="/">
            {t('sites.all')}
          </a>
        </li>
      </ul>
    </Menu>
  );
}
