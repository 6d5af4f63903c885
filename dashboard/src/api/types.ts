// The read API as the dashboard uses it: the subset of POST /api/v2/query it asks for, kept by hand beside the server's document.
import type { DimensionId } from '../state/dimensions.ts';
import type { MetricId } from '../state/metrics.ts';

export type TimeDimension = 'time:hour' | 'time:day';

export interface Question {
  site_id: string;
  metrics: readonly MetricId[];
  /** A name, or first and last date (`YYYY-MM-DD`, both included) in the site's zone. */
  date_range: 'day' | '7d' | '30d' | readonly [string, string];
  dimensions?: readonly (DimensionId | TimeDimension)[];
  /** All must hold; the values of one are alternatives. */
  filters?: readonly (readonly ['is', DimensionId, readonly string[]])[];
  order_by?: readonly (readonly [MetricId | DimensionId, 'asc' | 'desc'])[];
  include?: { time_labels?: boolean; total_rows?: boolean };
  pagination?: { limit: number; offset: number };
}

export interface Result {
  dimensions: readonly string[];
  /** In the order asked for; null where a metric has no value, or where the value is not shown. */
  metrics: readonly (number | null)[];
}

export interface Meta {
  time_labels?: readonly string[];
  total_rows?: number;
  /** There where rows are left out or numbers are null because they are about too few. */
  withheld?: { min_visitors: number; warning: string };
  /** Metrics that have no value at all, and why. */
  metric_warnings?: Partial<Record<MetricId, { code: string; warning: string }>>;
}

export interface Answer {
  results: readonly Result[];
  meta: Meta;
  /** The question as understood, with absolute dates. */
  query: { date_range?: readonly string[] };
}

/** What stands in place of an answer, for one question of a batch or for a whole request. */
export interface Refusal {
  error: string;
}

export interface BatchAnswer {
  answers: readonly (Answer | Refusal)[];
}
