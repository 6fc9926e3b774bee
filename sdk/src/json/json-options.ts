/** How the JSON converter writes and reads, from its settings. */
export interface JsonOptions {
  readonly decimalFormat: 'BASE64' | 'NUMERIC'
  /** Whether a null in a field that has a default stands for the default. */
  readonly replaceNullWithDefault: boolean
  /**
   * The form of Confluent's JsonSchemaConverter: a map whose keys are no strings is an array of `{"key", "value"}`, a struct
   * that stands for a union is the value of the field that is set, and what is missing may be so.
   */
  readonly jsonSchema?: true
}
