import { ticks } from 'd3-array';
import type { ValueKind } from '../state/metrics.ts';

/** Steps people count time in, in seconds. */
const SECONDS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400,
];

/**
 * Values of the horizontal lines, from 0 up to the first one that is not below `max`; about `count` of them.
 * Whole numbers stay whole, durations step by clock units, percent ends at 100.
 */
export function valueTicks(kind: ValueKind, max: number, count = 4): number[] {
  const top = Number.isFinite(max) && max > 0 ? max : 1;
  if (kind === 'seconds') {
    const wanted = top / count;
    return upTo(top, SECONDS.find((step) => step >= wanted) ?? Math.ceil(wanted / 86_400) * 86_400);
  }
  if (kind === 'count' && top < count) return upTo(top, 1);
  const [first = 0, second = 1] = ticks(0, top, count);
  const step = second - first;
  const list = upTo(top, kind === 'count' ? Math.max(1, step) : step);
  return kind === 'percent' ? list.filter((value) => value <= 100) : list;
}

function upTo(top: number, step: number): number[] {
  const steps = Math.max(1, Math.ceil(top / step - 1e-9));
  // Multiplied, not summed up, and cut to ten digits: 0.1 + 0.2 has no place on an axis.
  return Array.from({ length: steps + 1 }, (_, i) => Number((i * step).toPrecision(10)));
}

const HOUR_STEPS = [1, 2, 3, 6, 12, 24];
const DAY_STEPS = [1, 2, 3, 5, 7, 10, 14, 30];

/** Indices of the buckets that get a label, so that each has at least `room` of `width` pixels. */
export function labelTicks(
  interval: 'hour' | 'day',
  buckets: number,
  width: number,
  room: number,
): number[] {
  const steps = interval === 'hour' ? HOUR_STEPS : DAY_STEPS;
  const slot = width / Math.max(1, buckets - 1);
  const step = steps.find((size) => size * slot >= room) ?? buckets;
  const list: number[] = [];
  for (let i = 0; i < buckets; i += Math.max(1, step)) list.push(i);
  return list;
}
