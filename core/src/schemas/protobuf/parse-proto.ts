/**
 * From a .proto text to its tree. What is a schema follows the parser that the Confluent registry uses: proto2 and proto3;
 * editions are refused. Field numbers and names that come twice are not looked for, there as here.
 */
import type {
  ProtoEnum,
  ProtoEnumValue,
  ProtoExtend,
  ProtoExtensions,
  ProtoField,
  ProtoFile,
  ProtoGroup,
  ProtoLabel,
  ProtoMessage,
  ProtoOneof,
  ProtoOption,
  ProtoRange,
  ProtoReserved,
  ProtoRpc,
  ProtoService,
} from './proto-tree.ts'
import { maxFieldNumber } from './proto-tree.ts'
import { parseOptions, parseOptionStatement } from './parse-options.ts'
import { ProtoReader } from './proto-reader.ts'

/** How deep messages may be nested in messages; protoc's own limit is 32. */
const maxDepth = 64

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer Item)[] ? Item[] : T[K] }

/** @throws InvalidSchemaError with line and column */
export function parseProto(text: string): ProtoFile {
  return new ProtoParser(text).file()
}

class ProtoParser {
  readonly #reader: ProtoReader
  #syntax: 'proto2' | 'proto3' | undefined
  #depth = 0

  constructor(text: string) {
    this.#reader = new ProtoReader(text)
  }

  file(): ProtoFile {
    const reader = this.#reader
    const file: Writable<ProtoFile> = {
      imports: [],
      publicImports: [],
      types: [],
      extends: [],
      services: [],
      options: [],
    }
    let isFirst = true
    for (; !reader.isAtEnd; isFirst = false) {
      if (reader.take(';')) continue
      const word = reader.word()
      if (word === 'syntax') file.syntax = this.#syntax = this.#readSyntax(isFirst)
      else if (word === 'package') file.package = this.#lastWord()
      else if (word === 'import') this.#import(file)
      else if (word === 'option') file.options.push(parseOptionStatement(reader))
      else if (word === 'message') this.#add(file.types, this.#message())
      else if (word === 'enum') this.#add(file.types, this.#enum())
      else if (word === 'service') this.#add(file.services, this.#service())
      else if (word === 'extend') file.extends.push(this.#extend())
      else if (word === 'edition') throw reader.error('editions are not supported')
      else throw reader.error(`unexpected '${word}'`)
    }
    return file
  }

  #add<T extends { readonly name: string }>(list: T[], added: T): void {
    if (list.some(({ name }) => name === added.name)) throw this.#reader.error(`${added.name} is defined twice`)
    list.push(added)
  }

  #readSyntax(isFirst: boolean): 'proto2' | 'proto3' {
    const reader = this.#reader
    if (!isFirst) throw reader.error("'syntax' must come first")
    reader.expect('=')
    const syntax = reader.quoted()
    if (syntax !== 'proto2' && syntax !== 'proto3') throw reader.error(`unknown syntax '${syntax}'`)
    reader.expect(';')
    return syntax
  }

  #lastWord(): string {
    const word = this.#reader.word()
    this.#reader.expect(';')
    return word
  }

  #import(file: Writable<ProtoFile>): void {
    const reader = this.#reader
    const sign = reader.peek()
    const kind = sign === '"' || sign === "'" ? '' : reader.word()
    if (kind !== '' && kind !== 'public' && kind !== 'weak') throw reader.error(`unexpected '${kind}'`)
    const path = reader.quoted()
    // As the reference prints them: weak imports, which no compiler makes use of any more, are left out.
    if (kind === 'public') file.publicImports.push(path)
    else if (kind === '') file.imports.push(path)
    reader.expect(';')
  }

  #message(): ProtoMessage {
    const reader = this.#reader
    if (++this.#depth > maxDepth) throw reader.error('messages are nested too deep')
    const message: Writable<ProtoMessage> = {
      kind: 'message',
      name: reader.word(),
      fields: [],
      oneofs: [],
      groups: [],
      types: [],
      reserved: [],
      extensions: [],
      extends: [],
      options: [],
    }
    reader.expect('{')
    while (!reader.take('}')) if (!reader.take(';')) this.#messagePart(message, reader.word())
    this.#depth--
    return message
  }

  #messagePart(message: Writable<ProtoMessage>, word: string): void {
    const reader = this.#reader
    // A field may have a type of one of these names: then its own name comes next, and '=' after it.
    if (word === 'option') message.options.push(parseOptionStatement(reader))
    else if (word === 'reserved') message.reserved.push(this.#reserved())
    else if (word === 'message') message.types.push(this.#message())
    else if (word === 'enum') message.types.push(this.#enum())
    else if (word === 'extend') message.extends.push(this.#extend())
    else if (word === 'oneof') message.oneofs.push(this.#oneof())
    else if (word === 'extensions') message.extensions.push(this.#extensions())
    else this.#labelled(word, message.fields, message.groups)
  }

  /** A field or group, after its first word: its label, or its type where it has none. */
  #labelled(word: string, fields: ProtoField[], groups: ProtoGroup[] | undefined): void {
    const reader = this.#reader
    const label = word === 'required' || word === 'optional' || word === 'repeated' ? word : undefined
    if (label === 'required' && this.#syntax === 'proto3') throw reader.error("proto3 has no 'required'")
    if (label === undefined && this.#syntax !== 'proto3' && !(word === 'map' && reader.peek() === '<')) {
      throw reader.error(`expected 'required', 'optional' or 'repeated' but found '${word}'`)
    }
    const type = label === undefined ? reader.type(word) : reader.type()
    if (type.startsWith('map<') && label !== undefined) throw reader.error('a map cannot have a label')
    if (type !== 'group') fields.push(this.#field(label, type))
    else if (groups !== undefined) groups.push(this.#group(label))
    else throw reader.error('a group cannot stand here')
  }

  #field(label: ProtoLabel | undefined, type: string): ProtoField {
    const reader = this.#reader
    const name = reader.name()
    reader.expect('=')
    const number = reader.integer()
    const options = parseOptions(reader)
    reader.expect(';')
    const defaultValue = textOf(options, 'default')
    const jsonName = textOf(options, 'json_name')
    return {
      ...(label === undefined ? {} : { label }),
      type,
      name,
      number,
      ...(defaultValue === undefined ? {} : { defaultValue }),
      ...(jsonName === undefined ? {} : { jsonName }),
      options: options.filter((option) => option.name !== 'default' && option.name !== 'json_name'),
    }
  }

  #group(label: ProtoLabel | undefined): ProtoGroup {
    const reader = this.#reader
    const name = reader.word()
    reader.expect('=')
    const number = reader.integer()
    const fields: ProtoField[] = []
    reader.expect('{')
    while (!reader.take('}')) if (!reader.take(';')) this.#labelled(reader.word(), fields, undefined)
    return { ...(label === undefined ? {} : { label }), name, number, fields }
  }

  #oneof(): ProtoOneof {
    const reader = this.#reader
    const oneof: Writable<ProtoOneof> = { name: reader.word(), fields: [], groups: [], options: [] }
    reader.expect('{')
    while (!reader.take('}')) {
      if (reader.take(';')) continue
      const type = reader.type()
      if (type === 'option') oneof.options.push(parseOptionStatement(reader))
      else if (type === 'group') oneof.groups.push(this.#group(undefined))
      else oneof.fields.push(this.#field(undefined, type))
    }
    return oneof
  }

  #enum(): ProtoEnum {
    const reader = this.#reader
    const type: Writable<ProtoEnum> = { kind: 'enum', name: reader.word(), values: [], reserved: [], options: [] }
    reader.expect('{')
    while (!reader.take('}')) {
      if (reader.take(';')) continue
      const name = reader.name()
      if (name === 'option') type.options.push(parseOptionStatement(reader))
      else if (name === 'reserved') type.reserved.push(this.#reserved())
      else type.values.push(this.#enumValue(name))
    }
    return type
  }

  #enumValue(name: string): ProtoEnumValue {
    this.#reader.expect('=')
    const number = this.#reader.integer()
    const options = parseOptions(this.#reader)
    this.#reader.expect(';')
    return { name, number, options }
  }

  #reserved(): ProtoReserved {
    const reader = this.#reader
    const values: (string | ProtoRange)[] = []
    do {
      const sign = reader.peek()
      values.push(sign === '"' || sign === "'" ? reader.quoted() : this.#range())
    } while (reader.take(','))
    reader.expect(';')
    return { values }
  }

  #extensions(): ProtoExtensions {
    const reader = this.#reader
    const ranges: ProtoRange[] = []
    do ranges.push(this.#range())
    while (reader.take(','))
    const options = parseOptions(reader)
    reader.expect(';')
    return { ranges, options }
  }

  #range(): ProtoRange {
    const reader = this.#reader
    const first = reader.integer()
    if (!/[a-z]/.test(reader.peek())) return first
    if (reader.word() !== 'to') throw reader.error("expected 'to'")
    if (reader.peek() !== 'm') return { first, last: reader.integer() }
    if (reader.word() !== 'max') throw reader.error("expected a number or 'max'")
    return { first, last: maxFieldNumber }
  }

  #extend(): ProtoExtend {
    const reader = this.#reader
    const name = reader.word()
    const fields: ProtoField[] = []
    reader.expect('{')
    while (!reader.take('}')) if (!reader.take(';')) this.#labelled(reader.word(), fields, undefined)
    return { name, fields }
  }

  #service(): ProtoService {
    const reader = this.#reader
    const service: Writable<ProtoService> = { name: reader.word(), rpcs: [], options: [] }
    reader.expect('{')
    while (!reader.take('}')) {
      if (reader.take(';')) continue
      const word = reader.word()
      if (word === 'option') service.options.push(parseOptionStatement(reader))
      else if (word === 'rpc') service.rpcs.push(this.#rpc())
      else throw reader.error(`unexpected '${word}'`)
    }
    return service
  }

  #rpc(): ProtoRpc {
    const reader = this.#reader
    const name = reader.word()
    const request = this.#rpcType()
    if (reader.word() !== 'returns') throw reader.error("expected 'returns'")
    const response = this.#rpcType()
    const options: ProtoOption[] = []
    if (reader.take('{')) {
      while (!reader.take('}')) {
        if (reader.take(';')) continue
        if (reader.word() !== 'option') throw reader.error("expected 'option'")
        options.push(parseOptionStatement(reader))
      }
    } else {
      reader.expect(';')
    }
    return {
      name,
      requestType: request.type,
      requestStreaming: request.isStream,
      responseType: response.type,
      responseStreaming: response.isStream,
      options,
    }
  }

  #rpcType(): { type: string; isStream: boolean } {
    const reader = this.#reader
    reader.expect('(')
    const word = reader.word()
    const isStream = word === 'stream' && reader.peek() !== ')'
    const type = isStream ? reader.type() : reader.type(word)
    reader.expect(')')
    return { type, isStream }
  }
}

function textOf(options: readonly ProtoOption[], name: string): string | undefined {
  const value = options.findLast((option) => option.name === name)?.value
  if (value === undefined) return undefined
  return 'text' in value ? value.text : ''
}
