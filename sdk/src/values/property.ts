/**
 * How to read a field whose name every object inherits (`constructor`, `__proto__`): as an own property. Undefined for all
 * other names, which are read as they are.
 */
export function propertyReader(name: string): ((object: Readonly<Record<string, unknown>>) => unknown) | undefined {
  if (!(name in Object.prototype)) return undefined
  return (object) => (Object.hasOwn(object, name) ? object[name] : undefined)
}

/** Sets an own property whatever its name; an assignment to `__proto__` would change the prototype instead. */
export function setProperty(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  } else {
    object[name] = value
  }
}
