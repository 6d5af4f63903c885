import { useRef } from 'preact/hooks';
import styles from './tabs.module.css';

export interface Tab {
  id: string;
  label: string;
}

interface Props {
  tabs: readonly Tab[];
  selected: string;
  /** Name of the group of tabs. */
  label: string;
  /** Element the tabs switch. */
  controls: string;
  onSelect(id: string): void;
}

/** Tabs as the ARIA practices describe them: one stop in the tab order, arrows move and select. */
export function Tabs({ tabs, selected, label, controls, onSelect }: Props) {
  const list = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent) => {
    const at = tabs.findIndex(({ id }) => id === selected);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    const next = to === undefined ? undefined : (to + tabs.length) % tabs.length;
    const tab = next === undefined ? undefined : tabs[next];
    if (next === undefined || !tab) return;
    event.preventDefault();
    onSelect(tab.id);
    (list.current?.children[next] as HTMLElement | undefined)?.focus();
  };
  return (
    <div class={styles.tabs} role="tablist" aria-label={label} ref={list} onKeyDown={onKeyDown}>
      {tabs.map((tab) => (
        <button
          key={tab.id}
          type="button"
          role="tab"
          class={styles.tab}
          aria-selected={tab.id === selected}
          aria-controls={controls}
          tabIndex={tab.id === selected ? 0 : -1}
          onClick={() => onSelect(tab.id)}
        >
          {tab.label}
        </button>
      ))}
    </div>
  );
}
