import { useEffect, useRef, useState } from 'preact/hooks';
import { useAnswer } from '../api/adapter.ts';
import { totals } from '../api/questions.ts';
import { formatValue, longCount } from '../i18n/format.ts';
import { t, tn } from '../i18n/index.ts';
import { tooFew } from '../i18n/withheld.ts';
import { counted, METRICS, type MetricId } from '../state/metrics.ts';
import { periodOf } from '../state/periods.ts';
import { useSiteView } from '../state/siteview.ts';
import { formatView } from '../state/view.ts';
import { cx } from '../ui/cx.ts';
import { Failure } from '../ui/Notice.tsx';
import styles from './topnumbers.module.css';

/** The six numbers of the view. Each is a button that puts its metric on the chart. */
export function TopNumbers() {
  const { site, view, anonymous, replace } = useSiteView();
  const { data, error, busy, retry } = useAnswer(totals(site.domain, view));
  const values = data?.answer.results[0]?.metrics ?? [];
  const several = periodOf(view.period).days > 1;
  const chosen = counted(view.metric, anonymous);

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
          const sum = id === 'visitors' && several && !anonymous;
          const unknown = counted(id, anonymous) !== id;
          return (
            <button
              key={id}
              type="button"
              class={styles.metric}
              aria-pressed={id === chosen}
              disabled={unknown}
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
      {anonymous && <p class={styles.note}>{t('metrics.anonymous')}</p>}
      {data?.answer.meta?.withheld && (
        <p class={styles.note}>
          {tooFew('numbers', data.answer.meta.withheld.min_visitors, anonymous)}
        </p>
      )}
      <Announcement
        ready={data !== undefined && !busy}
        metric={counted('visitors', anonymous)}
        value={values[METRICS.findIndex(({ id }) => id === counted('visitors', anonymous))]}
      />
    </>
  );
}

/** Tells a screen reader once what a change of filters led to; refreshes of the same view stay silent. */
function Announcement({
  ready,
  metric,
  value,
}: {
  ready: boolean;
  metric: MetricId;
  value: number | null | undefined;
}) {
  const { view } = useSiteView();
  const [text, setText] = useState('');
  const filters = formatView({ ...view, metric: 'visitors', tabs: {} });
  const said = useRef(filters);
  useEffect(() => {
    if (!ready || said.current === filters) return;
    said.current = filters;
    const count = view.filters.length;
    const shown = {
      metric: t(`metric.${metric}`),
      value: typeof value === 'number' ? longCount(value) : t('value.hidden'),
    };
    setText(count === 0 ? t('filters.none', shown) : tn('filters.status', count, shown));
  }, [ready, filters, metric, value, view]);
  return (
    <p class="sr-only" role="status">
      {text}
    </p>
  );
}
