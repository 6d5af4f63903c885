// Every question the dashboard asks, built from the site and the view. Pure.
import { METRICS, type MetricId } from '../state/metrics.ts';
import { periodOf } from '../state/periods.ts';
import type { Report } from '../state/reports.ts';
import type { View } from '../state/view.ts';
import type { Question } from './types.ts';

/** Rows a panel shows. */
export const ROWS = 9;

/** The top numbers. */
export function totals(domain: string, view: View): Question {
  return { ...base(domain, view), metrics: METRICS.map(({ id }) => id) };
}

/** The main chart: one metric by hour or day. The labels say which buckets there are, since empty ones are not in the results. */
export function series(domain: string, view: View): Question {
  return {
    ...base(domain, view),
    metrics: [view.metric],
    dimensions: [`time:${periodOf(view.period).interval}`],
    include: { time_labels: true },
  };
}

/** A panel's rows, greatest first; equal ones by name, so that a refresh never makes rows jump. */
export function breakdown(domain: string, view: View, report: Report): Question {
  return {
    ...base(domain, view),
    metrics: [report.metric],
    dimensions: [report.dimension],
    order_by: [
      [report.metric, 'desc'],
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

function base(domain: string, view: View): Omit<Question, 'metrics'> {
  return {
    site_id: domain,
    date_range: view.period,
    filters: view.filters.map(({ op, dimension, values }) => [op, dimension, values] as const),
  };
}
