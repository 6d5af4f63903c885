import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { cx } from './cx.ts';
import styles from './menu.module.css';

interface Props {
  /** What the button shows. */
  button: ComponentChildren;
  /** The button's name where its content is only a picture. */
  label?: string;
  align?: 'start' | 'end';
  class?: string | undefined;
  children: ComponentChildren;
}

/** A button that opens a small sheet below it. Escape, a click elsewhere and leaving by keyboard close it. */
export function Menu({ button, label, align = 'start', class: className, children }: Props) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const trigger = useRef<HTMLButtonElement>(null);
  const id = useId();

  useEffect(() => {
    if (!open) return undefined;
    const onPointer = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return;
      setOpen(false);
      trigger.current?.focus();
    };
    document.addEventListener('pointerdown', onPointer);
    document.addEventListener('focusin', onPointer);
    document.addEventListener('keydown', onKey);
    return () => {
      document.removeEventListener('pointerdown', onPointer);
      document.removeEventListener('focusin', onPointer);
      document.removeEventListener('keydown', onKey);
    };
  }, [open]);

  return (
    <div class={cx(styles.root, className)} ref={root}>
      <button
        ref={trigger}
        type="button"
        class={styles.button}
        aria-expanded={open}
        aria-controls={id}
        aria-label={label}
        title={label}
        onClick={() => setOpen(!open)}
      >
        {button}
      </button>
      <div id={id} class={cx(styles.sheet, align === 'end' && styles.end)} hidden={!open}>
        {open && children}
      </div>
    </div>
  );
}
