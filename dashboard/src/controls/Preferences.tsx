import { useId } from 'preact/hooks';
import { t } from '../i18n/index.ts';
import { LANGUAGES, languageChoice, setLanguage, setTheme, THEMES, theme } from '../state/prefs.ts';
import { Icon } from '../ui/Icon.tsx';
import { Menu } from '../ui/Menu.tsx';
import styles from './preferences.module.css';

/** Theme and language of this browser. */
export function Preferences() {
  return (
    <Menu button={<Icon name="sliders" />} label={t('prefs.title')} align="end">
      <Choice
        legend={t('prefs.theme')}
        options={THEMES.map((id) => ({ id, label: t(`prefs.theme.${id}`) }))}
        selected={theme.value}
        onSelect={setTheme}
      />
      <Choice
        legend={t('prefs.language')}
        options={LANGUAGES.map((id) => ({ id, label: t(`prefs.language.${id}`) }))}
        selected={languageChoice.value}
        onSelect={setLanguage}
      />
    </Menu>
  );
}

interface ChoiceProps<T extends string> {
  legend: string;
  options: readonly { id: T; label: string }[];
  selected: T;
  onSelect(id: T): void;
}

function Choice<T extends string>({ legend, options, selected, onSelect }: ChoiceProps<T>) {
  const name = useId();
  return (
    <fieldset class={styles.choice}>
      <legend>{legend}</legend>
      <div class={styles.options}>
        {options.map(({ id, label }) => (
          <label key={id} class={styles.option}>
            <input
              type="radio"
              name={name}
              value={id}
              checked={id === selected}
              onChange={() => onSelect(id)}
            />
            <span>{label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
