import { t } from '../i18n/index.ts';
import { filterName } from '../i18n/names.ts';
import { useSiteView } from '../state/siteview.ts';
import { withoutFilter } from '../state/view.ts';
import { Icon } from '../ui/Icon.tsx';
import styles from './filterbar.module.css';

/** One chip per active filter with a link that takes it away, and one link for all. */
export function FilterBar() {
  const { view, href } = useSiteView();
  if (view.filters.length === 0) return null;
  return (
    <section class={styles.bar} aria-label={t('filters.title')}>
      <ul class={styles.chips}>
        {view.filters.map((filter) => (
          <li key={filter.dimension} class={styles.chip} data-testid="filter">
            <span class={styles.text} title={filterName(filter)}>
              {filterName(filter)}
            </span>
            <a
              class={styles.remove}
              href={href(withoutFilter(view, filter.dimension))}
              aria-label={t('filters.remove', { filter: filterName(filter) })}
            >
              <Icon name="close" />
            </a>
          </li>
        ))}
        <li>
          <a class={styles.clear} href={href({ ...view, filters: [] })}>
            {t('filters.clear')}
          </a>
        </li>
      </ul>
    </section>
  );
}
