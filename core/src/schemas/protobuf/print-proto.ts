/**
 * From a tree to the text that the registry keeps: the layout of the Confluent registry, to the letter. With a scope the
 * text is normalised: names are full names, what has numbers stands in their order, options stand in the order of their
 * names, imports are sorted. Messages keep their order, since their indexes are part of each record.
 */
import type {
  ProtoEnum,
  ProtoEnumValue,
  ProtoExtend,
  ProtoExtensions,
  ProtoField,
  ProtoFile,
  ProtoGroup,
  ProtoMessage,
  ProtoOneof,
  ProtoRange,
  ProtoReserved,
  ProtoRpc,
  ProtoService,
  ProtoType,
} from './proto-tree.ts'
import { InvalidSchemaError } from '../schema-format.ts'
import { inNormalOrder, normalOptions } from './normal-options.ts'
import { entryTypes, isMapEntry, isScalar, mapTypes, maxFieldNumber } from './proto-tree.ts'
import { indented, optionList, optionStatement } from './print-options.ts'
import { joined, type ProtoScope } from './proto-scope.ts'

/**
 * @param scope for the normalised text
 * @throws InvalidSchemaError with a scope, where a name means no type
 */
export function printProto(file: ProtoFile, scope?: ProtoScope): string {
  return new ProtoPrinter(scope).file(file)
}

class ProtoPrinter {
  readonly #scope: ProtoScope | undefined

  constructor(scope: ProtoScope | undefined) {
    this.#scope = scope
  }

  file(file: ProtoFile): string {
    const isNormal = this.#scope !== undefined
    const within = file.package ?? ''
    const imports = isNormal ? sortedOnce(file.imports) : file.imports
    const publicImports = isNormal ? sortedOnce(file.publicImports) : file.publicImports
    const importLines = [
      ...imports.map((path) => `import "${path}";\n`),
      ...publicImports.map((path) => `import public "${path}";\n`),
    ]
    const types = this.#shown(file.types)
    return [
      file.syntax === undefined || (isNormal && file.syntax === 'proto2') ? '' : `syntax = "${file.syntax}";\n`,
      file.package === undefined ? '' : `package ${file.package};\n`,
      fileSection(importLines),
      fileSection(this.#options(file.options, within).map(optionStatement)),
      fileSection(this.#types(types, within)),
      fileSection(this.#extends(file.extends, within)),
      fileSection(file.services.map((service) => this.#service(service, within))),
    ].join('')
  }

  /** Messages first, then enums. */
  #types(types: readonly ProtoType[], within: string): string[] {
    const messages = types.filter((type) => type.kind === 'message')
    const enums = types.filter((type) => type.kind === 'enum')
    return [
      ...messages.map((message) => this.#message(message, joined(within, message.name))),
      ...enums.map((type) => this.#enum(type, joined(within, type.name))),
    ]
  }

  /** A map's entry message is not shown beside the map. */
  #shown(types: readonly ProtoType[]): readonly ProtoType[] {
    return this.#scope === undefined ? types : types.filter((type) => type.kind === 'enum' || !isMapEntry(type))
  }

  #message(message: ProtoMessage, fullName: string): string {
    const isNormal = this.#scope !== undefined
    const fields = isNormal ? byNumber(message.fields) : message.fields
    const oneofs = isNormal ? normalOneofs(message.oneofs) : message.oneofs
    const groups = isNormal ? byNumber(message.groups) : message.groups
    const extensions = isNormal ? normalExtensions(message.extensions) : message.extensions
    return block(`message ${message.name}`, [
      section(this.#reserved(message.reserved)),
      section(this.#options(message.options, fullName).map(optionStatement)),
      section(fields.map((field) => this.#field(field, fullName))),
      section(oneofs.map((oneof) => this.#oneof(oneof, fullName))),
      section(groups.map((group) => this.#group(group, fullName))),
      section(extensions.map((one) => this.#extensionRanges(one, fullName))),
      section(this.#extends(message.extends, fullName)),
      section(this.#types(this.#shown(message.types), fullName)),
    ])
  }

  #enum(type: ProtoEnum, fullName: string): string {
    const values = this.#scope === undefined ? type.values : type.values.toSorted(byNumberAndName)
    const reserved = this.#reserved(type.reserved)
    const rest = [
      ...this.#options(type.options, fullName).map(optionStatement),
      ...values.map((value) => this.#enumValue(value, fullName)),
    ]
    const hasRest = type.options.length > 0 || type.values.length > 0
    return block(`enum ${type.name}`, [
      section(reserved),
      reserved.length === 0 && hasRest ? '\n' : '',
      ...rest.map(indented),
    ])
  }

  #enumValue({ name, number, options }: ProtoEnumValue, within: string): string {
    return `${name} = ${number}${this.#bracketed(options, within)};\n`
  }

  #field(field: ProtoField, within: string): string {
    const { type, isMap } = this.#fieldType(field.type, within)
    const label = field.label === undefined || (isMap && this.#scope !== undefined) ? '' : `${field.label} `
    const options = [...field.options]
    if (field.defaultValue !== undefined)
      options.push({ name: 'default', isCustom: false, value: defaultOf(type, field.defaultValue) })
    if (field.jsonName !== undefined) {
      options.push({ name: 'json_name', isCustom: false, value: { kind: 'string', text: field.jsonName } })
    }
    return `${label}${type} ${field.name} = ${field.number}${this.#bracketed(options, within)};\n`
  }

  #fieldType(written: string, within: string): { type: string; isMap: boolean } {
    const scope = this.#scope
    let map = mapTypes(written)
    if (scope === undefined || isScalar(written)) return { type: written, isMap: map !== undefined }
    if (map === undefined) {
      const declared = this.#resolve(scope, written, within)
      if (declared.mapEntry === undefined) return { type: `.${declared.fullName}`, isMap: false }
      map = entryTypes(declared.mapEntry)
    }
    const value = scope.resolve(map.value, within)
    return { type: `map<${map.key}, ${value === undefined ? map.value : `.${value.fullName}`}>`, isMap: true }
  }

  #resolve(scope: ProtoScope, name: string, within: string) {
    const declared = scope.resolve(name, within)
    if (declared === undefined) throw new InvalidSchemaError(`Could not resolve type: ${name}`)
    return declared
  }

  #oneof(oneof: ProtoOneof, within: string): string {
    const groups = this.#scope === undefined ? oneof.groups : byNumber(oneof.groups)
    return block(`oneof ${oneof.name}`, [
      section(this.#options(oneof.options, within).map(optionStatement)),
      section(oneof.fields.map((field) => this.#field(field, within))),
      section(groups.map((group) => this.#group(group, within))),
    ])
  }

  #group(group: ProtoGroup, within: string): string {
    const fields = this.#scope === undefined ? group.fields : byNumber(group.fields)
    const label = group.label === undefined ? '' : `${group.label} `
    return block(`${label}group ${group.name} = ${group.number}`, [
      section(fields.map((field) => this.#field(field, within))),
    ])
  }

  #reserved(reserved: readonly ProtoReserved[]): string[] {
    if (this.#scope === undefined)
      return reserved.map(({ values }) => `reserved ${values.map(rangeText).join(', ')};\n`)
    return inNormalOrder(reserved.flatMap(({ values }) => values)).map(
      (value) => `reserved ${normalRangeText(value)};\n`,
    )
  }

  #extensionRanges({ ranges, options }: ProtoExtensions, within: string): string {
    const text = this.#scope === undefined ? rangeText : normalRangeText
    return `extensions ${ranges.map(text).join(', ')}${this.#bracketed(options, within)};\n`
  }

  /** Normalised, all that extends a message stands together. */
  #extends(all: readonly ProtoExtend[], within: string): string[] {
    const scope = this.#scope
    if (scope === undefined) return all.map((extend) => this.#extend(extend.name, extend.fields, within))
    const byName = Map.groupBy(
      all.flatMap(({ name, fields }) =>
        fields.map((field) => ({ name: `.${this.#resolve(scope, name, within).fullName}`, field })),
      ),
      ({ name }) => name,
    )
    return [...byName].map(([name, fields]) => this.#extend(name, byNumber(fields.map(({ field }) => field)), within))
  }

  #extend(name: string, fields: readonly ProtoField[], within: string): string {
    return block(`extend ${name}`, [section(fields.map((field) => this.#field(field, within)))])
  }

  #service(service: ProtoService, within: string): string {
    return block(`service ${service.name}`, [
      section(this.#options(service.options, within).map(optionStatement)),
      section(service.rpcs.map((rpc) => this.#rpc(rpc, within))),
    ])
  }

  #rpc(rpc: ProtoRpc, within: string): string {
    const scope = this.#scope
    const typeText = (name: string, isStream: boolean) =>
      `${isStream ? 'stream ' : ''}${scope === undefined ? name : `.${this.#resolve(scope, name, within).fullName}`}`
    const options = this.#options(rpc.options, within).map(optionStatement)
    const request = typeText(rpc.requestType, rpc.requestStreaming)
    const response = typeText(rpc.responseType, rpc.responseStreaming)
    const rest = options.length === 0 ? '' : ` {\n${options.map(indented).join('')}}`
    return `rpc ${rpc.name} (${request}) returns (${response})${rest};\n`
  }

  #options(options: ProtoField['options'], within: string): ProtoField['options'] {
    return this.#scope === undefined ? options : normalOptions(options, this.#scope, within)
  }

  #bracketed(options: ProtoField['options'], within: string): string {
    const shown = this.#options(options, within)
    return shown.length === 0 ? '' : ` ${optionList(shown)}`
  }
}

/** Parts of a file, with an empty line before them if there are any. */
function fileSection(parts: readonly string[]): string {
  return parts.length === 0 ? '' : `\n${parts.join('')}`
}

/** Parts of a block; those of its first section begin in the line after its head, others after an empty line. */
function section(parts: readonly string[]): string {
  return parts.length === 0 ? '' : `\n${parts.map(indented).join('')}`
}

function block(head: string, sections: readonly string[]): string {
  return `${head} {${sections.join('')}}\n`
}

function rangeText(value: string | ProtoRange): string {
  if (typeof value === 'string') return `"${value}"`
  if (typeof value === 'number') return String(value)
  return `${value.first} to ${value.last < maxFieldNumber ? value.last : 'max'}`
}

function normalRangeText(value: string | ProtoRange): string {
  return typeof value === 'object' && value.first === value.last ? String(value.first) : rangeText(value)
}

function normalExtensions(extensions: readonly ProtoExtensions[]): readonly ProtoExtensions[] {
  const single = extensions.flatMap(({ ranges, options }) => ranges.map((range) => ({ ranges: [range], options })))
  const first = ({ ranges: [range] }: ProtoExtensions) => (typeof range === 'object' ? range.first : (range ?? 0))
  return single.toSorted((a, b) => first(a) - first(b))
}

function normalOneofs(oneofs: readonly ProtoOneof[]): readonly ProtoOneof[] {
  return oneofs
    .filter(({ fields }) => fields.length > 0)
    .map((oneof) => ({ ...oneof, fields: byNumber(oneof.fields) }))
    .toSorted((a, b) => (a.fields[0]?.number ?? 0) - (b.fields[0]?.number ?? 0))
}

function byNumber<T extends { readonly number: number }>(parts: readonly T[]): readonly T[] {
  return parts.toSorted((a, b) => a.number - b.number)
}

function byNumberAndName(a: ProtoEnumValue, b: ProtoEnumValue): number {
  return a.number - b.number || (a.name < b.name ? -1 : Number(a.name > b.name))
}

function sortedOnce(paths: readonly string[]): readonly string[] {
  return [...new Set(paths)].sort()
}

function defaultOf(type: string, text: string): ProtoField['options'][number]['value'] {
  // The reference writes bytes without quotes, and can then not read again what is no word.
  if (type === 'bytes' && /^[\w.-]+$/.test(text)) return { kind: 'word', text }
  if (type === 'string' || type === 'bytes') return { kind: 'string', text }
  return { kind: isScalar(type) && type !== 'bool' ? 'number' : 'word', text }
}
