import { readFile } from 'node:fs/promises'
import { UserError } from './fatal.ts'

/**
 * Reads a settings file: `.json` (a flat object) or `.properties` (Kafka's `name=value` lines).
 * @throws UserError that names the file, and the line where there is one
 */
export async function readSettingsFile(path: string): Promise<Record<string, string>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new UserError(`config file ${path} cannot be read: ${reason}`)
  }
  return path.endsWith('.properties') ? parseProperties(text, path) : parseJson(text, path)
}

function parseJson(text: string, path: string): Record<string, string> {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    throw new UserError(`config file ${path} is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new UserError(`config file ${path} must hold one JSON object of setting names and values`)
  }
  const settings: Record<string, string> = {}
  for (const [name, value] of Object.entries(parsed)) {
    if (Array.isArray(value)) settings[name] = value.map(String).join(',')
    else if (['string', 'number', 'boolean'].includes(typeof value)) settings[name] = String(value)
    else throw new UserError(`config file ${path}: ${name} must be a string, a number or a boolean`)
  }
  return settings
}

/** Java's properties format as far as Kafka's own files use it: comments, `=` or `:`, continued lines. */
function parseProperties(text: string, path: string): Record<string, string> {
  const settings: Record<string, string> = {}
  const lines = text.replaceAll(/\\\r?\n[ \t]*/g, '').split(/\r?\n/)
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#') || line.startsWith('!')) continue
    const match = /^([^=:\s]+)\s*[=:]\s*(.*)$/.exec(line)
    if (match === null) throw new UserError(`config file ${path}, line ${index + 1}: expected name=value`)
    settings[match[1]!] = match[2]!
  }
  return settings
}
