/** A table (or another relation) by its schema and name, as the catalog has them: unquoted, in their own case. */
export interface TableId {
  readonly schema: string
  readonly table: string
}

/** A name for SQL, whatever is in it. A NUL cannot be in a name and would end the statement early, so it is dropped. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('\0', '').replaceAll('"', '""')}"`
}

/** A text for SQL, right whatever `standard_conforming_strings` says. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll('\0', '').replaceAll("'", "''")}'`
  return quoted.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

/** `"schema"."table"`, for SQL. */
export function tableName({ schema, table }: TableId): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`
}
