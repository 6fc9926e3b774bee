import { readdirSync, readFileSync } from 'node:fs'

/** A process with its resident memory, from /proc. */
export interface ProcessMemory {
  readonly pid: number
  readonly name: string
  readonly rssMiB: number
}

/** A process and all that it started, with the resident memory of each. Linux only. */
export function processTree(root: number): ProcessMemory[] {
  const children = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid)) continue
    const parent = Number(field(pid, 'PPid'))
    children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const tree: number[] = []
  const walk = (pid: number) => {
    tree.push(pid)
    for (const child of children.get(pid) ?? []) walk(child)
  }
  walk(root)
  return tree.map((pid) => ({ pid, name: field(pid, 'Name'), rssMiB: Number.parseInt(field(pid, 'VmRSS')) / 1024 }))
}

/** Seconds of processor time that a process and its threads have used so far. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function field(pid: number, name: string): string {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '0'
  } catch {
    return '0' // It ended between the listing and the look.
  }
}
