import { signal } from '@preact/signals';

/** Hours and days begin at a quarter of an hour in every zone, since all offsets from UTC are whole quarters. */
const QUARTER_MS = 15 * 60_000;

/** Longest sleep of the clock: timers stand still while the machine sleeps, so a later one would come too late. */
const LOOK_MS = 60_000;

const quarterNow = () => Math.floor(Date.now() / QUARTER_MS);
let timer: ReturnType<typeof setTimeout> | undefined;

/** The quarter of an hour that runs; looked after only while something on the page reads it. */
const quarter = signal(quarterNow(), { watched: look, unwatched: () => clearTimeout(timer) });

function look(): void {
  quarter.value = quarterNow();
  timer = setTimeout(look, Math.min(LOOK_MS, QUARTER_MS - (Date.now() % QUARTER_MS)));
}

/** The time of this moment. A component that reads it is rendered again when another hour or day begins, in any zone. */
export function currentTime(): Date {
  quarter.value;
  return new Date();
}

/**
 * The site's own wall clock, written as the API writes hour labels: `2026-11-22 14:00:00`.
 * An unknown zone counts as UTC.
 */
export function hourLabel(now: Date, timeZone: string): string {
  const parts = new Map<string, string>();
  for (const { type, value } of formatter(timeZone).formatToParts(now)) parts.set(type, value);
  const part = (type: string) => parts.get(type) ?? '00';
  return `${part('year')}-${part('month')}-${part('day')} ${part('hour')}:00:00`;
}

/** The site's own date, `YYYY-MM-DD`. */
export function dateLabel(now: Date, timeZone: string): string {
  return hourLabel(now, timeZone).slice(0, 10);
}

function formatter(timeZone: string): Intl.DateTimeFormat {
  const options: Intl.DateTimeFormatOptions = {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    hourCycle: 'h23',
  };
  try {
    return new Intl.DateTimeFormat('en-US', { ...options, timeZone });
  } catch {
    return new Intl.DateTimeFormat('en-US', { ...options, timeZone: 'UTC' });
  }
}
