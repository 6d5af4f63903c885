import { describe, expect, it } from 'vitest';
import { lay, linear, nearest, type Plot } from '../src/charts/geometry.ts';
import { buildSeries } from '../src/charts/series.ts';
import { labelTicks, valueTicks } from '../src/charts/ticks.ts';

describe('scale', () => {
  it('maps a range onto another, upside down too', () => {
    const y = linear([0, 10], [100, 0]);
    expect([y(0), y(5), y(10)]).toEqual([100, 50, 0]);
  });

  it('puts a range of no width into the middle', () => {
    expect(linear([3, 3], [0, 10])(3)).toBe(5);
  });
});

describe('value ticks', () => {
  it('begin at zero and reach over the greatest value', () => {
    const f = (kind: Parameters<typeof valueTicks>[0], max: number, want: number[]) =>
      expect(valueTicks(kind, max)).toEqual(want);
    f('count', 0, [0, 1]);
    f('count', 1, [0, 1]);
    f('count', 3, [0, 1, 2, 3]);
    f('count', 59, [0, 20, 40, 60]);
    f('count', 886, [0, 200, 400, 600, 800, 1000]);
    f('percent', 97, [0, 20, 40, 60, 80, 100]);
    f('ratio', 0.3, [0, 0.1, 0.2, 0.3]);
    f('seconds', 187, [0, 60, 120, 180, 240]);
    f('seconds', 4000, [0, 1800, 3600, 5400]);
    f('count', Number.NaN, [0, 1]);
  });

  it('of a count are whole numbers', () => {
    for (let max = 1; max < 200; max++) {
      const ticks = valueTicks('count', max);
      expect(ticks.every(Number.isInteger), `max ${max}: ${ticks}`).toBe(true);
      expect(ticks.at(-1)).toBeGreaterThanOrEqual(max);
      expect(ticks.length).toBeLessThanOrEqual(8);
    }
  });
});

describe('label ticks', () => {
  it('leave room for the text', () => {
    expect(labelTicks('hour', 24, 1100, 60)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]);
    expect(labelTicks('hour', 24, 260, 60)).toEqual([0, 6, 12, 18]);
    expect(labelTicks('day', 7, 900, 60)).toHaveLength(7);
    expect(labelTicks('day', 1, 900, 60)).toEqual([0]);
    expect(labelTicks('day', 0, 900, 60)).toEqual([]);
  });
});

describe('series', () => {
  const labels = ['2026-11-22 00:00:00', '2026-11-22 01:00:00', '2026-11-22 02:00:00'];

  it('has zeros, not gaps, and ends at the running bucket', () => {
    const series = buildSeries(
      labels,
      new Map([['2026-11-22 00:00:00', 4]]),
      '2026-11-22 01:00:00',
    );
    expect(series.drawn.map(({ value }) => value)).toEqual([4, 0]);
    expect(series.unfinished).toBe(true);
    expect(series.labels).toHaveLength(3);
  });

  it('keeps what is not shown apart from zero', () => {
    const rows = new Map([
      ['2026-11-22 00:00:00', null],
      ['2026-11-22 01:00:00', 3],
    ]);
    const values = (now: string, empty: 0 | null) =>
      buildSeries(labels, rows, now, empty).drawn.map(({ value }) => value);
    expect(values('2026-11-23 09:00:00', 0)).toEqual([null, 3, 0]);
    expect(values('2026-11-23 09:00:00', null)).toEqual([null, 3, null]);
  });

  it('is finished when the range lies in the past', () => {
    const series = buildSeries(labels, new Map(), '2026-11-23 09:00:00');
    expect(series.drawn).toHaveLength(3);
    expect(series.unfinished).toBe(false);
  });

  it('trusts data over the clock of this machine', () => {
    const series = buildSeries(
      labels,
      new Map([['2026-11-22 02:00:00', 1]]),
      '2026-11-22 00:00:00',
    );
    expect(series.drawn).toHaveLength(3);
    expect(series.unfinished).toBe(false);
  });

  it('makes do without labels', () => {
    const rows = new Map([
      ['2026-11-22', 2],
      ['2026-11-21', 1],
    ]);
    expect(buildSeries([], rows, '2026-11-30').drawn.map(({ value }) => value)).toEqual([1, 2]);
  });
});

describe('geometry', () => {
  const plot: Plot = { values: [0, 10, 5], buckets: 5, kind: 'count', interval: 'day' };
  const geometry = lay(plot, 418, 240, String);

  it('fills the frame', () => {
    const { frame, x, y } = geometry;
    expect(x(0)).toBe(frame.left);
    expect(x(4)).toBe(frame.right);
    expect(y(0)).toBe(frame.bottom);
    expect(y(geometry.values.at(-1) ?? 0)).toBe(frame.top);
  });

  it('draws through its points and closes the ground at the axis', () => {
    const { frame, x, y, line, area } = geometry;
    expect(line.startsWith(`M${x(0)},${y(0)}`)).toBe(true);
    expect(line.endsWith(`${x(2)},${y(5)}`)).toBe(true);
    expect(area).toContain(`${x(2)},${frame.bottom}`);
    expect(area.endsWith('Z')).toBe(true);
    expect(line).not.toMatch(/NaN|Infinity/);
  });

  it('breaks the line where there is no value', () => {
    const values = [null, 4, 6, null, null, 5, null];
    const broken = lay({ ...plot, values, buckets: 7 }, 618, 240, String);
    const { x, line, area, lone, gaps, frame } = broken;
    expect(line.match(/M/g)).toHaveLength(2);
    expect(area.match(/M/g)).toHaveLength(2);
    expect(Number.parseFloat(line.slice(1))).toBeCloseTo(x(1), 3);
    expect(line + area).not.toMatch(/NaN|Infinity/);
    expect(lone).toEqual([5]);
    expect(gaps).toEqual([
      [frame.left, x(0.5)],
      [x(2.5), x(4.5)],
      [x(5.5), frame.right],
    ]);
    expect(lay({ ...plot, values: [0, 0] }, 618, 240, String).gaps).toEqual([]);
  });

  it('stays sane with one point and with none', () => {
    for (const values of [[], [3], [null]]) {
      const { line, area } = lay({ ...plot, values, buckets: 1 }, 400, 200, String);
      expect(line + area).not.toMatch(/NaN|Infinity/);
    }
  });

  it('finds the drawn bucket nearest to a pointer', () => {
    const at = (px: number) => nearest(geometry, plot, px);
    expect(at(-50)).toBe(0);
    expect(at(geometry.x(1) + 3)).toBe(1);
    expect(at(geometry.x(4))).toBe(2);
  });
});
