/** Outlines on a 16 px grid, drawn with the text's colour. */
const PATHS = {
  chevron: 'm4.5 6.5 3.5 3.5 3.5-3.5',
  close: 'm4.5 4.5 7 7m0-7-7 7',
  sliders: 'M2.5 5h5m4 0h2m-11 6h2m4 0h5M9.5 3.25v3.5M6.5 9.25v3.5',
  table: 'M2.5 3.5h11v9h-11zm0 3h11m-11 3h11m-7-3v6',
  graph: 'm2.5 11.5 3.5-4 3 2.5 4.5-6',
  alert: 'M8 5v3.5m0 2.25v.01M8 2.25 14 13H2z',
  check: 'm3.5 8.5 3 3 6-7',
} as const;

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The product's mark: a grain of salt in daylight. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
      <rect class="mark-ground" width="32" height="32" rx="8" />
      <path class="mark-grain" d="M16 5.5 26 16 16 26.5 6 16Z" />
      <path class="mark-sun" d="M16 5.5 26 16H16Z" />
      <path class="mark-shade" d="M6 16h10v10.5Z" />
    </svg>
  );
}
