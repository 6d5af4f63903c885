import { useId } from 'preact/hooks';
import { type Answered, useAnswer } from '../api/adapter.ts';
import { breakdown, isAnonymous, metricOf, ROWS, totals } from '../api/questions.ts';
import { DASH, formatShare, longCount, shortCount } from '../i18n/format.ts';
import { t } from '../i18n/index.ts';
import { nameOf } from '../i18n/names.ts';
import { tooFew } from '../i18n/withheld.ts';
import type { DimensionId } from '../state/dimensions.ts';
import { dimensionOf, isDimension } from '../state/dimensions.ts';
import { type Panel, type Report, type ReportId, reportOf } from '../state/reports.ts';
import { type SiteView, useSiteView } from '../state/siteview.ts';
import { hasFilter, withFilter, withoutFilter, withTab } from '../state/view.ts';
import { BarList, type BarRow, BarSkeleton } from '../ui/BarList.tsx';
import { Card } from '../ui/Card.tsx';
import { Empty, Failure } from '../ui/Notice.tsx';
import { Tabs } from '../ui/Tabs.tsx';
import styles from './breakdown.module.css';

/** A panel of the page: one list of rows at a time, chosen by tabs where there are several. All of them are this component. */
export function Breakdown({ panel }: { panel: Panel }) {
  const siteView = useSiteView();
  const { view, anonymous, replace } = siteView;
  const id = useId();
  const report = reportOf(panel, view.tabs[panel.id]);
  const tabbed = panel.reports.length > 1;
  const title = t(`panel.${panel.id}`);
  const unknown = anonymous && dimensionOf(report.dimension).ofVisit;
  const rows = unknown ? (
    <Empty text={t('panel.unknown')} />
  ) : (
    <Rows key={report.id} report={report} siteView={siteView} />
  );
  return (
    <Card labelledBy={`${id}-title`} testId={`panel-${panel.id}`}>
      <div class={styles.head}>
        <h2 class={styles.title} id={`${id}-title`}>
          {title}
        </h2>
        {tabbed && (
          <Tabs
            tabs={panel.reports.map((item) => ({ id: item.id, label: t(`report.${item.id}`) }))}
            selected={report.id}
            label={title}
            controls={`${id}-rows`}
            onSelect={(tab) => replace(withTab(view, panel.id, tab as ReportId))}
          />
        )}
      </div>
      <div class={styles.columns} aria-hidden="true">
        <span>{t(`dimension.${report.dimension}`)}</span>
        <span>{t(anonymous ? 'metric.pageviews' : 'panel.column')}</span>
      </div>
      {tabbed ? (
        <div
          class={styles.body}
          id={`${id}-rows`}
          role="tabpanel"
          aria-label={t(`report.${report.id}`)}
        >
          {rows}
        </div>
      ) : (
        <div class={styles.body}>{rows}</div>
      )}
    </Card>
  );
}

function Rows({ report, siteView }: { report: Report; siteView: SiteView }) {
  const { site, view, anonymous, href } = siteView;
  const { data, error, busy, retry } = useAnswer(breakdown(site.domain, view, report, anonymous));
  // Asked for by the top numbers as well; the client asks it once.
  const whole = useAnswer(totals(site.domain, view)).data;
  const label = t(`report.${report.id}`);

  if (error && !data)
    return <Failure title={t('state.failed')} detail={error.message} onRetry={retry} />;
  // Without visitor numbers these rows have none; the same by pageviews is on its way.
  if (!data || isAnonymous(data.answer))
    return <BarSkeleton rows={ROWS} label={t('state.loading')} />;
  const { results, meta } = data.answer;
  const hidden = meta?.withheld && tooFew('rows', meta.withheld.min_visitors, anonymous);
  if (results.length === 0) {
    const filtered = view.filters.length > 0;
    const action = { href: href({ ...view, filters: [] }), label: t('filters.clearHere') };
    return (
      <Empty
        text={hidden ?? t(filtered ? 'panel.emptyFiltered' : 'panel.empty')}
        action={filtered ? action : undefined}
      />
    );
  }
  return (
    <>
      <BarList rows={toRows(data, whole, siteView)} busy={busy} label={label} />
      {hidden && <p class={styles.note}>{hidden}</p>}
    </>
  );
}

/** Rows of an answer: words, numbers, and the link that sets the row's filter or takes it away. */
export function toRows(
  data: Answered,
  whole: Answered | undefined,
  { view, href }: Pick<SiteView, 'view' | 'href'>,
): BarRow[] {
  const dimension = dimensionAsked(data);
  const at = whole?.question.metrics.indexOf(metricOf(data.question)) ?? -1;
  const total = whole?.answer.results[0]?.metrics[at] ?? 0;
  const greatest = Math.max(1, ...data.answer.results.map((row) => row.metrics[0] ?? 0));
  return data.answer.results.map((row) => {
    const key = row.dimensions[0] ?? '';
    const value = row.metrics[0] ?? null;
    const exact = value === null ? DASH : longCount(value);
    const label = nameOf(dimension, key);
    const active = hasFilter(view, dimension, key);
    // The two answers may be a refresh apart; a share above one would only be confusing.
    const share = value !== null && total > 0 ? formatShare(Math.min(1, value / total)) : '';
    return {
      key,
      label,
      value,
      share,
      active,
      title: share ? t('panel.row', { label, value: exact, share }) : `${label}: ${exact}`,
      href: href(active ? withoutFilter(view, dimension) : withFilter(view, dimension, key)),
      shown: value === null ? DASH : shortCount(value),
      length: (value ?? 0) / greatest,
    };
  });
}

function dimensionAsked(data: Answered): DimensionId {
  const asked = data.question.dimensions?.[0] ?? '';
  return isDimension(asked) ? asked : 'event:page';
}
