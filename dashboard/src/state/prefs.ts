// Preferences of this browser, not of a link: theme and language. They live in localStorage, which may be refused.
import { effect, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';
export type LanguageChoice = 'auto' | 'en' | 'de';

export const THEMES: readonly Theme[] = ['system', 'light', 'dark'];
export const LANGUAGES: readonly LanguageChoice[] = ['auto', 'en', 'de'];

/** The theme script in boot/theme.js reads the same key. */
const THEME_KEY = 'daysalt.theme';
const LANGUAGE_KEY = 'daysalt.language';

export const theme = signal<Theme>(pick(THEMES, read(THEME_KEY), 'system'));
export const languageChoice = signal<LanguageChoice>(pick(LANGUAGES, read(LANGUAGE_KEY), 'auto'));

export function setTheme(value: Theme): void {
  theme.value = value;
  write(THEME_KEY, value === 'system' ? undefined : value);
}

export function setLanguage(value: LanguageChoice): void {
  languageChoice.value = value;
  write(LANGUAGE_KEY, value === 'auto' ? undefined : value);
}

/** Keeps the root element's theme in step with the choice; returns the stop function. */
export function applyTheme(root: HTMLElement): () => void {
  return effect(() => {
    if (theme.value === 'system') delete root.dataset.theme;
    else root.dataset.theme = theme.value;
  });
}

function pick<T extends string>(known: readonly T[], value: string | undefined, fallback: T): T {
  return known.find((item) => item === value) ?? fallback;
}

function read(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

function write(key: string, value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // The choice then holds until the page is closed.
  }
}
