/**
 * The embed for a page about privacy: shows whether this browser objected to being counted on this site, and switches it in place.
 *
 * It stands beside the tracker, and works with any client that obeys the flags. In `<div data-daysalt-optout>` it puts a state, a
 * button, and a link to the opt-out page of the server that it came from. It also obeys the fragment with which that page
 * sends a visitor back, so that a site with another client than ours needs nothing else.
 *
 * Invariants: what the div holds stays when the script cannot run; it has no styles of its own, so the site's apply and no
 * policy can block them; nothing is stored before a click, nothing is sent, and no error reaches the page.
 *
 * It does not know of an objection at the server: that cookie is not for a page to read.
 */
import { guarded, on } from './guard.js';
import { isObjected, mark, obeyFragment } from './objection.js';
import { domain, home } from './tag.js';
import { textsFor } from './texts.js';

declare global {
  interface Navigator {
    globalPrivacyControl?: boolean;
  }
}

const { lang, texts } = textsFor(document.documentElement.lang || navigator.language);

function element<K extends keyof HTMLElementTagNameMap>(name: K, content: string | Node = '') {
  const made = document.createElement(name);
  made.append(content);
  return made;
}

/** Where the visitor objects for all sites at once, and comes back to this page. */
function everywhere(): string {
  const back = location.origin + location.pathname + location.search;
  return `${home}opt-out?${new URLSearchParams({ site: domain, back })}`;
}

/** Replaces what is in the box. */
function fill(box: HTMLElement) {
  const status = element('p');
  status.setAttribute('role', 'status');
  const button = element('button');
  button.type = 'button';
  const row = element('p', button);
  const link = element('a', texts.everywhere);
  link.href = everywhere();
  box.textContent = '';
  box.lang = lang;
  box.append(status, row, element('p', texts.kept), element('p', link));

  /** Shows the state, after a change if one is given. */
  const show = (change?: (objected: boolean) => void) => {
    try {
      change?.(isObjected());
      const objected = isObjected();
      status.textContent = objected ? texts.objected : texts.counted;
      button.textContent = objected ? texts.undo : texts.object;
    } catch {
      status.textContent = texts.forbidden;
      row.remove();
    }
    if (navigator.globalPrivacyControl) {
      status.textContent = texts.control;
      row.remove();
    }
  };
  show();
  button.addEventListener('click', () =>
    show((objected) => mark(objected ? 'removeItem' : 'setItem')),
  );
  // It may have changed in another tab, or while this page lay in the back-forward cache.
  on('storage', () => show());
  on('pageshow', () => show());
}

const fillAll = guarded(() => {
  for (const box of document.querySelectorAll<HTMLElement>('[data-daysalt-optout]')) {
    fill(box);
  }
});

obeyFragment();
if (document.readyState === 'loading') {
  on('DOMContentLoaded', fillAll);
} else {
  fillAll();
}
