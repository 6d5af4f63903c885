import { useCurrentVisitors } from '../api/adapter.ts';
import { longCount, shortCount } from '../i18n/format.ts';
import { t, tn } from '../i18n/index.ts';
import { useSiteView } from '../state/siteview.ts';
import { cx } from '../ui/cx.ts';
import styles from './currentvisitors.module.css';

/** How many people are on the site right now. Without an answer there is a dash, never a zero. */
export function CurrentVisitors() {
  const { site } = useSiteView();
  const { data: count } = useCurrentVisitors(site.domain);
  const known = count !== undefined;
  const text = tn('now', count ?? 0, { n: known ? longCount(count) : '–' });
  return (
    <p
      class={cx(styles.pill, known && count > 0 && styles.live)}
      data-testid="current-visitors"
      data-value={count}
      title={t('now.hint')}
    >
      <span class={styles.dot} />
      <span class={styles.long}>{text}</span>
      <span class={styles.short} aria-hidden="true">
        {known ? shortCount(count) : '–'}
      </span>
    </p>
  );
}
