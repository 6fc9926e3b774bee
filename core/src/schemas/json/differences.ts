/**
 * The differences between two JSON Schemas that the registry knows, by the names of its API; those of titles, descriptions,
 * ids and defaults aside, which are always compatible. Each is compatible (what was
 * valid by the old schema is valid by the new), compatible by the policy LENIENT alone, or not; then with a description, of
 * which the first `%s` is the new schema, the second the old.
 */
const keyword = 'The %s schema has a keyword that the %s schema does not have'
const more = 'The %s schema has a higher value than the %s schema'
const less = 'The %s schema has a lower value than the %s schema'
const other = 'The %s schema has another value than the %s schema'
const fewer = 'The %s schema allows less here than the %s schema'
const extended = 'The %s schema demands more here than the %s schema'
const type = 'The type in the %s schema is another than in the %s schema'
const open = 'The %s schema has a property or item of its own where the %s schema allows any (an open content model)'
const required = 'The %s schema requires a property that the %s schema, whose content model is not open, does not have'
const closed = 'The %s schema allows no others (a closed content model) and lacks a property or item of the %s schema'
const uncoveredRemoved = 'What the %s schema allows of others does not cover a property or item of the %s schema'
const uncoveredAdded = 'The %s schema has a property or item that what the %s schema allows of others does not cover'

type Verdict = 'compatible' | { readonly description: string; readonly lenient?: true }

export const differences = {
  SCHEMA_ADDED: { description: 'The %s schema has a schema where the %s schema has none' },
  SCHEMA_REMOVED: 'compatible',
  TYPE_EXTENDED: 'compatible',
  TYPE_NARROWED: { description: type },
  TYPE_CHANGED: { description: type },

  MAX_LENGTH_ADDED: { description: keyword },
  MAX_LENGTH_REMOVED: 'compatible',
  MAX_LENGTH_INCREASED: 'compatible',
  MAX_LENGTH_DECREASED: { description: less },
  MIN_LENGTH_ADDED: { description: keyword },
  MIN_LENGTH_REMOVED: 'compatible',
  MIN_LENGTH_INCREASED: { description: more },
  MIN_LENGTH_DECREASED: 'compatible',
  PATTERN_ADDED: { description: keyword },
  PATTERN_REMOVED: 'compatible',
  PATTERN_CHANGED: { description: other },

  MAXIMUM_ADDED: { description: keyword },
  MAXIMUM_REMOVED: 'compatible',
  MAXIMUM_INCREASED: 'compatible',
  MAXIMUM_DECREASED: { description: less },
  MINIMUM_ADDED: { description: keyword },
  MINIMUM_REMOVED: 'compatible',
  MINIMUM_INCREASED: { description: more },
  MINIMUM_DECREASED: 'compatible',
  EXCLUSIVE_MAXIMUM_ADDED: { description: keyword },
  EXCLUSIVE_MAXIMUM_REMOVED: 'compatible',
  EXCLUSIVE_MAXIMUM_INCREASED: 'compatible',
  EXCLUSIVE_MAXIMUM_DECREASED: { description: less },
  EXCLUSIVE_MINIMUM_ADDED: { description: keyword },
  EXCLUSIVE_MINIMUM_REMOVED: 'compatible',
  EXCLUSIVE_MINIMUM_INCREASED: { description: more },
  EXCLUSIVE_MINIMUM_DECREASED: 'compatible',
  MULTIPLE_OF_ADDED: { description: keyword },
  MULTIPLE_OF_REMOVED: 'compatible',
  MULTIPLE_OF_EXPANDED: { description: more },
  MULTIPLE_OF_REDUCED: 'compatible',
  MULTIPLE_OF_CHANGED: { description: other },

  REQUIRED_ATTRIBUTE_ADDED: { description: keyword },
  REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED: 'compatible',
  REQUIRED_ATTRIBUTE_REMOVED: 'compatible',
  MAX_PROPERTIES_ADDED: { description: keyword },
  MAX_PROPERTIES_REMOVED: 'compatible',
  MAX_PROPERTIES_INCREASED: 'compatible',
  MAX_PROPERTIES_DECREASED: { description: less },
  MIN_PROPERTIES_ADDED: { description: keyword },
  MIN_PROPERTIES_REMOVED: 'compatible',
  MIN_PROPERTIES_INCREASED: { description: more },
  MIN_PROPERTIES_DECREASED: 'compatible',
  ADDITIONAL_PROPERTIES_ADDED: 'compatible',
  ADDITIONAL_PROPERTIES_REMOVED: { description: keyword, lenient: true },
  ADDITIONAL_PROPERTIES_EXTENDED: 'compatible',
  ADDITIONAL_PROPERTIES_NARROWED: { description: fewer, lenient: true },
  UNEVALUATED_PROPERTIES_ADDED: 'compatible',
  UNEVALUATED_PROPERTIES_REMOVED: { description: keyword, lenient: true },
  UNEVALUATED_PROPERTIES_EXTENDED: 'compatible',
  UNEVALUATED_PROPERTIES_NARROWED: { description: fewer, lenient: true },
  DEPENDENCY_ARRAY_ADDED: { description: keyword },
  DEPENDENCY_ARRAY_REMOVED: 'compatible',
  DEPENDENCY_ARRAY_EXTENDED: { description: extended },
  DEPENDENCY_ARRAY_NARROWED: 'compatible',
  DEPENDENCY_ARRAY_CHANGED: { description: other },
  DEPENDENCY_SCHEMA_ADDED: { description: keyword },
  DEPENDENCY_SCHEMA_REMOVED: 'compatible',

  REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL: { description: open },
  REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL: { description: open, lenient: true },
  OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL: { description: open, lenient: true },
  PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL: 'compatible',
  REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL: { description: required },
  REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL: 'compatible',
  OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL: 'compatible',
  PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL: 'compatible',
  PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL: 'compatible',
  PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL: { description: closed, lenient: true },
  PROPERTY_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL: 'compatible',
  PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL: { description: uncoveredRemoved, lenient: true },
  PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL: 'compatible',
  PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL: { description: uncoveredAdded, lenient: true },

  MAX_ITEMS_ADDED: { description: keyword },
  MAX_ITEMS_REMOVED: 'compatible',
  MAX_ITEMS_INCREASED: 'compatible',
  MAX_ITEMS_DECREASED: { description: less },
  MIN_ITEMS_ADDED: { description: keyword },
  MIN_ITEMS_REMOVED: 'compatible',
  MIN_ITEMS_INCREASED: { description: more },
  MIN_ITEMS_DECREASED: 'compatible',
  MAX_CONTAINS_ADDED: { description: keyword },
  MAX_CONTAINS_REMOVED: 'compatible',
  MAX_CONTAINS_INCREASED: 'compatible',
  MAX_CONTAINS_DECREASED: { description: less },
  MIN_CONTAINS_ADDED: { description: keyword },
  MIN_CONTAINS_REMOVED: 'compatible',
  MIN_CONTAINS_INCREASED: { description: more },
  MIN_CONTAINS_DECREASED: 'compatible',
  UNIQUE_ITEMS_ADDED: { description: keyword },
  UNIQUE_ITEMS_REMOVED: 'compatible',
  ADDITIONAL_ITEMS_ADDED: 'compatible',
  ADDITIONAL_ITEMS_REMOVED: { description: keyword },
  ADDITIONAL_ITEMS_EXTENDED: 'compatible',
  ADDITIONAL_ITEMS_NARROWED: { description: fewer },
  UNEVALUATED_ITEMS_ADDED: 'compatible',
  UNEVALUATED_ITEMS_REMOVED: { description: keyword },
  UNEVALUATED_ITEMS_EXTENDED: 'compatible',
  UNEVALUATED_ITEMS_NARROWED: { description: fewer },
  ITEM_ADDED_TO_OPEN_CONTENT_MODEL: { description: open },
  ITEM_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL: 'compatible',
  ITEM_ADDED_TO_CLOSED_CONTENT_MODEL: 'compatible',
  ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL: 'compatible',
  ITEM_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL: 'compatible',
  ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL: { description: closed },
  ITEM_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL: 'compatible',
  ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL: { description: uncoveredRemoved },
  ITEM_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL: 'compatible',
  ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL: { description: uncoveredAdded },

  ENUM_ARRAY_EXTENDED: 'compatible',
  ENUM_ARRAY_NARROWED: { description: fewer },
  ENUM_ARRAY_CHANGED: { description: type },
  COMBINED_TYPE_EXTENDED: 'compatible',
  COMBINED_TYPE_CHANGED: { description: type },
  COMBINED_TYPE_SUBSCHEMAS_CHANGED: { description: type },
  PRODUCT_TYPE_EXTENDED: { description: extended },
  PRODUCT_TYPE_NARROWED: 'compatible',
  SUM_TYPE_EXTENDED: 'compatible',
  SUM_TYPE_NARROWED: { description: fewer },
  NOT_TYPE_EXTENDED: { description: extended },
  NOT_TYPE_NARROWED: 'compatible',
} as const satisfies Readonly<Record<string, Verdict>>

export type DifferenceType = keyof typeof differences

export interface Difference {
  readonly type: DifferenceType
  /** Of keywords and names, with slashes between; empty for the schema itself. */
  readonly path: string
}

export function isCompatible(difference: DifferenceType, isLenient: boolean): boolean {
  const verdict: Verdict = differences[difference]
  return verdict === 'compatible' || (isLenient && verdict.lenient === true)
}

/** In the shape of the registry's API. */
export function messageFor({ type: difference, path }: Difference): string {
  const verdict: Verdict = differences[difference]
  const description = verdict === 'compatible' ? '' : verdict.description
  return `{errorType:'${difference}', description:'${description} (path #/${path})'}`
}
