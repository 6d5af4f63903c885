/** What the embed says, in one language. */
interface Texts {
  /**
   * No flag is set. An objection at the server cannot be seen from here, so this does not say that visits are counted. It and objected
   * take each other's place, and are short, so that nothing on the page moves.
   */
  counted: string;
  objected: string;
  /** The button. */
  object: string;
  undo: string;
  /** How long it lasts. */
  kept: string;
  /** The link to the server's own page. */
  everywhere: string;
  /** The browser sends Global Privacy Control, which the server obeys. */
  control: string;
  /** The browser refuses to store the flag. */
  forbidden: string;
}

const english: Texts = {
  counted: 'You have not opted out here.',
  objected: 'You have opted out here.',
  object: 'Do not count my visits',
  undo: 'Count my visits again',
  kept: 'This is about this site in this browser. An opt-out stays until you delete the data of this site in this browser; Safari deletes them after 7 days without a visit.',
  everywhere: 'Opt out of all sites that this server measures, or undo that',
  control: 'Your browser sends Global Privacy Control, so your visits are not counted anyway.',
  forbidden: 'This browser does not let this site store an opt-out. Please use the link.',
};

const german: Texts = {
  counted: 'Sie haben hier nicht widersprochen.',
  objected: 'Sie haben hier widersprochen.',
  object: 'Meine Besuche nicht zählen',
  undo: 'Meine Besuche wieder zählen',
  kept: 'Das betrifft diese Website in diesem Browser. Ein Widerspruch bleibt, bis Sie die Daten dieser Website in diesem Browser löschen; Safari löscht sie nach 7 Tagen ohne Besuch.',
  everywhere: 'Für alle Websites widersprechen, die dieser Server misst, oder das zurücknehmen',
  control:
    'Ihr Browser sendet Global Privacy Control. Deshalb werden Ihre Besuche ohnehin nicht gezählt.',
  forbidden:
    'Dieser Browser lässt diese Website keinen Widerspruch speichern. Bitte nutzen Sie den Link.',
};

/** The language that is spoken to somebody who reads a page in the given one, which may be empty, and what is said in it. */
export function textsFor(language: string): { lang: string; texts: Texts } {
  return /^de([-_]|$)/i.test(language)
    ? { lang: 'de', texts: german }
    : { lang: 'en', texts: english };
}
