import type { ScramMechanism } from '../protocol/scram.ts'

/** The mechanisms by the protocol's numbers (KIP-554). */
export const scramTypes = { 'SCRAM-SHA-256': 1, 'SCRAM-SHA-512': 2 } as const satisfies Record<ScramMechanism, number>

export function scramMechanismOf(type: number): ScramMechanism | undefined {
  const names = Object.keys(scramTypes) as ScramMechanism[]
  return names.find((name) => scramTypes[name] === type)
}
