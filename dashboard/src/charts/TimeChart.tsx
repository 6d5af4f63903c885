import { useId, useMemo, useRef, useState } from 'preact/hooks';
import type { ValueKind } from '../state/metrics.ts';
import { type Geometry, lay, nearest, type Plot } from './geometry.ts';
import type { Series } from './series.ts';
import { useSize } from './size.ts';
import styles from './timechart.module.css';

/** How the chart writes what it shows; the chart itself knows no language. */
export interface Words {
  /** The chart in one sentence, for those who do not see it. */
  summary: string;
  /** How it is used by keyboard. */
  keys: string;
  /** Name of the values. */
  name: string;
  /** Said of a bucket that still runs. */
  soFar: string;
  /** Said where a value is not shown; a dash where there is none to show. */
  none: string;
  /** Whether gaps of the line hide something. */
  hides: boolean;
  value(value: number, long: boolean): string;
  time(label: string, long: boolean): string;
}

interface Props {
  series: Series;
  kind: ValueKind;
  interval: 'hour' | 'day';
  words: Words;
}

/** One series over time: a line with a soft ground, a cursor for pointer and arrow keys, dashes where the numbers still grow. */
export function TimeChart({ series, kind, interval, words }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(box);
  const [cursor, setCursor] = useState<number>();
  const plot: Plot = useMemo(
    () => ({
      values: series.drawn.map(({ value }) => value),
      buckets: series.labels.length,
      kind,
      interval,
    }),
    [series, kind, interval],
  );
  const geometry = useMemo(
    () =>
      width > 0 && plot.buckets > 0
        ? lay(plot, width, height, (value) => words.value(value, false))
        : undefined,
    [plot, width, height, words],
  );
  const last = plot.values.length - 1;
  const at = cursor === undefined || last < 0 ? undefined : Math.min(cursor, last);

  const onPointer = (event: PointerEvent) => {
    if (!geometry || last < 0) return;
    const { left } = (event.currentTarget as Element).getBoundingClientRect();
    setCursor(nearest(geometry, plot, event.clientX - left));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey || last < 0) return;
    if (event.key === 'Escape') return setCursor(undefined);
    const to = { ArrowLeft: (at ?? last + 1) - 1, ArrowRight: (at ?? -1) + 1, Home: 0, End: last }[
      event.key
    ];
    if (to === undefined) return;
    event.preventDefault();
    setCursor(Math.min(Math.max(to, 0), last));
  };

  return (
    <section
      class={styles.chart}
      ref={box}
      aria-label={words.keys}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the cursor, so the chart takes the focus.
      tabIndex={0}
      onKeyDown={onKeyDown}
      onBlur={() => setCursor(undefined)}
    >
      <svg
        class={styles.picture}
        width={width}
        height={height}
        role="img"
        aria-label={words.summary}
        onPointerMove={onPointer}
        onPointerDown={onPointer}
        onPointerLeave={() => setCursor(undefined)}
      >
        {geometry && <Axes geometry={geometry} series={series} words={words} />}
        {geometry && last >= 0 && <Curve geometry={geometry} last={last} series={series} at={at} />}
      </svg>
      {geometry && at !== undefined && (
        <Tooltip geometry={geometry} series={series} words={words} at={at} />
      )}
      <p class="sr-only" aria-live="polite">
        {at !== undefined && describe(series, words, at)}
      </p>
    </section>
  );
}

function Axes({ geometry, series, words }: { geometry: Geometry; series: Series; words: Words }) {
  const { frame, x, y } = geometry;
  return (
    <g class={styles.axes}>
      {geometry.values.map((value) => (
        <g key={value}>
          <line
            class={value === 0 ? styles.base : styles.rule}
            x1={frame.left}
            x2={frame.right}
            y1={y(value)}
            y2={y(value)}
          />
          <text x={frame.left - 8} y={y(value)} dy="0.32em" text-anchor="end">
            {words.value(value, false)}
          </text>
        </g>
      ))}
      {words.hides &&
        geometry.gaps.map(([from, to]) => (
          <g key={from}>
            <line class={styles.gap} x1={from} x2={to} y1={frame.bottom} y2={frame.bottom} />
            {to - from > 8 * words.none.length && (
              <text x={(from + to) / 2} y={frame.bottom - 10} text-anchor="middle">
                {words.none}
              </text>
            )}
          </g>
        ))}
      {geometry.labels.map((index) => (
        <text
          key={index}
          x={x(index)}
          y={frame.height - 8}
          text-anchor={anchor(x(index), frame.width)}
        >
          {words.time(series.labels[index] ?? '', false)}
        </text>
      ))}
    </g>
  );
}

/** The last label ends at the picture's edge where it would run over it. */
function anchor(px: number, width: number): 'middle' | 'end' {
  return px > width - 28 ? 'end' : 'middle';
}

interface CurveProps {
  geometry: Geometry;
  series: Series;
  last: number;
  at: number | undefined;
}

function Curve({ geometry, series, last, at }: CurveProps) {
  const id = useId();
  const { frame, x, y } = geometry;
  // The curve is one path drawn twice, cut where the last finished bucket lies, so that dashes continue the line exactly.
  const cut = series.unfinished ? x(Math.max(0, last - 1)) : frame.width;
  const marked = at ?? (series.unfinished || last === 0 ? last : undefined);
  const value = marked === undefined ? undefined : series.drawn[marked]?.value;
  return (
    <g>
      <defs>
        <linearGradient id={`${id}-ground`} x1="0" y1="0" x2="0" y2="1">
          <stop class={styles.groundTop} offset="0" />
          <stop class={styles.groundEnd} offset="1" />
        </linearGradient>
        <clipPath id={`${id}-done`}>
          <rect x={0} y={0} width={cut} height={frame.height} />
        </clipPath>
        <clipPath id={`${id}-running`}>
          <rect x={cut} y={0} width={Math.max(0, frame.width - cut)} height={frame.height} />
        </clipPath>
      </defs>
      <path d={geometry.area} fill={`url(#${id}-ground)`} />
      <path class={styles.line} d={geometry.line} clip-path={`url(#${id}-done)`} />
      {series.unfinished && (
        <path class={styles.running} d={geometry.line} clip-path={`url(#${id}-running)`} />
      )}
      {at !== undefined && (
        <line class={styles.cursor} x1={x(at)} x2={x(at)} y1={frame.top} y2={frame.bottom} />
      )}
      {geometry.lone.map((i) => (
        <circle key={i} class={styles.dot} cx={x(i)} cy={y(series.drawn[i]?.value ?? 0)} r={3.5} />
      ))}
      {marked !== undefined && typeof value === 'number' && (
        <circle class={styles.dot} cx={x(marked)} cy={y(value)} r={at === undefined ? 3.5 : 5} />
      )}
    </g>
  );
}

function Tooltip({
  geometry,
  series,
  words,
  at,
}: {
  geometry: Geometry;
  series: Series;
  words: Words;
  at: number;
}) {
  const bucket = series.drawn[at];
  if (!bucket) return null;
  const px = geometry.x(at);
  const flip = px > geometry.frame.width / 2;
  // The sheet stands beside the cursor, on the side that has more room.
  const place = flip ? { right: `${geometry.frame.width - px + 12}px` } : { left: `${px + 12}px` };
  return (
    <div class={styles.tooltip} style={place} aria-hidden="true">
      <span class={styles.when}>
        {words.time(bucket.label, true)}
        {series.unfinished && at === series.drawn.length - 1 && ` · ${words.soFar}`}
      </span>
      <span class={styles.what}>
        <strong>{write(words, bucket.value)}</strong> {bucket.value !== null && words.name}
      </span>
    </div>
  );
}

function describe(series: Series, words: Words, at: number): string {
  const bucket = series.drawn[at];
  return bucket ? `${words.time(bucket.label, true)}: ${write(words, bucket.value)}` : '';
}

/** A bucket's value with every digit. */
export function write(words: Words, value: number | null): string {
  return value === null ? words.none : words.value(value, true);
}
