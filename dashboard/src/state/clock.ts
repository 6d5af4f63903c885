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
