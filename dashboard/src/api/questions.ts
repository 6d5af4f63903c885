// Every question the dashboard asks, built from the site and the view. Pure.
import { counted, METRICS, type MetricId } from '../state/metrics.ts';
import { periodOf } from '../state/periods.ts';
import type { Report } from '../state/reports.ts';
import type { View } from '../state/view.ts';
import type { Answer, Question } from './types.ts';

/** Rows a panel shows. */
export const ROWS = 9;

/** The top numbers. */
export function totals(domain: string, view: View): Question {
  return { ...base(domain, view), metrics: METRICS.map(({ id }) => id) };
}

/** The main chart: the view's metric by hour or day. The labels say which buckets there are, since empty ones are not in the results. */
export function series(domain: string, view: View, anonymous: boolean): Question {
  return {
    ...base(domain, view),
    metrics: [counted(view.metric, anonymous)],
    dimensions: [`time:${periodOf(view.period).interval}`],
    include: { time_labels: true },
  };
}

/** A panel's rows, greatest first; equal ones by name, so that a refresh never makes rows jump. */
export function breakdown(
  domain: string,
  view: View,
  report: Report,
  anonymous: boolean,
): Question {
  const metric = counted(report.metric, anonymous);
  return {
    ...base(domain, view),
    metrics: [metric],
    dimensions: [report.dimension],
    order_by: [
      [metric, 'desc'],
      [report.dimension, 'asc'],
    ],
    pagination: { limit: ROWS, offset: 0 },
  };
}

/** Whether the answer still moves by itself. */
export function isLive(question: Question): boolean {
  return question.date_range === 'day';
}

/** The metric of a question that has just one. */
export function metricOf(question: Question): MetricId {
  return question.metrics[0] ?? 'visitors';
}

/** Whether the answer says that its site makes no visitor numbers. */
export function isAnonymous({ meta }: Answer): boolean {
  return Object.values(meta?.metric_warnings ?? {}).some(
    ({ code }) => code === 'no_visitor_numbers',
  );
}

function base(domain: string, view: View): Omit<Question, 'metrics'> {
  return {
    site_id: domain,
    date_range: view.period,
    filters: view.filters.map(({ op, dimension, values }) => [op, dimension, values] as const),
  };
}
