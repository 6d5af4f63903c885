/** How a dimension's values become words: as they are, as a country's name, or as a closed table's word (Mobile, Other) from the message files. */
export type LabelKind = 'text' | 'country' | 'closed';

export type DimensionId =
  | 'event:page'
  | 'visit:entry_page'
  | 'visit:exit_page'
  | 'visit:source'
  | 'visit:country'
  | 'visit:browser'
  | 'visit:os'
  | 'visit:device';

export interface Dimension {
  readonly id: DimensionId;
  readonly label: LabelKind;
  /** What the empty value means: a visit without source came directly, anything else is not known. */
  readonly empty: 'direct' | 'unknown';
  /** It is about whole visits, which a site without visitor numbers does not know. */
  readonly ofVisit?: true;
}

/** Everything that can be broken down and filtered by. Adding a report starts here. */
export const DIMENSIONS: readonly Dimension[] = [
  { id: 'event:page', label: 'text', empty: 'unknown' },
  { id: 'visit:entry_page', label: 'text', empty: 'unknown', ofVisit: true },
  { id: 'visit:exit_page', label: 'text', empty: 'unknown', ofVisit: true },
  { id: 'visit:source', label: 'text', empty: 'direct' },
  { id: 'visit:country', label: 'country', empty: 'unknown' },
  { id: 'visit:browser', label: 'closed', empty: 'unknown' },
  { id: 'visit:os', label: 'closed', empty: 'unknown' },
  { id: 'visit:device', label: 'closed', empty: 'unknown' },
];

export function isDimension(id: string): id is DimensionId {
  return DIMENSIONS.some((dimension) => dimension.id === id);
}

export function dimensionOf(id: DimensionId): Dimension {
  return (
    DIMENSIONS.find((dimension) => dimension.id === id) ?? { id, label: 'text', empty: 'unknown' }
  );
}
