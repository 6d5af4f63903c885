import { useEffect, useRef, useState } from 'preact/hooks';
import { useAnswer } from '../api/adapter.ts';
import { totals } from '../api/questions.ts';
import { formatValue, longCount } from '../i18n/format.ts';
import { t, tn } from '../i18n/index.ts';
import { METRICS } from '../state/metrics.ts';
import { periodOf } from '../state/periods.ts';
import { useSiteView } from '../state/siteview.ts';
import { formatView } from '../state/view.ts';
import { cx } from '../ui/cx.ts';
import { Failure } from '../ui/Notice.tsx';
import styles from './topnumbers.module.css';

/** The six numbers of the view. Each is a button that puts its metric on the chart. */
export function TopNumbers() {
  const { site, view, replace } = useSiteView();
  const { data, error, busy, retry } = useAnswer(totals(site.domain, view));
  const values = data?.answer.results[0]?.metrics ?? [];
  const several = periodOf(view.period).days > 1;

  const heading = (
    <h2 class="sr-only" id="numbers-title">
      {t('metrics.title')}
    </h2>
  );

  if (error && !data) {
    return (
      <div class={styles.failed}>
        {heading}
        <Failure title={t('state.failed')} detail={error.message} onRetry={retry} />
      </div>
    );
  }
  return (
    <>
      {heading}
      <div class={cx(styles.numbers, busy && styles.busy)} aria-busy={busy}>
        {METRICS.map(({ id, kind }, i) => {
          const exact = formatValue(kind, values[i], true);
          const sum = id === 'visitors' && several;
          return (
            <button
              key={id}
              type="button"
              class={styles.metric}
              aria-pressed={id === view.metric}
              title={sum ? `${exact}\n${t('metrics.sum')}` : exact}
              data-testid={`metric-${id}`}
              data-value={data ? (values[i] ?? '') : undefined}
              onClick={() => replace({ ...view, metric: id })}
            >
              <span class={styles.name}>
                {t(`metric.${id}`)}
                {sum && <span aria-hidden="true">*</span>}
              </span>
              <span class={styles.value}>
                {data ? formatValue(kind, values[i]) : <span class="skeleton" />}
              </span>
            </button>
          );
        })}
      </div>
      <Announcement ready={data !== undefined && !busy} visitors={values[0] ?? 0} />
    </>
  );
}

/** Tells a screen reader once what a change of filters led to; refreshes of the same view stay silent. */
function Announcement({ ready, visitors }: { ready: boolean; visitors: number }) {
  const { view } = useSiteView();
  const [text, setText] = useState('');
  const filters = formatView({ ...view, metric: 'visitors', tabs: {} });
  const said = useRef(filters);
  useEffect(() => {
    if (!ready || said.current === filters) return;
    said.current = filters;
    const count = view.filters.length;
    const shown = { visitors: longCount(visitors) };
    setText(count === 0 ? t('filters.none', shown) : tn('filters.status', count, shown));
  }, [ready, filters, visitors, view]);
  return (
    <p class="sr-only" role="status">
      {text}
    </p>
  );
}
