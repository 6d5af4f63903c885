import type { Series } from './series.ts';
import { type Words, write } from './TimeChart.tsx';
import styles from './timetable.module.css';

interface Props {
  series: Series;
  /** Head of the first column. */
  time: string;
  caption: string;
  words: Words;
}

/** The chart's numbers as a table, newest last, as in the chart. */
export function TimeTable({ series, time, caption, words }: Props) {
  const last = series.drawn.length - 1;
  return (
    <section
      class={styles.box}
      aria-label={caption}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling box must be reachable to be scrolled by keyboard.
      tabIndex={0}
    >
      <table class={styles.table}>
        <caption class="sr-only">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">{time}</th>
            <th scope="col">{words.name}</th>
          </tr>
        </thead>
        <tbody>
          {series.drawn.map((bucket, i) => (
            <tr key={bucket.label}>
              <th scope="row">
                {words.time(bucket.label, true)}
                {series.unfinished && i === last && <span class={styles.note}> {words.soFar}</span>}
              </th>
              <td>{write(words, bucket.value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
