import { ConfigError, ConnectError, schema, type Field, type Logger, type Schema } from '@tidewire/sdk'
import type { TableId } from '../../link/identifier.ts'
import { columnReader, type PgColumn, type TypeOptions } from '../../types/column-reader.ts'
import type { PgType, TypeCatalog } from '../../types/type-catalog.ts'
import { ColumnRules, type ColumnRule } from './column-rules.ts'
import { envelopeSchema } from './event-schemas.ts'
import { parseKeyColumns, type KeyColumns } from './key-columns.ts'
import { fieldNameAdjuster, schemaNameAdjuster, type NameAdjuster } from './name-adjuster.ts'
import { columnRuleSettings, type EventConfig, type NamedSettings } from './settings.ts'
import { sourceTypeOf } from './source-type.ts'
import type { TableFilter } from './table-filter.ts'
import { TableShape, type ShapeColumn } from './table-shape.ts'
import type { TopicNames } from './topic-names.ts'

/** All that a shape depends on beside the config; compared, to find whether it has to be made anew. */
export interface TableFacts extends TableId {
  readonly columns: readonly PgColumn[]
  /** Columns of the primary key or what stands for it, in its order. */
  readonly keyColumns: readonly string[]
  /** Of the columns, and of arrays' elements: enums have their labels there. */
  readonly types: readonly (PgType | undefined)[]
  /** Whether unknown labels of enums make the shape out of date. */
  readonly checksLabels: boolean
}

export interface ShapeBuilderOptions {
  readonly config: EventConfig
  readonly named: NamedSettings
  readonly types: TypeOptions
  readonly catalog: TypeCatalog
  readonly filter: TableFilter
  readonly topics: TopicNames
  readonly log: Logger
}

/** Makes shapes of tables from what is known of them and what is configured. */
export class ShapeBuilder {
  readonly #options: ShapeBuilderOptions
  readonly #rules: ColumnRules
  readonly #keys: KeyColumns
  readonly #schemaName: NameAdjuster
  readonly #fieldName: NameAdjuster
  /** What was logged and is not to be again. */
  readonly #told = new Set<string>()

  /** @throws TypeError with what is wrong with a setting */
  constructor(options: ShapeBuilderOptions) {
    const { config, named } = options
    this.#options = options
    this.#rules = new ColumnRules(columnRuleSettings(config, named))
    this.#keys = parseKeyColumns(config['message.key.columns'] ?? '')
    this.#schemaName = schemaNameAdjuster(config['schema.name.adjustment.mode'])
    this.#fieldName = fieldNameAdjuster(config['field.name.adjustment.mode'])
  }

  factsOf(
    table: TableId,
    columns: readonly PgColumn[],
    keyColumns: readonly string[],
    checksLabels: boolean,
  ): TableFacts {
    const { catalog } = this.#options
    const types = columns.flatMap((column) => {
      const type = catalog.rootOf(column.typeOid, column.typeModifier)?.type
      return type?.kind === 'array' ? [type, catalog.get(type.elementOid)] : [type]
    })
    return { schema: table.schema, table: table.table, columns: columns.map(plain), keyColumns, types, checksLabels }
  }

  /** @throws ConfigError where two columns would have one name in events */
  build(facts: TableFacts): TableShape {
    const id: TableId = { schema: facts.schema, table: facts.table }
    const topic = this.#options.topics.ofTable(id)
    const names = facts.columns.map(({ name }) => name)
    const inKey = this.#keys.of(id, names) ?? facts.keyColumns.filter((name) => names.includes(name))
    const rowFields: Field[] = []
    const keyFields = new Map<string, Field>()
    const columns = facts.columns.map((column): ShapeColumn => {
      const made = this.#column(id, column, inKey.includes(column.name), facts.checksLabels)
      if (made.rowField !== undefined) rowFields.push(made.rowField)
      if (made.keyField !== undefined) keyFields.set(column.name, made.keyField)
      return made.column
    })
    const keySchema = structOf(
      this.#schemaName(`${topic}.Key`),
      inKey.flatMap((name) => keyFields.get(name) ?? []),
    )
    const rowSchema: Schema = { ...structOf(this.#schemaName(`${topic}.Value`), rowFields), optional: true }
    return new TableShape({
      id,
      topic,
      keySchema: keyFields.size === 0 ? undefined : keySchema,
      rowSchema,
      valueSchema: envelopeSchema(this.#schemaName(`${topic}.Envelope`), rowSchema),
      columns,
      onBadValue: (column, error) => this.#badValue(id, columns, column, error),
    })
  }

  #column(
    id: TableId,
    column: PgColumn,
    inKey: boolean,
    checksLabels: boolean,
  ): { column: ShapeColumn; rowField: Field | undefined; keyField: Field | undefined } {
    const { catalog, filter, types } = this.#options
    const inRow = filter.hasColumn(id, column.name)
    const reader = inRow || inKey ? columnReader(column, catalog, types) : undefined
    if (reader === undefined) {
      if (inRow || inKey) this.#leftOut(id, column)
      const nothing = { field: undefined, keyField: undefined, rule: undefined, absent: null, labels: undefined }
      return { column: { name: column.name, reader: undefined, ...nothing }, rowField: undefined, keyField: undefined }
    }
    const type = catalog.rootOf(column.typeOid, column.typeModifier)?.type
    const field = this.#fieldName(column.name)
    if (field === '__proto__') {
      throw new ConfigError(
        `table ${id.schema}.${id.table}: a column named ${column.name} cannot be told; rename it, or leave it out`,
      )
    }
    const sourceType = sourceTypeOf(column, catalog)
    const rule = this.#rules.of(id, { name: column.name, type: sourceType, schema: reader.schema })
    if (rule?.isIdle === true) this.#idle(id, column.name, sourceType.name)
    return {
      column: {
        name: column.name,
        reader,
        field: inRow ? field : undefined,
        keyField: inKey ? field : undefined,
        rule: rule?.apply,
        absent: reader.absent,
        labels: checksLabels && type?.kind === 'enum' ? new Set(type.labels) : undefined,
      },
      rowField: inRow ? { name: field, schema: ruledSchema(reader.schema, rule) } : undefined,
      keyField: inKey ? { name: field, schema: reader.schema } : undefined,
    }
  }

  #badValue({ schema, table }: TableId, columns: readonly ShapeColumn[], name: string, error: unknown): void {
    const mode = this.#options.config['event.converting.failure.handling.mode']
    const what = `table ${schema}.${table}: a value of column ${name} cannot be put into an event`
    const isRequired = columns.some((column) => column.name === name && column.reader?.schema.optional !== true)
    if (mode === 'fail' || isRequired) {
      const wayOut = isRequired
        ? '; the column allows no NULL that could stand for it: leave it out by column.exclude.list'
        : ''
      throw new ConnectError(`${what}: ${(error as Error).message}${wayOut}`, { cause: error })
    }
    if (mode === 'warn')
      this.#warnOnce(`${what}, which has null for it: ${(error as Error).message}`, `${schema}.${table}.${name}`)
  }

  #leftOut({ schema, table }: TableId, { name, typeOid }: PgColumn): void {
    const type = this.#options.catalog.get(typeOid)?.name ?? String(typeOid)
    this.#warnOnce(
      `table ${schema}.${table}: events do not have column ${name}, since its type ${type} has no place in them; set include.unknown.datatypes to have its bytes`,
    )
  }

  #idle({ schema, table }: TableId, column: string, type: string): void {
    this.#warnOnce(
      `table ${schema}.${table}: column ${column} is NOT masked, since only character types are, and it is of type ${type}; leave it out by column.exclude.list`,
    )
  }

  #warnOnce(message: string, subject = message): void {
    if (this.#told.has(subject)) return
    this.#told.add(subject)
    this.#options.log.warn(message)
  }
}

/** Without what else the catalog knows of it, so that what makes no difference to events makes none to facts. */
const plain = ({ name, typeOid, typeModifier, nullable, defaultSql }: PgColumn): PgColumn => ({
  name,
  typeOid,
  typeModifier,
  nullable,
  ...(defaultSql === undefined ? {} : { defaultSql }),
})

function ruledSchema(plain: Schema, rule: ColumnRule | undefined): Schema {
  if (rule === undefined || Object.keys(rule.parameters).length === 0) return plain
  return { ...plain, parameters: { ...plain.parameters, ...rule.parameters } }
}

function structOf(name: string, fields: readonly Field[]): Schema {
  const twice = fields.find(({ name: field }, index) => fields.findIndex((other) => other.name === field) !== index)
  if (twice !== undefined) {
    throw new ConfigError(
      `${name}: field.name.adjustment.mode gives two columns the name ${twice.name}; leave one out, or choose another mode`,
      { setting: 'field.name.adjustment.mode' },
    )
  }
  return { ...schema.struct({}, { name }), fields }
}
