import { useMemo, useState } from 'preact/hooks';
import { type Answered, useAnswer } from '../api/adapter.ts';
import { metricOf, series as seriesQuestion } from '../api/questions.ts';
import { buildSeries, type Series } from '../charts/series.ts';
import { TimeChart, type Words } from '../charts/TimeChart.tsx';
import { TimeTable } from '../charts/TimeTable.tsx';
import { formatDates, formatTime, formatValue } from '../i18n/format.ts';
import { language, locale, t } from '../i18n/index.ts';
import { currentTime, hourLabel } from '../state/clock.ts';
import { kindOf, type ValueKind } from '../state/metrics.ts';
import { periodOf } from '../state/periods.ts';
import { useSiteView } from '../state/siteview.ts';
import { cx } from '../ui/cx.ts';
import { Icon } from '../ui/Icon.tsx';
import { Failure } from '../ui/Notice.tsx';
import styles from './mainchart.module.css';

/** The chosen metric over the period, as a chart or as a table. */
export function MainChart() {
  const { site, view } = useSiteView();
  const { data, error, busy, retry } = useAnswer(seriesQuestion(site.domain, view));
  const [asTable, setAsTable] = useState(false);
  const shown = useShown(data, site.timezone);

  return (
    <div class={styles.main}>
      <div class={styles.head}>
        <h2 class={styles.title} id="chart-title">
          {shown?.title ?? chartTitle(view.metric, periodOf(view.period).interval)}
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
    if (!data) return undefined;
    const { question, answer } = data;
    const metric = metricOf(question);
    const kind = kindOf(metric);
    const interval = question.dimensions?.[0] === 'time:hour' ? 'hour' : 'day';
    const rows = new Map(
      answer.results.map((row) => [row.dimensions[0] ?? '', row.metrics[0] ?? 0]),
    );
    const series = buildSeries(
      answer.meta?.time_labels ?? [],
      rows,
      interval === 'hour' ? now : now.slice(0, 10),
    );
    const title = chartTitle(metric, interval);
    const words: Words = {
      name: t(`metric.${metric}`),
      soFar: t('chart.sofar'),
      keys: `${title}. ${t('chart.keys')}`,
      value: (value, long) => formatValue(kind, value, long),
      time: formatTime,
      summary: summarise(title, series, kind),
    };
    return { series, kind, interval, title, words };
    // The language is read inside: a change of it is a change of every word.
  }, [data, now, language.value, locale.value]);
}

function chartTitle(metric: Parameters<typeof kindOf>[0], interval: 'hour' | 'day'): string {
  return t(`chart.by.${interval}`, { metric: t(`metric.${metric}`) });
}

function summarise(title: string, { drawn, labels }: Series, kind: ValueKind): string {
  const range = formatDates(labels[0] ?? '', labels.at(-1) ?? '');
  const [first] = drawn;
  if (!first) return t('chart.empty', { title, range });
  const max = drawn.reduce((a, b) => (b.value > a.value ? b : a), first);
  const min = drawn.reduce((a, b) => (b.value < a.value ? b : a), first);
  return t('chart.summary', {
    title,
    range,
    max: formatValue(kind, max.value, true),
    maxAt: formatTime(max.label, true),
    min: formatValue(kind, min.value, true),
    minAt: formatTime(min.label, true),
  });
}
