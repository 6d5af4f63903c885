/** Names of ranges, the same as the API's: `7d` and `30d` are whole days up to yesterday. */
export type PeriodId = 'day' | '7d' | '30d';

export interface Period {
  readonly id: PeriodId;
  readonly days: number;
  /** Bucket of the main chart. */
  readonly interval: 'hour' | 'day';
  /** Today's numbers still move, so they are asked for again and again. */
  readonly live: boolean;
}

export const PERIODS: readonly [Period, ...Period[]] = [
  { id: 'day', days: 1, interval: 'hour', live: true },
  { id: '7d', days: 7, interval: 'day', live: false },
  { id: '30d', days: 30, interval: 'day', live: false },
];

export const DEFAULT_PERIOD: PeriodId = 'day';

export function isPeriod(id: string): id is PeriodId {
  return PERIODS.some((period) => period.id === id);
}

export function periodOf(id: PeriodId): Period {
  return PERIODS.find((period) => period.id === id) ?? PERIODS[0];
}

/** First and last date of a period as `YYYY-MM-DD`, given the site's own date. The server's answer has the last word. */
export function rangeOf(id: PeriodId, today: string): [string, string] {
  const period = periodOf(id);
  if (id === 'day') return [today, today];
  return [shift(today, -period.days), shift(today, -1)];
}

function shift(date: string, days: number): string {
  const time = Date.parse(`${date}T00:00:00Z`);
  return Number.isNaN(time) ? date : new Date(time + days * 86_400_000).toISOString().slice(0, 10);
}
