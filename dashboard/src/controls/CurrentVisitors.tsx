import { useCurrentVisitors } from '../api/adapter.ts';
import { DASH, longCount, shortCount } from '../i18n/format.ts';
import { t, tn } from '../i18n/index.ts';
import { useSiteView } from '../state/siteview.ts';
import { cx } from '../ui/cx.ts';
import styles from './currentvisitors.module.css';

/** How many people are on the site right now. Where that is not known there is a dash, never a zero or an older number. */
export function CurrentVisitors() {
  const { site } = useSiteView();
  const { data, error } = useCurrentVisitors(site.domain);
  const count = error ? undefined : data;
  const known = typeof count === 'number';
  const text = tn('now', count ?? 0, { n: known ? longCount(count) : DASH });
  return (
    <p
      class={cx(styles.pill, known && count > 0 && styles.live)}
      data-testid="current-visitors"
      data-value={count ?? undefined}
      title={t(count === null ? 'now.hidden' : 'now.hint')}
    >
      <span class={styles.dot} />
      <span class={styles.long}>{text}</span>
      <span class={styles.short} aria-hidden="true">
        {known ? shortCount(count) : DASH}
      </span>
    </p>
  );
}
