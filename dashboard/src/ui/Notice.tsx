import { t } from '../i18n/index.ts';
import { Icon } from './Icon.tsx';
import styles from './notice.module.css';

interface FailureProps {
  title: string;
  /** The server's own sentence; empty when it did not answer. */
  detail: string;
  onRetry(): void;
}

/** What could not be loaded, why, and a way to try again. Sits where the content would be. */
export function Failure({ title, detail, onRetry }: FailureProps) {
  return (
    <div class={styles.notice} role="alert">
      <Icon name="alert" />
      <p class={styles.title}>{title}</p>
      <p class={styles.detail}>{detail || t('state.offline')}</p>
      <button type="button" class="button" onClick={onRetry}>
        {t('state.retry')}
      </button>
    </div>
  );
}

/** A thin line above numbers that are still shown but no longer refreshed. */
export function Stale({ detail, onRetry }: Omit<FailureProps, 'title'>) {
  return (
    <div class={styles.stale} role="alert">
      <Icon name="alert" />
      <p>
        {t('state.stale')}. {detail || t('state.offline')}
      </p>
      <button type="button" class="button" onClick={onRetry}>
        {t('state.retry')}
      </button>
    </div>
  );
}

/** A list without rows. */
export function Empty({
  text,
  action,
}: {
  text: string;
  action?: { href: string; label: string } | undefined;
}) {
  return (
    <div class={styles.notice}>
      <p class={styles.detail}>{text}</p>
      {action && (
        <a class="button" href={action.href}>
          {action.label}
        </a>
      )}
    </div>
  );
}
