/** How a metric's number is written: whole number, two decimals, percent (0-100), or seconds. */
export type ValueKind = 'count' | 'ratio' | 'percent' | 'seconds';

export type MetricId =
  | 'visitors'
  | 'visits'
  | 'pageviews'
  | 'views_per_visit'
  | 'bounce_rate'
  | 'visit_duration';

export interface Metric {
  readonly id: MetricId;
  readonly kind: ValueKind;
}

/** The top numbers, in the order shown. Ids are the API's own. */
export const METRICS: readonly Metric[] = [
  { id: 'visitors', kind: 'count' },
  { id: 'visits', kind: 'count' },
  { id: 'pageviews', kind: 'count' },
  { id: 'views_per_visit', kind: 'ratio' },
  { id: 'bounce_rate', kind: 'percent' },
  { id: 'visit_duration', kind: 'seconds' },
];

export const DEFAULT_METRIC: MetricId = 'visitors';

/** The metric shown where `id` is chosen: a site without visitor numbers knows no other than pageviews. */
export function counted(id: MetricId, anonymous: boolean): MetricId {
  return anonymous ? 'pageviews' : id;
}

export function isMetric(id: string): id is MetricId {
  return METRICS.some((metric) => metric.id === id);
}

export function kindOf(id: MetricId): ValueKind {
  return METRICS.find((metric) => metric.id === id)?.kind ?? 'count';
}
