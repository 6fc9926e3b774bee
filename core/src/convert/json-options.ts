/** How the JSON converter writes and reads, from its settings. */
export interface JsonOptions {
  readonly decimalFormat: 'BASE64' | 'NUMERIC'
  /** Whether a null in a field that has a default stands for the default. */
  readonly replaceNullWithDefault: boolean
}
