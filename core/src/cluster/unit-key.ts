/** A connector, or one of its tasks, as a key of maps: `:connector` or `task:connector`. */
export type UnitKey = string

export function unitKey(connector: string, task?: number): UnitKey {
  return `${task ?? ''}:${connector}`
}

export function connectorOf(key: UnitKey): string {
  return key.slice(key.indexOf(':') + 1)
}

/** Undefined: the key is that of the connector itself. */
export function taskOf(key: UnitKey): number | undefined {
  const task = key.slice(0, key.indexOf(':'))
  return task === '' ? undefined : Number(task)
}
