import type { Role } from './access-rules.ts'

/** Who asks. */
export interface Principal {
  /** Undefined: nobody in particular, where there is no access control. */
  readonly name: string | undefined
  readonly login: 'basic' | 'bearer' | 'certificate' | 'worker' | 'none'
  /** Undefined: known, and may do nothing. */
  readonly role: Role | undefined
  /** The settings that give roles to it, for messages: `rest.users.*`. */
  readonly rolesBy?: string
}

/** By role, the names that have it; `*` stands for everybody. */
export type RoleNames = Readonly<Record<Role, readonly string[]>>

/** The highest role that any of the names has. */
export function roleOf(names: readonly string[], of: RoleNames): Role | undefined {
  const has = (role: Role): boolean => of[role].includes('*') || names.some((name) => of[role].includes(name))
  return (['admin', 'operate', 'view'] as const).find(has)
}
