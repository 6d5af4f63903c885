// What is looked at, and its form in the URL. The query string is the only source of truth for it: nothing here is
// stored anywhere else, so every state of the page can be linked to, and back and forward just work.
//
//   ?period=7d&metric=pageviews&f=is,event:page,/a&f=is,visit:source,&pages=entry
//
// Whatever is unknown, double or hostile in a query string is dropped, never an error: links outlive versions.
import { type DimensionId, isDimension } from './dimensions.ts';
import { DEFAULT_METRIC, isMetric, type MetricId } from './metrics.ts';
import { DEFAULT_PERIOD, isPeriod, type PeriodId } from './periods.ts';
import { PANELS, type PanelId, type ReportId } from './reports.ts';

export interface Filter {
  readonly op: 'is';
  readonly dimension: DimensionId;
  /** One or more values, any of which matches. The empty text is a value: no source, no country. */
  readonly values: readonly string[];
}

export interface View {
  readonly period: PeriodId;
  readonly metric: MetricId;
  /** At most one per dimension; all must hold. */
  readonly filters: readonly Filter[];
  /** Panels that show another tab than their first. */
  readonly tabs: Readonly<Partial<Record<PanelId, ReportId>>>;
}

// What the API takes; it refuses every question whose filters hold more.
/** Longest filter value in bytes; the collector keeps no longer path either. */
const MAX_VALUE_BYTES = 2000;
/** Most values of one filter. */
const MAX_VALUES = 200;
/** Longest text of all filters' values together, in bytes. */
const MAX_TEXT_BYTES = 32_768;

export function parseView(search: string): View {
  const params = new URLSearchParams(search);
  const period = params.get('period') ?? '';
  const metric = params.get('metric') ?? '';
  const filters = new Map<DimensionId, Filter>();
  for (const text of params.getAll('f')) {
    const filter = parseFilter(text);
    if (filter) filters.set(filter.dimension, filter);
  }
  const tabs: Partial<Record<PanelId, ReportId>> = {};
  for (const panel of PANELS) {
    const report = panel.reports.find(({ id }) => id === params.get(panel.id));
    if (report && report !== panel.reports[0]) tabs[panel.id] = report.id;
  }
  return {
    period: isPeriod(period) ? period : DEFAULT_PERIOD,
    metric: isMetric(metric) ? metric : DEFAULT_METRIC,
    filters: fitting([...filters.values()]),
    tabs,
  };
}

/** The query string of a view with its leading `?`; empty when everything is at its default. */
export function formatView(view: View): string {
  const params = new URLSearchParams();
  if (view.period !== DEFAULT_PERIOD) params.set('period', view.period);
  if (view.metric !== DEFAULT_METRIC) params.set('metric', view.metric);
  for (const filter of view.filters) params.append('f', formatFilter(filter));
  for (const panel of PANELS) {
    const tab = view.tabs[panel.id];
    if (tab && tab !== panel.reports[0].id) params.set(panel.id, tab);
  }
  // Slash, colon and comma need no escape in a query string, and links are for people too.
  const text = params.toString().replace(/%2F/g, '/').replace(/%3A/g, ':').replace(/%2C/g, ',');
  return text === '' ? '' : `?${text}`;
}

/** Address of a site's page showing this view. */
export function siteHref(domain: string, view: View): string {
  return `/sites/${encodeURIComponent(domain)}${formatView(view)}`;
}

export function withFilter(view: View, dimension: DimensionId, value: string): View {
  const filter: Filter = { op: 'is', dimension, values: [value] };
  return { ...view, filters: [...without(view.filters, dimension), filter] };
}

export function withoutFilter(view: View, dimension: DimensionId): View {
  return { ...view, filters: without(view.filters, dimension) };
}

export function withTab(view: View, panel: PanelId, tab: ReportId): View {
  return { ...view, tabs: { ...view.tabs, [panel]: tab } };
}

export function hasFilter(view: View, dimension: DimensionId, value: string): boolean {
  return view.filters.some(
    (filter) => filter.dimension === dimension && filter.values.includes(value),
  );
}

function without(filters: readonly Filter[], dimension: DimensionId): Filter[] {
  return filters.filter((filter) => filter.dimension !== dimension);
}

// A filter is `is,DIMENSION,VALUE[,VALUE...]`; comma and backslash inside a value are escaped by a backslash.

function formatFilter(filter: Filter): string {
  const values = filter.values.map((value) => value.replace(/[\\,]/g, '\\$&'));
  return [filter.op, filter.dimension, ...values].join(',');
}

function parseFilter(text: string): Filter | undefined {
  const [op, dimension, ...values] = splitEscaped(text);
  if (op !== 'is' || dimension === undefined || !isDimension(dimension)) return undefined;
  const unique = [...new Set(values)].filter((value) => isValue(dimension, value));
  if (unique.length === 0) return undefined;
  return { op, dimension, values: unique.slice(0, MAX_VALUES) };
}

/** Whether the API takes a value: a country is two capital letters or nothing, which has a name there. */
function isValue(dimension: DimensionId, value: string): boolean {
  if (dimension === 'visit:country' && !/^([A-Z]{2}|\(not set\))?$/.test(value)) return false;
  return bytes(value) <= MAX_VALUE_BYTES;
}

/** The filters without those whose values no longer fit. */
function fitting(filters: readonly Filter[]): Filter[] {
  let room = MAX_TEXT_BYTES;
  return filters.filter(({ values }) => {
    const size = values.reduce((sum, value) => sum + bytes(value), 0);
    if (size > room) return false;
    room -= size;
    return true;
  });
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

function splitEscaped(text: string): string[] {
  const parts: string[] = [];
  let part = '';
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === ',') {
      parts.push(part);
      part = '';
    } else {
      part += char === '\\' && i + 1 < text.length ? text.charAt(++i) : char;
    }
  }
  return [...parts, part];
}
