import styles from './barlist.module.css';
import { cx } from './cx.ts';

export interface BarRow {
  /** The value itself, as the API knows it. */
  key: string;
  label: string;
  /** Exact number and share in words. */
  title: string;
  href: string;
  /** Null where there is none to show. */
  value: number | null;
  /** The number as written in the row. */
  shown: string;
  /** Part of the whole, written out; empty when the whole is not known. */
  share: string;
  /** Length of the bar, 0 to 1. */
  length: number;
  /** The row is an active filter; its link takes the filter away again. */
  active: boolean;
}

/** Rows of label and number with a bar behind the label. Each row is a real link. */
export function BarList({
  rows,
  busy,
  label,
}: {
  rows: readonly BarRow[];
  busy: boolean;
  label: string;
}) {
  return (
    <ol class={cx(styles.list, busy && styles.busy)} aria-label={label} aria-busy={busy}>
      {rows.map((row) => (
        <li key={row.key}>
          <a
            class={cx(styles.row, row.active && styles.active)}
            href={row.href}
            title={row.title}
            aria-current={row.active ? 'true' : undefined}
            data-testid="row"
            data-key={row.key}
            data-label={row.label}
            data-value={row.value ?? ''}
          >
            {/* Set through the style object of the element, which the content security policy allows. */}
            <span class={styles.bar} style={{ '--length': row.length.toFixed(4) }} />
            <span class={styles.label}>{row.label}</span>
            <span class={styles.share}>{row.share}</span>
            <span class={styles.value}>{row.shown}</span>
          </a>
        </li>
      ))}
    </ol>
  );
}

/** Rows of the final height while the first answer is on its way. */
export function BarSkeleton({ rows, label }: { rows: number; label: string }) {
  return (
    <div class={styles.list} role="status" aria-label={label}>
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} class={styles.row}>
          <span class="skeleton" style={{ inlineSize: `${62 - i * 5}%` }} />
        </div>
      ))}
    </div>
  );
}
