// Words for the values of dimensions: what a row, a chip and a tooltip call them.
import { type DimensionId, dimensionOf } from '../state/dimensions.ts';
import type { Filter } from '../state/view.ts';
import en from './en.json';
import { type Key, locale, t } from './index.ts';

/** What the API calls a value that is not there; each dimension has its own words for it. */
const blanks: readonly string[] = ['', '(not set)', '(none)', 'Direct / None'];

/** The label of a value, e.g. `DE` as Germany and the empty source as Direct / None. */
export function nameOf(dimension: DimensionId, value: string): string {
  const { label, empty } = dimensionOf(dimension);
  if (blanks.includes(value)) return t(`value.${empty}`);
  if (label === 'country') return country(value);
  const key = `closed.${value}`;
  return label === 'closed' && Object.hasOwn(en, key) ? t(key as Key) : value;
}

/** A filter as a sentence: Page is /a. */
export function filterName(filter: Filter): string {
  const value = filter.values.map((item) => nameOf(filter.dimension, item)).join(t('filters.or'));
  return t('filters.is', { dimension: t(`dimension.${filter.dimension}`), value });
}

function country(code: string): string {
  // ZZ is the standard's own code for an unknown region.
  if (code === 'ZZ') return t('value.unknown');
  try {
    return (
      new Intl.DisplayNames(locale.value, { type: 'region', fallback: 'code' }).of(code) ?? code
    );
  } catch {
    return code;
  }
}
