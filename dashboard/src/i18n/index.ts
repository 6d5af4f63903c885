// Words of the interface. en.json names the keys; de.json must have every one of them or the type check fails.
import { computed } from '@preact/signals';
import { languageChoice } from '../state/prefs.ts';
import deMessages from './de.json';
import en from './en.json';

export type Messages = Readonly<Record<Key, string>>;
export type Key = keyof typeof en;
/** Keys that exist as `_one` and `_other`. */
export type PluralKey = Key extends infer K
  ? K extends `${infer Base}_other`
    ? Base
    : never
  : never;
export type Params = Readonly<Record<string, string | number>>;

const de: Messages = deMessages;
const tables: Readonly<Record<'en' | 'de', Messages>> = { en, de };

/** The interface's language: the choice, else the first of the browser's languages we speak, else English. */
export const language = computed<'en' | 'de'>(() => {
  if (languageChoice.value !== 'auto') return languageChoice.value;
  for (const tag of browserLanguages()) {
    if (tag.startsWith('de')) return 'de';
    if (tag.startsWith('en')) return 'en';
  }
  return 'en';
});

/** Tag for numbers and dates: the browser's own region (de-AT, en-GB) where it fits the language. */
export const locale = computed(
  () => browserLanguages().find((tag) => tag.split('-')[0] === language.value) ?? language.value,
);

/** The text of a key with `{name}` replaced by the parameter of that name. Re-renders its component on a language change. */
export function t(key: Key, params?: Params): string {
  const text = tables[language.value][key];
  return params
    ? text.replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole))
    : text;
}

/** The plural form for `n`; the parameter `n` defaults to the plain number. */
export function tn(base: PluralKey, n: number, params?: Params): string {
  const one = new Intl.PluralRules(language.value).select(n) === 'one';
  return t(`${base}_${one ? 'one' : 'other'}` as Key, { n, ...params });
}

function browserLanguages(): readonly string[] {
  return navigator.languages?.length ? navigator.languages : [navigator.language ?? 'en'];
}
