/** One bucket of a chart, ready to be drawn. */
export interface Bucket {
  /** The API's label: `2026-11-22` or `2026-11-22 14:00:00`. */
  label: string;
  /** Null where there is none to show. */
  value: number | null;
}

export interface Series {
  /** Buckets that have begun, oldest first. */
  drawn: Bucket[];
  /** All buckets of the axis, the future ones included. */
  labels: readonly string[];
  /** Whether the last drawn bucket still runs and its number may grow. */
  unfinished: boolean;
}

/**
 * Makes a series of an answer's rows. `now` is the label of the bucket that runs at the moment in the site's zone; buckets
 * after it have not begun and are not drawn, unless they hold data, which means that this machine's clock is wrong. Buckets without
 * a row have the value `empty`.
 */
export function buildSeries(
  labels: readonly string[],
  rows: ReadonlyMap<string, number | null>,
  now: string,
  empty: 0 | null = 0,
): Series {
  const all = labels.length > 0 ? labels : [...rows.keys()].sort();
  const running = all.indexOf(now);
  let last = all.findLastIndex((label) => label <= now);
  all.forEach((label, i) => {
    if (i > last && rows.has(label) && rows.get(label) !== 0) last = i;
  });
  const drawn = all.slice(0, last + 1).map((label) => {
    const value = rows.get(label);
    return { label, value: value === undefined ? empty : value };
  });
  return { drawn, labels: all, unfinished: running >= 0 && running === last };
}
