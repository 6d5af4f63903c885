// Numbers, durations and dates as people of the chosen language write them.
import type { ValueKind } from '../state/metrics.ts';
import { language, locale } from './index.ts';

/** Stands for a number that is not there. */
export const DASH = '–';

/** A number cut to at most about seven characters: 9,876 · 12.3K · 4.5M. German writes 123.456 out before it says Mio. */
export function shortCount(value: number): string {
  if (Math.abs(value) < 10_000) return longCount(value);
  return number({ notation: 'compact', maximumFractionDigits: 1 }).format(value);
}

/** Every digit. */
export function longCount(value: number): string {
  return number({ maximumFractionDigits: 0 }).format(value);
}

/** A part of a whole, 0 to 1; a share too small for one decimal is written as such, never as nothing. */
export function formatShare(part: number): string {
  const percent = number({ style: 'percent', maximumFractionDigits: 1 });
  return part > 0 && part < 0.001 ? `< ${percent.format(0.001)}` : percent.format(part);
}

/** Seconds as the two greatest units: 45s · 3m 7s · 1h 2m (German: 3 min 7 s). */
export function formatDuration(seconds: number): string {
  const total = Math.max(0, Math.round(seconds));
  const [h, m, s] = language.value === 'de' ? [' h', ' min', ' s'] : ['h', 'm', 's'];
  if (total < 60) return `${total}${s}`;
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return total % 60 === 0 ? `${minutes}${m}` : `${minutes}${m} ${total % 60}${s}`;
  const hours = longCount(Math.floor(minutes / 60));
  return minutes % 60 === 0 ? `${hours}${h}` : `${hours}${h} ${minutes % 60}${m}`;
}

/** A metric's value; `long` gives every digit. No value is a dash. */
export function formatValue(
  kind: ValueKind,
  value: number | null | undefined,
  long = false,
): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  switch (kind) {
    case 'count':
      return long ? longCount(value) : shortCount(value);
    case 'ratio':
      return number({ maximumFractionDigits: 2 }).format(value);
    case 'percent':
      return number({ style: 'percent', maximumFractionDigits: long ? 2 : 1 }).format(value / 100);
    case 'seconds':
      return formatDuration(value);
  }
}

/** A time label of the API (`2026-11-22` or `2026-11-22 14:00:00`, the site's own time) for an axis or, `long`, a tooltip. */
export function formatTime(label: string, long = false): string {
  const time = parse(label);
  if (time === undefined) return label;
  if (label.length > 10) {
    // 2 PM needs no minutes, 14 does: alone it would not look like a time.
    const twelve = date({ hour: 'numeric' }).resolvedOptions().hour12 === true;
    const hour = date({ hour: 'numeric', minute: long || !twelve ? '2-digit' : undefined });
    return long ? hour.formatRange(time, new Date(time.getTime() + 3_600_000)) : hour.format(time);
  }
  return date(
    long
      ? { weekday: 'short', day: 'numeric', month: 'short' }
      : { day: 'numeric', month: 'short' },
  ).format(time);
}

/** A range of dates written out; one day gets its weekday. */
export function formatDates(first: string, last: string): string {
  const [from, to] = [parse(first.slice(0, 10)), parse(last.slice(0, 10))];
  if (!from || !to) return `${first} ${DASH} ${last}`;
  if (from.getTime() === to.getTime()) {
    return date({ weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }).format(from);
  }
  return date({ day: 'numeric', month: 'long', year: 'numeric' }).formatRange(from, to);
}

// Labels are wall-clock times of the site. They are read and written as UTC, so that the reader's own zone never moves them.
function parse(label: string): Date | undefined {
  const time = new Date(`${label.length > 10 ? label.replace(' ', 'T') : `${label}T00:00:00`}Z`);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

function number(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  return new Intl.NumberFormat(locale.value, options);
}

function date(
  options: { [K in keyof Intl.DateTimeFormatOptions]?: Intl.DateTimeFormatOptions[K] | undefined },
): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat(locale.value, {
    ...options,
    timeZone: 'UTC',
  } as Intl.DateTimeFormatOptions);
}
