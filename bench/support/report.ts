import { readFile, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { resolve } from 'node:path'

const page = resolve(import.meta.dirname, '../../docs/performance.md')

/** A table in Markdown, columns padded. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head, head.map(() => '---'), ...rows.map((row) => row.map(String))]
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  return cells.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`).join('\n')
}

/** The machine and the versions, for the head of a report. */
export function machine(): string {
  const cpu = cpus()[0]?.model.trim() ?? 'unknown processor'
  return `${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores (${cpu}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}, ${process.platform}`
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** The value that a share of all values does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/**
 * Prints a report; with `--write` among the arguments it also replaces the section of that name in docs/performance.md.
 * @param section the marker's name: `<!-- start: name -->` … `<!-- end: name -->`
 */
export async function report(section: string, command: string, text: string): Promise<void> {
  const body = `${machine()}. Command: \`${command}\`\n\n${text}`
  console.log(body)
  if (!process.argv.includes('--write')) return
  const begin = `<!-- start: ${section} -->`
  const end = `<!-- end: ${section} -->`
  const old = await readFile(page, 'utf8')
  const from = old.indexOf(begin)
  const to = old.indexOf(end)
  if (from < 0 || to < from) throw new Error(`docs/performance.md has no section ${section}`)
  await writeFile(page, `${old.slice(0, from)}${begin}\n\n${body}\n\n${old.slice(to)}`)
}
