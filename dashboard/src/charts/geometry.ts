import { area, curveMonotoneX, line } from 'd3-shape';
import type { ValueKind } from '../state/metrics.ts';
import { labelTicks, valueTicks } from './ticks.ts';

/** The plot inside the picture, in pixels. */
export interface Frame {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Geometry {
  frame: Frame;
  x(index: number): number;
  y(value: number): number;
  /** Horizontal lines, smallest first. */
  values: number[];
  /** Buckets with a label below the axis. */
  labels: number[];
  /** Path of the line and of the ground below it, over the drawn buckets that have a value. */
  line: string;
  area: string;
  /** Buckets with a value between two without: no line leads there. */
  lone: number[];
  /** Where the line is broken: stretches of buckets without a value, from x to x. */
  gaps: [number, number][];
}

export interface Plot {
  /** One value per drawn bucket, from the first on; null where there is none. */
  values: readonly (number | null)[];
  /** Buckets on the axis; those after the drawn ones are still to come. */
  buckets: number;
  kind: ValueKind;
  interval: 'hour' | 'day';
}

/** A straight line from `domain` to `range`; a domain of no width maps to the middle. */
export function linear(
  domain: readonly [number, number],
  range: readonly [number, number],
): (value: number) => number {
  const span = domain[1] - domain[0];
  if (span === 0) return () => (range[0] + range[1]) / 2;
  return (value) => range[0] + ((value - domain[0]) / span) * (range[1] - range[0]);
}

/** Places a plot of one series into a picture of the given size. Pure; `write` says how a value is written on the axis. */
export function lay(
  plot: Plot,
  width: number,
  height: number,
  write: (value: number) => string,
): Geometry {
  const values = valueTicks(
    plot.kind,
    Math.max(0, ...plot.values.filter(isValue)),
    height < 220 ? 3 : 4,
  );
  const widest = Math.max(...values.map((value) => write(value).length));
  const frame: Frame = {
    width,
    height,
    left: Math.max(32, 14 + widest * 7),
    right: width - 18,
    top: 12,
    bottom: height - 28,
  };
  const x = linear([0, plot.buckets - 1], [frame.left, frame.right]);
  const y = linear([0, values.at(-1) ?? 1], [frame.bottom, frame.top]);
  const points = [...plot.values];
  const indices = points.map((_, i) => i);
  const has = (i: number) => typeof points[i] === 'number';
  const top = (value: number | null) => y(value ?? 0);
  return {
    frame,
    x,
    y,
    values,
    labels: labelTicks(plot.interval, plot.buckets, frame.right - frame.left, 64),
    // The monotone curve never swings below zero or above a peak: what is drawn is what was counted.
    line:
      line<number | null>((_, i) => x(i), top)
        .defined(isValue)
        .curve(curveMonotoneX)(points) ?? '',
    area:
      area<number | null>((_, i) => x(i), frame.bottom, top)
        .defined(isValue)
        .curve(curveMonotoneX)(points) ?? '',
    lone: indices.filter((i) => has(i) && !has(i - 1) && !has(i + 1)),
    gaps: gapsOf(plot.values).map(([first, last]) => [
      Math.max(frame.left, x(first - 0.5)),
      Math.min(frame.right, x(last + 0.5)),
    ]),
  };
}

function isValue(value: number | null): value is number {
  return value !== null;
}

/** First and last index of each stretch of values that are not there. */
function gapsOf(values: readonly (number | null)[]): [number, number][] {
  const gaps: [number, number][] = [];
  values.forEach((value, i) => {
    if (value !== null) return;
    const open = gaps.at(-1);
    if (open && open[1] === i - 1) open[1] = i;
    else gaps.push([i, i]);
  });
  return gaps;
}

/** The drawn bucket nearest to a horizontal position in the picture. */
export function nearest(geometry: Geometry, plot: Plot, px: number): number {
  const { left, right } = geometry.frame;
  const index = Math.round(linear([left, right], [0, plot.buckets - 1])(px));
  return Math.min(Math.max(index, 0), plot.values.length - 1);
}
