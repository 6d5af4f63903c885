import { t } from '../i18n/index.ts';
import { PERIODS } from '../state/periods.ts';
import { useSiteView } from '../state/siteview.ts';
import styles from './periodpicker.module.css';

/** The ranges as links; the one shown is marked. */
export function PeriodPicker() {
  const { view, href } = useSiteView();
  return (
    <nav class={styles.picker} aria-label={t('period.label')}>
      {PERIODS.map(({ id }) => (
        <a
          key={id}
          class={styles.period}
          href={href({ ...view, period: id })}
          aria-current={id === view.period ? 'true' : undefined}
          title={t(`period.note.${id}`)}
        >
          {t(`period.${id}`)}
        </a>
      ))}
    </nav>
  );
}
