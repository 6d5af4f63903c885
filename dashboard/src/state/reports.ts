import type { DimensionId } from './dimensions.ts';
import type { MetricId } from './metrics.ts';

export type PanelId = 'pages' | 'sources' | 'countries' | 'devices';

/** A report is this object and nothing else: one question, one list of rows, one filter a row sets. */
export interface Report {
  /** Unique within its panel; its name in the URL and in the message files. */
  readonly id: ReportId;
  readonly dimension: DimensionId;
  readonly metric: MetricId;
}

export type ReportId =
  | 'top'
  | 'entry'
  | 'exit'
  | 'sources'
  | 'countries'
  | 'browsers'
  | 'systems'
  | 'devices';

export interface Panel {
  readonly id: PanelId;
  /** More than one report makes tabs; the first is the default. */
  readonly reports: readonly [Report, ...Report[]];
}

export const PANELS: readonly Panel[] = [
  {
    id: 'pages',
    reports: [
      { id: 'top', dimension: 'event:page', metric: 'visitors' },
      { id: 'entry', dimension: 'visit:entry_page', metric: 'visitors' },
      { id: 'exit', dimension: 'visit:exit_page', metric: 'visitors' },
    ],
  },
  { id: 'sources', reports: [{ id: 'sources', dimension: 'visit:source', metric: 'visitors' }] },
  {
    id: 'countries',
    reports: [{ id: 'countries', dimension: 'visit:country', metric: 'visitors' }],
  },
  {
    id: 'devices',
    reports: [
      { id: 'browsers', dimension: 'visit:browser', metric: 'visitors' },
      { id: 'systems', dimension: 'visit:os', metric: 'visitors' },
      { id: 'devices', dimension: 'visit:device', metric: 'visitors' },
    ],
  },
];

/** The report a panel shows for a tab name; an unknown name gives the panel's first. */
export function reportOf(panel: Panel, tab: string | undefined): Report {
  return panel.reports.find((report) => report.id === tab) ?? panel.reports[0];
}
