/** Which message of a schema a record holds: the place of the message in the file, and of each nested one in its parent. */
import { DataError } from '@tidewire/sdk'
import { joined } from '../../schemas/protobuf/proto-scope.ts'
import type { ProtoFile, ProtoMessage, ProtoType } from '../../schemas/protobuf/proto-tree.ts'
import type { ProtoInput } from './proto-input.ts'

/** Deeper than anyone nests messages. */
const maxIndexes = 100

/**
 * The indexes of a message as they stand before it: their number and they themselves, zigzag; a single 0 for the first
 * message of all.
 * @throws DataError where the file has no such message
 */
export function messageIndexes(file: ProtoFile, fullName: string): Uint8Array {
  const inPackage = file.package === undefined ? '' : `${file.package}.`
  const indexes: number[] = []
  let types = file.types
  const names = fullName.startsWith(inPackage) ? fullName.slice(inPackage.length).split('.') : []
  for (const name of names) {
    const messages = messagesOf(types)
    const index = messages.findIndex((message) => message.name === name)
    if (index < 0) throw new DataError(`the registered schema has no message ${fullName}`)
    indexes.push(index)
    types = messages[index]!.types
  }
  if (indexes.length === 0) throw new DataError(`the registered schema has no message ${fullName}`)
  if (indexes.length === 1 && indexes[0] === 0) return Uint8Array.of(0)
  return Uint8Array.from([indexes.length, ...indexes].flatMap(zigzagVarint))
}

function zigzagVarint(value: number): number[] {
  const bytes: number[] = []
  let rest = value * 2
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  return bytes
}

/** Reads the indexes. @throws DataError where there are none */
export function readIndexes(input: ProtoInput): readonly number[] {
  const count = unzigzag(input.uint32())
  if (count === 0) return firstMessage
  if (count < 0 || count > maxIndexes) throw new DataError(`${count} message indexes`)
  const indexes: number[] = []
  for (let read = 0; read < count; read++) indexes.push(unzigzag(input.uint32()))
  return indexes
}

const firstMessage: readonly number[] = [0]

function unzigzag(value: number): number {
  return (value >>> 1) ^ -(value & 1)
}

/** The full name of the message at these indexes. @throws DataError where there is none */
export function messageAt(file: ProtoFile, indexes: readonly number[]): string {
  let name = file.package ?? ''
  let types = file.types
  for (const index of indexes) {
    const message = messagesOf(types)[index]
    if (message === undefined) throw new DataError(`the schema has no message at ${indexes.join(', ')}`)
    name = joined(name, message.name)
    types = message.types
  }
  return name
}

function messagesOf(types: readonly ProtoType[]): readonly ProtoMessage[] {
  return types.filter((type) => type.kind === 'message')
}
