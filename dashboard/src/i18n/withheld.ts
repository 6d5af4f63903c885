// What is said where something is not shown because it is about too few.
import { longCount } from './format.ts';
import { t } from './index.ts';

/** Rows with fewer than 10 visitors are not shown. Without visitor numbers it is events that are too few. */
export function tooFew(what: 'rows' | 'numbers', least: number, anonymous: boolean): string {
  const of = t(anonymous ? 'hidden.events' : 'hidden.visitors');
  return t(`hidden.${what}`, { n: longCount(least), of });
}
