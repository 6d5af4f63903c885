import type { ComponentChildren } from 'preact';
import type { Bootstrap } from '../api/bootstrap.ts';
import { Preferences } from '../controls/Preferences.tsx';
import { t } from '../i18n/index.ts';
import { Mark } from '../ui/Icon.tsx';
import styles from './frame.module.css';

interface Props {
  bootstrap: Bootstrap;
  /** Beside the mark. */
  bar?: ComponentChildren;
  /** At the far end of the bar; on a phone a row of its own. */
  end?: ComponentChildren;
  children: ComponentChildren;
}

/** What every page stands in: the bar above, the main part, the foot. */
export function Frame({ bootstrap, bar, end, children }: Props) {
  return (
    <>
      <a class="skip" href="#main">
        {t('page.skip')}
      </a>
      <header class={styles.top}>
        <div class={styles.bar}>
          <a class={styles.home} href="/" aria-label={t('page.home')}>
            <Mark />
          </a>
          <div class={styles.start}>{bar}</div>
          <div class={styles.end}>{end}</div>
          <Preferences />
        </div>
      </header>
      <main class={styles.main} id="main" tabIndex={-1}>
        {children}
      </main>
      <footer class={styles.foot}>
        <span>{t('footer.version', { version: bootstrap.version })}</span>
        {bootstrap.attribution && (
          <a href={bootstrap.attribution.url} rel="noopener noreferrer" target="_blank">
            {bootstrap.attribution.text}
          </a>
        )}
      </footer>
    </>
  );
}
