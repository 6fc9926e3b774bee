/** Which type a name in a .proto file means: protoc's scoping, over the file and all that it imports. */
import type { ProtoExtend, ProtoField, ProtoFile, ProtoMessage, ProtoType } from './proto-tree.ts'
import { isMapEntry } from './proto-tree.ts'

/** A schema that may differ between two versions of the one that refers to it. */
export interface ProtoSource {
  readonly subject: string
  readonly version: number
}

export interface ProtoImport {
  readonly file: ProtoFile
  /** From which subject it comes; undefined for the files that every schema may import. */
  readonly source?: ProtoSource
}

export interface DeclaredType {
  /** With its package. */
  readonly fullName: string
  readonly package: string
  /** The full name without the package. */
  readonly localName: string
  readonly type: ProtoType
  /** The message itself, if it stands for the entries of a map. */
  readonly mapEntry?: ProtoMessage
  /** Undefined for what the file itself declares. */
  readonly importedFrom?: ProtoImport
}

export interface ProtoExtension {
  readonly fullName: string
  /** The message that is extended, as written. */
  readonly extendee: string
  /** Where it is declared: a message or a package. */
  readonly within: string
  readonly field: ProtoField
}

/** All types and extensions that a file declares or imports, by their full names. */
export class ProtoScope {
  readonly package: string
  readonly #types = new Map<string, DeclaredType>()
  readonly #extensions = new Map<string, ProtoExtension>()
  readonly #base: ProtoScope | undefined

  /** @param base what is in scope without being declared or imported here */
  constructor(file: ProtoFile, imports: Iterable<ProtoImport>, base?: ProtoScope) {
    this.package = file.package ?? ''
    this.#base = base
    for (const imported of imports) this.#declare(imported.file, imported)
    this.#declare(file, undefined)
  }

  /** The type of a full name, with or without a dot before it. */
  type(fullName: string): DeclaredType | undefined {
    const name = withoutDot(fullName)
    return this.#types.get(name) ?? this.#base?.type(name)
  }

  extension(fullName: string): ProtoField | undefined {
    return this.#extension(withoutDot(fullName))?.field
  }

  /** The extension of a message by its number. */
  extensionOf(message: string, number: number): ProtoExtension | undefined {
    for (const extension of this.#extensions.values()) {
      if (extension.field.number !== number) continue
      if (this.resolve(extension.extendee, extension.within)?.fullName === message) return extension
    }
    return this.#base?.extensionOf(message, number)
  }

  /**
   * What a name means inside a type.
   * @param within the full name of the message (or the package) in which the name stands
   */
  resolve(name: string, within: string): DeclaredType | undefined {
    return resolveIn(name, within, (fullName) => this.type(fullName))
  }

  /** The full name of the extension that a custom option's name means. */
  resolveExtension(name: string, within: string): string | undefined {
    return resolveIn(name, within, (fullName) => this.#extension(fullName)?.fullName)
  }

  #extension(fullName: string): ProtoExtension | undefined {
    return this.#extensions.get(fullName) ?? (this.#base === undefined ? undefined : this.#base.#extension(fullName))
  }

  #declare(file: ProtoFile, importedFrom: ProtoImport | undefined): void {
    const inPackage = file.package ?? ''
    this.#declareExtensions(file.extends, inPackage)
    for (const type of file.types) this.#declareType(type, inPackage, '', importedFrom)
  }

  #declareType(type: ProtoType, inPackage: string, parent: string, importedFrom: ProtoImport | undefined): void {
    const localName = joined(parent, type.name)
    const fullName = joined(inPackage, localName)
    this.#types.set(fullName, {
      fullName,
      package: inPackage,
      localName,
      type,
      ...(type.kind === 'message' && isMapEntry(type) ? { mapEntry: type } : {}),
      ...(importedFrom === undefined ? {} : { importedFrom }),
    })
    if (type.kind === 'enum') return
    this.#declareExtensions(type.extends, fullName)
    for (const nested of type.types) this.#declareType(nested, inPackage, localName, importedFrom)
  }

  #declareExtensions(extensions: readonly ProtoExtend[], within: string): void {
    for (const { name, fields } of extensions) {
      for (const field of fields) {
        const fullName = joined(within, field.name)
        this.#extensions.set(fullName, { fullName, extendee: name, within, field })
      }
    }
  }
}

/** A qualified name: the parts with a dot between, where both are there. */
export function joined(before: string, name: string): string {
  return before === '' ? name : `${before}.${name}`
}

function withoutDot(name: string): string {
  return name.startsWith('.') ? name.slice(1) : name
}

/** From the innermost scope outwards, as protoc looks a name up. */
function resolveIn<T>(name: string, within: string, find: (fullName: string) => T | undefined): T | undefined {
  if (name.startsWith('.')) return find(name.slice(1))
  for (let scope = within; scope !== ''; scope = scope.slice(0, Math.max(0, scope.lastIndexOf('.')))) {
    const found = find(`${scope}.${name}`)
    if (found !== undefined) return found
  }
  return find(name)
}
