import type { ComponentChildren } from 'preact';
import styles from './card.module.css';

/** A named region of the page on its own ground. `testId` is a stable hook for browser tests. */
export function Card({
  labelledBy,
  testId,
  children,
}: {
  labelledBy: string;
  testId?: string;
  children: ComponentChildren;
}) {
  return (
    <section class={styles.card} aria-labelledby={labelledBy} data-testid={testId}>
      {children}
    </section>
  );
}
