import { useMemo, useState } from 'preact/hooks';
import { type Answered, useAnswer } from '../api/adapter.ts';
import { isAnonymous, metricOf, series as seriesQuestion } from '../api/questions.ts';
import { type Bucket, buildSeries, type Series } from '../charts/series.ts';
import { TimeChart, type Words } from '../charts/TimeChart.tsx';
import { TimeTable } from '../charts/TimeTable.tsx';
import { DASH, formatDates, formatTime, formatValue } from '../i18n/format.ts';
import { language, locale, t } from '../i18n/index.ts';
import { currentTime, hourLabel } from '../state/clock.ts';
import { counted, kindOf, type ValueKind } from '../state/metrics.ts';
import { periodOf } from '../state/periods.ts';
import { useSiteView } from '../state/siteview.ts';
import { cx } from '../ui/cx.ts';
import { Icon } from '../ui/Icon.tsx';
import { Failure } from '../ui/Notice.tsx';
import styles from './mainchart.module.css';

/** The chosen metric over the period, as a chart or as a table. */
export function MainChart() {
  const { site, view, anonymous } = useSiteView();
  const { data, error, busy, retry } = useAnswer(seriesQuestion(site.domain, view, anonymous));
  const [asTable, setAsTable] = useState(false);
  const shown = useShown(data, site.timezone);

  return (
    <div class={styles.main}>
      <div class={styles.head}>
        <h2 class={styles.title} id="chart-title">
          {shown?.title ??
            chartTitle(counted(view.metric, anonymous), periodOf(view.period).interval)}
        </h2>
        <button
          type="button"
          class={cx('button', styles.toggle)}
          aria-pressed={asTable}
          onClick={() => setAsTable(!asTable)}
        >
          <Icon name={asTable ? 'graph' : 'table'} />
          <span>{t(asTable ? 'chart.graph' : 'chart.table')}</span>
        </button>
      </div>
      <div class={cx(styles.plot, busy && styles.busy)} aria-busy={busy}>
        {error && !data ? (
          <Failure title={t('state.failed')} detail={error.message} onRetry={retry} />
        ) : !shown ? (
          <div
            class={cx('skeleton', styles.skeleton)}
            role="status"
            aria-label={t('state.loading')}
          />
        ) : asTable ? (
          <TimeTable
            series={shown.series}
            time={t(`chart.time.${shown.interval}`)}
            caption={shown.title}
            words={shown.words}
          />
        ) : (
          <TimeChart
            series={shown.series}
            kind={shown.kind}
            interval={shown.interval}
            words={shown.words}
          />
        )}
      </div>
    </div>
  );
}

interface Shown {
  series: Series;
  kind: ValueKind;
  interval: 'hour' | 'day';
  title: string;
  words: Words;
}

/** What an answer shows. It belongs to the answer's own question, which may still be the one before. */
function useShown(data: Answered | undefined, timezone: string): Shown | undefined {
  const now = hourLabel(currentTime(), timezone);
  return useMemo(() => {
    // Without visitor numbers there is nothing to draw of the metric; the same by pageviews is on its way.
    if (!data || isAnonymous(data.answer)) return undefined;
    const { question, answer } = data;
    const metric = metricOf(question);
    const kind = kindOf(metric);
    const interval = question.dimensions?.[0] === 'time:hour' ? 'hour' : 'day';
    const rows = new Map(
      answer.results.map((row) => [row.dimensions[0] ?? '', row.metrics[0] ?? null]),
    );
    const series = buildSeries(
      answer.meta?.time_labels ?? [],
      rows,
      interval === 'hour' ? now : now.slice(0, 10),
      // No events are none to count, but there is no average of nothing.
      kind === 'count' ? 0 : null,
    );
    const title = chartTitle(metric, interval);
    const hides = answer.meta?.withheld !== undefined;
    const words: Words = {
      name: t(`metric.${metric}`),
      soFar: t('chart.sofar'),
      none: hides ? t('value.hidden') : DASH,
      hides,
      keys: `${title}. ${t('chart.keys')}`,
      value: (value, long) => formatValue(kind, value, long),
      time: formatTime,
      summary: summarise(title, series, kind, hides),
    };
    return { series, kind, interval, title, words };
    // The language is read inside: a change of it is a change of every word.
  }, [data, now, language.value, locale.value]);
}

function chartTitle(metric: Parameters<typeof kindOf>[0], interval: 'hour' | 'day'): string {
  return t(`chart.by.${interval}`, { metric: t(`metric.${metric}`) });
}

function summarise(title: string, { drawn, labels }: Series, kind: ValueKind, hides: boolean) {
  const range = formatDates(labels[0] ?? '', labels.at(-1) ?? '');
  const known = drawn.filter((bucket) => bucket.value !== null) as (Bucket & { value: number })[];
  const [first] = known;
  if (!first) return t(hides ? 'chart.hidden' : 'chart.empty', { title, range });
  const max = known.reduce((a, b) => (b.value > a.value ? b : a), first);
  const min = known.reduce((a, b) => (b.value < a.value ? b : a), first);
  const summary = t('chart.summary', {
    title,
    range,
    max: formatValue(kind, max.value, true),
    maxAt: formatTime(max.label, true),
    min: formatValue(kind, min.value, true),
    minAt: formatTime(min.label, true),
  });
  return hides ? `${summary} ${t('chart.partly')}` : summary;
}
